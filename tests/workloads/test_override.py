"""Figures that the user replaces: the same checks and words as in a file."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import load_workload
from advisor.workloads.override import assigned, override
from advisor.workloads.parse import SET_BY_USER, parse_workload
from advisor.workloads.profile import Workload

RESNET50 = load_workload("resnet50")
FIGURES = [
    f.name
    for f in dataclasses.fields(Workload)
    if str(f.type) == "float"
    and f.name
    not in {"trainable_parameters_m", "embedding_parameters_m", "padding_share"}
]
"""Those that can be anything beside the others."""


def complaint(*assignments: str) -> str:
    """Return what is said of assignments that must be refused."""
    with pytest.raises(UsageError) as caught:
        override(RESNET50, assigned(assignments))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nothing_to_replace_is_the_profile_itself() -> None:
    """Without figures the very profile comes back."""
    assert override(RESNET50, {}) is RESNET50


@given(name=st.sampled_from(FIGURES), value=st.floats(25.56, 99.0))
def test_one_figure_changes_and_no_other(name: str, value: float) -> None:
    """A replaced figure has the new value and says whose it is; the rest stays."""
    changed = override(RESNET50, assigned([f"{name}={value!r}"]))
    assert getattr(changed, name) == value
    assert changed.sources[name] == SET_BY_USER
    back = dataclasses.replace(
        changed,
        **{name: getattr(RESNET50, name)},
        sources=RESNET50.sources,
        reference=RESNET50.reference,
    )
    assert back == RESNET50


@given(name=st.sampled_from(FIGURES), text=st.text("0123456789.e+-_ ", max_size=6))
def test_what_is_set_is_what_a_file_would_say(name: str, text: str) -> None:
    """A figure that is taken makes a profile that a file can hold."""
    changed = RESNET50
    with contextlib.suppress(UsageError):
        changed = override(RESNET50, {name: text})
    assert parse_workload(dump_workload(changed), "x") == changed


def test_texts_and_the_reference_can_be_set() -> None:
    """A text stays a text even if it looks like a number; a dot enters a table."""
    figures = assigned(
        ["name=mine", "description=5", "reference.framework=JAX", "precision=bf16"]
    )
    changed = override(RESNET50, figures)
    assert (changed.name, changed.description) == ("mine", "5")
    assert changed.reference.framework == "JAX"
    assert changed.sources["framework"] == SET_BY_USER
    assert changed.precision == "bf16"


def test_a_source_can_be_set() -> None:
    """What is said of a source is taken as it is."""
    changed = override(RESNET50, assigned(["epochs=3", "sources.epochs=my paper"]))
    assert (changed.epochs, changed.sources["epochs"]) == (3, "my paper")


def test_numbers_come_as_numbers_too() -> None:
    """From Python a figure is given as it is."""
    assert override(RESNET50, {"batch_size": 64}).batch_size == 64


def test_the_last_of_two_counts() -> None:
    """A figure that is set twice has the later value."""
    assert assigned(["epochs=1", "batch_size=3", "epochs=2"])["epochs"] == "2"


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("batchsize=64", "did you mean batch_size?"),
        ("reference.framewrok=x", "did you mean framework?"),
        ("batch_size=many", "batch_size: a whole number is expected, not a string"),
        ("batch_size=1e3", "a whole number is expected, not 1000.0"),
        ("batch_size=0", "greater than 0"),
        ("epochs=" + "9" * 5000, "a whole number is expected"),
        ("cpu_ms_per_sample=nan", "greater than 0"),
        ("cpu_ms_per_sample=-1", "greater than 0"),
        ("precision=fp8", "one of fp32, tf32, amp, bf16, fp16 is expected"),
        ("name=two words", "letters, digits"),
        ("trainable_parameters_m=1000", "no more than parameters_m"),
        ("reference=x", "a table [reference] is expected"),
        ("name.x=1", "name.x: this key is not known"),
        ("batch_size", "key=value is expected"),
        ("=64", "key=value is expected"),
        ("", "key=value is expected"),
    ],
)
def test_what_cannot_be_is_said_as_of_a_file(assignment: str, words: str) -> None:
    """A wrong key or value is one line that names it and what is expected."""
    message = complaint(assignment)
    assert message.startswith("settings: ")
    assert words in message


def test_figures_are_checked_together() -> None:
    """Two figures that only fit each other are taken in either order."""
    pair = ["parameters_m=100", "trainable_parameters_m=100"]
    for order in (pair, pair[::-1]):
        assert override(RESNET50, assigned(order)).trainable_parameters_m == 100


@pytest.mark.parametrize("text", ["true", "True", " TRUE "])
def test_a_switch_is_set_by_its_word(text: str) -> None:
    """As the command line has it; another word is refused."""
    workload = load_workload("bert-base")
    changed = override(workload, assigned([f"gradient_checkpointing={text}"]))
    assert changed.gradient_checkpointing is True
    assert not override(
        changed, {"gradient_checkpointing": "false"}
    ).gradient_checkpointing
    with pytest.raises(UsageError, match="true or false is expected"):
        override(workload, {"gradient_checkpointing": "yes"})
