"""`advisor speedup`: worth it, not worth it, bound by the copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Advisor = Callable[..., Any]
ASKED = ("speedup", "--gpu", "RTX 3080", "--cpu", "Intel Xeon E5-2640 v3")


def test_much_work_is_worth_it(advisor: Advisor) -> None:
    """The verdict, the interval, every part of the time and what is assumed."""
    arguments = (*ASKED, "--gflop", "1e6", "--data-gb", "1", "--parallel", "0.99")
    text = advisor(*arguments).stdout
    document = advisor(*arguments, "--json").document
    assert document["worth_it"] is True
    times = document["times"]
    with_gpu = sum(times[f"{name}_s"] for name in ("serial", "compute", "transfer"))
    assert document["gpu_s"] == pytest.approx(with_gpu + times["start_up_s"])
    assert document["speedup"] == pytest.approx(document["cpu_s"] / document["gpu_s"])
    for words in (
        *("verdict   yes", "90 % interval", "copies to the GPU", "start-up of the GPU"),
        *document["assumptions"],
    ):
        assert words in text


def test_little_work_is_not(advisor: Advisor) -> None:
    """Below 1 it is said plainly, with the reason."""
    arguments = (*ASKED, "--gflop", "10")
    text = advisor(*arguments).stdout
    assert "verdict   no: with the GPU it takes" in text
    assert "start-up" in text
    assert advisor(*arguments, "--json").document["worth_it"] is False


def test_copies_that_bind_are_told(advisor: Advisor) -> None:
    """Many bytes for few operations: keep the data on the GPU."""
    arguments = (*ASKED, "--gflop", "100000", "--data-gb", "500")
    document = advisor(*arguments, "--json").document
    assert document["transfer_bound"] is True
    assert document["speedup_data_on_gpu"] > document["speedup"]
    assert "keep the data on the GPU" in advisor(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cpu", "Foo 9"), "--cores and --clock"),
        (("--gpu", "RTX 3O80"), "RTX 3080"),
        (("--gflop", "-1"), "above zero"),
        (("--gflop", "nan"), "finite"),
        (("--data-gb", "-1"), "-1"),
        (("--parallel", "1.5"), "1.5"),
        (("--clock", "2600"), "2600"),
    ],
)
def test_what_cannot_be_is_refused(
    advisor: Advisor, arguments: tuple[str, ...], words: str
) -> None:
    """One line with the way out, exit code 2."""
    outcome = advisor(*ASKED, "--gflop", "100", *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_a_cpu_of_no_table(advisor: Advisor) -> None:
    """Cores and clock are enough."""
    arguments = ("speedup", "--gpu", "RTX 3080", "--gflop", "10000")
    document = advisor(*arguments, "--cores", "8", "--clock", "3", "--json").document
    assert document["rates"]["cpu_tflops"] == pytest.approx(8 * 3 * 32 * 0.7 / 1000)
