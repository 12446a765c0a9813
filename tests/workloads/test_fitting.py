"""What would make a training fit does make it fit, and is no more than is needed."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.units import GB_PER_GIB
from advisor.workloads.fitting import what_would_fit
from advisor.workloads.load import list_workloads, load_workload
from advisor.workloads.memory import largest_micro_batch
from advisor.workloads.override import assigned, override
from advisor.workloads.profile import Workload


@given(
    st.sampled_from(list_workloads()), st.sampled_from([4, 8, 16, 24, 48, 80]),
    st.sampled_from([1, 2, 4]),
)  # fmt: skip
def test_what_is_advised_fits(workload: Workload, gib: int, number: int) -> None:
    """Typed as it stands, on as many GPUs as it says; a card that is named holds it."""
    memory = gib * GB_PER_GIB
    if largest_micro_batch(workload, memory, number) >= 1:
        return
    for hint in what_would_fit(workload, memory, number):
        if hint.startswith("a GPU of"):
            least = int(hint.split()[3])
            assert largest_micro_batch(workload, least * GB_PER_GIB, number) >= 1
            continue
        words = hint.split(" such GPUs with ")
        among = int(words[0]) if len(words) == 2 else number
        typed = [word for word in shlex.split(words[-1]) if "=" in word]
        changed = override(workload, assigned(typed))
        assert largest_micro_batch(changed, memory, among) >= 1, hint


@pytest.mark.parametrize(
    ("name", "gib", "number", "hints"),
    [
        ("bert-large", 6, 1, ("optimizer=adam-8bit",)),
        ("llama-8b-full", 24, 1, ("5 such GPUs with optimizer=adam-8bit",)),
        ("llama-8b-lora", 12, 1, ("base_weights=nf4",)),
        ("llama-8b-full", 80, 1, ("2 such GPUs with the same profile",)),
    ],
)
def test_the_least_change_is_advised(
    name: str, gib: int, number: int, hints: tuple[str, ...]
) -> None:
    """One option where one does, more GPUs only where none does."""
    found = what_would_fit(load_workload(name), gib * GB_PER_GIB, number)
    assert found[: len(hints)] == hints
