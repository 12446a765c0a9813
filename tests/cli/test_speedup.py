"""`advisor speedup`: worth it, not worth it, bound by the copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Advisor = Callable[..., Any]
ASKED = ("speedup", "--gpu", "RTX 3080", "--cpu", "Intel Xeon E5-2640 v3")
SEED = ("speedup", "--gpu", "RTX A4000", "--cpu", "Xeon Bronze 3104")


def test_much_work_is_worth_it(advisor: Advisor) -> None:
    """The verdict, the interval, every part of the time and what is assumed."""
    work = ("--gflop", "1e6", "--data-gb", "1", "--parallel", "0.99")
    arguments = (*ASKED, *work, "--precision", "fp32")
    text = advisor(*arguments).stdout
    document = advisor(*arguments, "--json").document
    assert document["worth_it"] is True
    times = document["times"]
    with_gpu = sum(times[f"{name}_s"] for name in ("serial", "compute", "transfer"))
    assert document["gpu_s"] == pytest.approx(with_gpu + times["start_up_s"])
    assert document["speedup"] == pytest.approx(document["cpu_s"] / document["gpu_s"])
    for words in (
        *(
            "Is the GPU worth it? Yes. The GPU is faster: ",
            "90 % interval",
            "copies to the GPU",
            "start-up of the GPU",
        ),
        *document["assumptions"],
    ):
        assert words in text


def test_little_work_is_not(advisor: Advisor) -> None:
    """Below 1 it is said plainly, with the reason."""
    arguments = (*ASKED, "--gflop", "10")
    text = advisor(*arguments).stdout
    assert text.startswith(
        "Is the GPU worth it? No. The CPU is faster: 43 ms against 1 s;"
    )
    assert "start-up" in text
    assert advisor(*arguments, "--json").document["worth_it"] is False


def test_copies_that_bind_are_told(advisor: Advisor) -> None:
    """Many bytes for few operations: keep the data on the GPU."""
    work = ("--gflop", "100000", "--data-gb", "500")
    arguments = (*ASKED, *work, "--precision", "fp32")
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
        (("--matmul", "4096"), "one of --gflop"),
        (("--calls", "0.5"), "0.5"),
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
    arguments = ("speedup", "--gpu", "RTX 3080", "--gflop", "1e4", "--precision", "fp32")
    document = advisor(*arguments, "--cores", "8", "--clock", "3", "--json").document
    assert document["rates"]["cpu_tflops"] == pytest.approx(8 * 3 * 32 * 0.7 / 1000)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (("--matmul", "4x4"), "--matmul: '4x4'"),
        (("--matmul", "0"), "--matmul: '0'"),
        (("--matmul", "8", "--touched-gb", "1"), "goes with --gflop"),
        (("--elements", "9", "--function", "sin", "--precision", "int64"), "no sin"),
        (("--elements", "nan"), "finite"),
        ((), "one of --gflop"),
    ],
)
def test_work_that_cannot_be(advisor: Advisor, work: tuple[str, ...], words: str) -> None:
    """What is computed is said in one way, by sizes that can be."""
    outcome = advisor(*SEED, *work)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


@pytest.mark.parametrize(
    ("work", "verdict"),
    [
        (("--elements", "1000"), "CPU is faster: 1 us against 1 s"),
        (("--elements", "1000", "--calls", "100"), "CPU is faster: 0.1 ms against 1 s"),
        (("--matmul", "4096"), "likely the CPU: 1.2 s on the CPU, 1.6 s with the"),
        (("--matmul", "4096", "--calls", "1e4"), "GPU is faster: 96 min against 3.3 h"),
        (("--matmul", "4096", "--calls", "1e4", "--precision", "fp32"), "(52 x)"),
        (("--elements", "1e6", "--function", "sin", "--calls", "1e4"), "(61 x)"),
        (("--elements", "1e6", "--calls", "1e4", "--copies", "call"), "Too close"),
        (("--elements", "1e6", "--calls", "1e3", "--start-up", "call"), "CPU is faster"),
    ],
)
def test_numpy_against_cupy(
    advisor: Advisor, work: tuple[str, ...], verdict: str
) -> None:
    """In double precision unless it is said: plain words, two digits."""
    assert verdict in advisor(*SEED, *work).stdout


def test_the_answer_in_single_precision_too(advisor: Advisor) -> None:
    """A card for games is another in FP32, and that is said."""
    text = advisor(*SEED, "--matmul", "4096").stdout
    assert "\nin FP32" in text
    text = advisor(*SEED, "--matmul", "4096", "--precision", "fp32").stdout
    assert "\nin FP32" not in text
