"""Two benches side by side: what differs by more than benches of one machine do."""

from __future__ import annotations

import math

import pytest

from advisor.measure.bench import parse_bench
from advisor.measure.compared import Compared, compared
from tests.measure.benches import LINES, bench, document


def lines_of(first: dict[str, tuple[float, str]], **more: object) -> dict[str, Compared]:
    found = compared(bench(LINES), bench({**LINES, **first}, **more))
    return {one.name: one for one in found.lines}


def test_a_bench_is_like_itself() -> None:
    """Nothing differs, in the machine or in a line."""
    found = compared(bench(LINES), bench(LINES))
    assert not found.machines
    assert not any(one.differs for one in found.lines)
    assert {one.words for one in found.lines} == {"the same"}


@pytest.mark.parametrize(
    ("figure", "words"),
    [(390.0, "the same"), (330.0, "11% less"), (444.0, "20% more")],
)
def test_a_line_differs_by_more_than_a_tenth(figure: float, words: str) -> None:
    """Two benches of one machine agree within that."""
    line = lines_of({"decode.pillow.core": (figure, "images/s")})["decode.pillow.core"]
    assert line.words == words
    assert line.differs == (words != "the same")
    assert line.ratio == pytest.approx(figure / 370.0)


def test_what_is_counted_differs_by_one() -> None:
    """Cores are not measured: 31 of 32 is a difference."""
    line = lines_of({"cores.granted": (31.0, "cores")})["cores.granted"]
    assert line.differs
    assert line.words == "less"


def test_cores_that_are_delivered_are_measured() -> None:
    """A little more of them is what two benches of one machine differ by."""
    before = bench({"cores.delivered": (1.80, "cores")})
    for now, differs in ((1.85, False), (0.9, True)):
        after = bench({"cores.delivered": (now, "cores")})
        (line,) = compared(before, after).lines
        assert line.differs is differs
        assert line.words == ("50% less" if differs else "the same")


def test_readings_that_scatter_hide_a_difference() -> None:
    """A quarter less says nothing where the readings differ by half."""
    rough = document({"decode.pillow.w1": (280.0, "images/s")})
    rough["lines"][0] |= {"log_sd": 0.4, "repeats": 5}
    found = compared(bench({"decode.pillow.w1": (370.0, "images/s")}), parse_bench(rough))
    (line,) = found.lines
    assert not line.differs
    assert line.words == "within its spread"


def test_a_line_of_one_bench_alone_is_told() -> None:
    """There is nothing to compare it with."""
    lines = lines_of({"gpu1.bandwidth": (900.0, "GB/s")})
    assert lines["gpu1.bandwidth"].words == "in the second alone"
    assert math.isnan(lines["gpu1.bandwidth"].first)
    assert not lines["gpu1.bandwidth"].differs


def test_machines_that_are_not_alike_are_told() -> None:
    """CPU and GPUs of both stand beside each other."""
    other = bench(LINES, cpu="Intel Xeon E5-2680 v4", gpus=("NVIDIA L4",))
    assert compared(bench(LINES), other).machines == (
        ("cpu_name", "AMD EPYC 7702 64-Core Processor", "Intel Xeon E5-2680 v4"),
        ("gpus", "NVIDIA GeForce RTX 4090", "NVIDIA L4"),
    )


def test_errors_that_appear_are_a_difference() -> None:
    """From none to some has no ratio."""
    first = bench({"gpu0.xid": (0.0, "errors")})
    second = bench({"gpu0.xid": (3.0, "errors")})
    (line,) = compared(first, second).lines
    assert line.differs
    assert math.isnan(line.ratio)
    assert line.words == "more"
