"""Options that contradict each other are refused in one line, by every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

BOTH = (
    ("rank", "--on-demand", "--interruptible"),
    ("rank", "--interruptible", "--reserved"),
    ("rank", "--verified", "--any"),
    ("rank", "--gpu=RTX_4090", "--exclude-gpu=rtx 4090"),
    ("rent", "--gpu=A100", "--gpu=H100", "--exclude-gpu=H100"),
    ("rank", "--json", "--format=csv"),
    ("rank", "--format=table", "--json"),
    ("rank", "--risk-averse=0.9", "--sort=price"),
    ("rank", "--fit-batch", "--set=batch_size=4"),
    ("rank", "--epochs=3", "--set=epochs=4"),
    ("explain", "1", "--on-demand", "--reserved"),
    ("compare", "1", "2", "--on-demand", "--reserved"),
    ("bid", "--on-demand"),
    ("bid", "--reserved"),
    ("bid", "--json", "--format=tsv"),
    ("predict", "--gpu=A100", "--batch=4", "--fit-batch"),
    ("predict", "--gpu=A100", "--batch=4", "--set=batch_size=8"),
    ("predict", "--gpu=A100", "--fit-batch", "--set=batch_size=8"),
    ("rent", "--on-demand", "--interruptible"),
    ("rent", "--reserved"),
    ("rent", "--max-lifetime=1h", "--start-timeout=1h"),
)


@pytest.mark.parametrize("words", BOTH, ids=" ".join)
def test_what_contradicts_is_refused(
    words: tuple[str, ...], advisor: Callable[..., Any]
) -> None:
    """Exit code 2, with the options' names; nothing is asked of a market."""
    answers = ("--yes",) if words[0] == "rent" else ()
    done = advisor(*words, "--workload", "resnet50", *answers)
    assert done.exit_code == 2
    assert words[-1].split("=")[0] in done.stderr
    if "--json" in words:
        assert list(done.document) == ["schema_version", "error"]
    else:
        assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "--format", "json"),
        ("--format", "json", "--json"),
        ("--json", "--json", "--interruptible", "--interruptible"),
        ("--json", "--any", "--on-demand"),
    ],
)
def test_saying_it_twice_is_no_contradiction(
    words: tuple[str, ...], advisor: Callable[..., Any]
) -> None:
    """Scripts add options to those that they are given."""
    line = ("rank", "--workload", "resnet50", "--market", "sample", "--top", "1")
    done = advisor(*line, *words)
    assert done.exit_code == 0, done.stderr
    assert len(done.document["offers"]) == 1


def test_a_flag_of_another_argument_is_no_contradiction(
    advisor: Callable[..., Any],
) -> None:
    """Only one that says how a machine is paid says that no bid is meant."""
    done = advisor("bid", "--workload", "resnet50", "--market", "sample", "--any")
    assert done.exit_code == 0, done.stderr
