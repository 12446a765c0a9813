"""Whether a computation is worth moving to a GPU: what is computed, on which hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from advisor.app.settle import settle
from advisor.base.errors import Given, UsageError
from advisor.hardware.cpus import Cpu, load_cpus
from advisor.hardware.gpus import Gpu, load_gpus
from advisor.rental import arguments
from advisor.throughput.arithmetic import ARITHMETICS, Arithmetic, Processor, processor
from advisor.throughput.functions import FUNCTIONS
from advisor.throughput.speedup import (
    Speedup,
    Work,
    function_work,
    product_work,
    rates_of,
    speedup,
)

PartOfCall = Literal["once", "call"]
PARTS_OF_CALL: Sequence[PartOfCall] = get_args(PartOfCall)

_LONGEST_SIDE = 10**9


@dataclass(frozen=True, slots=True)
class SpeedupSpec:
    """A computation, a GPU and a CPU, as they are asked for.

    Attributes
    ----------
    gpu : its name
    gflop : 10^9 operations per call, at the rate of matrix products
    matmul : sizes of matrices that each call multiplies, ``N`` or ``MxKxN``
    elements : numbers of which each call computes `function`
    function : of each number, see `advisor.throughput.functions.FUNCTIONS`
    touched_gb : 10^9 bytes that a call reads and writes, with `gflop`; None: none
    data_gb : 10^9 bytes that are copied to the GPU and back; None: none with `gflop`,
        else the input and the result
    calls : how often
    copies, start_up : when data are copied, and when the GPU starts up: once, or in
        every call
    precision : arithmetic
    parallel : share of the operations that can run in parallel, 0 to 1
    cpu : its name; None: unknown
    cores : physical ones; None: those of one such CPU
    clock : GHz of the CPU; None: the one in the table
    threads : cores that the code uses on the CPU; None: as NumPy does

    Raises
    ------
    UsageError
        if a value cannot be right, or what is computed is not said in one way
    """

    gpu: str
    gflop: float | None = None
    matmul: str | None = None
    elements: float | None = None
    function: str = "add"
    touched_gb: float | None = None
    data_gb: float | None = None
    calls: float = 1.0
    copies: PartOfCall = "once"
    start_up: PartOfCall = "once"
    precision: Arithmetic = "fp64"
    parallel: float = 1.0
    cpu: str | None = None
    cores: float | None = None
    clock: float | None = None
    threads: float | None = None

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, arguments.text, "gpu")
        settle(self, arguments.text, "matmul", "cpu", may_lack=True)
        settle(self, arguments.one_of, "function", known=tuple(FUNCTIONS))
        settle(self, arguments.one_of, "copies", "start_up", known=PARTS_OF_CALL)
        settle(self, arguments.one_of, "precision", known=ARITHMETICS)
        settle(self, arguments.share, "parallel")
        for name in ("gflop", "elements", "cores", "clock", "threads", "calls"):
            settle(self, _above_zero, name)
        settle(self, _from_zero, "touched_gb", "data_gb")
        if [self.gflop, self.matmul, self.elements].count(None) != 2:
            raise UsageError(
                *("say what is computed by one of ", Given("gflop"), ", "),
                *(Given("matmul"), " and ", Given("elements")),
            )
        if self.touched_gb is not None and self.gflop is None:
            raise UsageError(
                *(Given("touched_gb"), " goes with ", Given("gflop")),
                ": the others know what they touch",
            )

    def work(self, precision: Arithmetic) -> Work:
        """Return what is computed, in an arithmetic.

        Raises
        ------
        UsageError
            if a size is none, or the arithmetic has no such function
        """
        if self.matmul is not None:
            work = product_work(_sizes(self.matmul), precision)
        elif self.elements is not None:
            work = function_work(self.function, self.elements, precision)
        else:
            work = Work(self.gflop or 0.0, self.touched_gb or 0.0)
        return replace(
            work,
            data_gb=work.data_gb if self.data_gb is None else self.data_gb,
            calls=self.calls,
            parallel=self.parallel,
            copies_each=self.copies == "call",
            start_up_each=self.start_up == "call",
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """A computation on a CPU and on a GPU.

    Attributes
    ----------
    spec : what is asked for
    gpu, cpu : what it runs on
    found : what the GPU makes of it
    single : the same in FP32, where it is asked for in FP64; None: it is not
    """

    spec: SpeedupSpec
    gpu: Gpu
    cpu: Processor
    found: Speedup
    single: Speedup | None


def compare(spec: SpeedupSpec) -> Compared:
    """Compare a computation on a CPU with the same on a GPU.

    Raises
    ------
    UsageError
        if the GPU is not known, or nothing is of the CPU
    """
    gpu, known = load_gpus().find(spec.gpu), load_cpus().resolve(spec.cpu)
    _check(spec, known)
    cpu = processor(known, spec.cores, spec.clock)

    def at(precision: Arithmetic) -> Speedup:
        work = spec.work(precision)
        return speedup(work, rates_of(gpu, cpu, precision, work, spec.threads))

    single = at("fp32") if spec.precision == "fp64" else None
    return Compared(spec, gpu, cpu, at(spec.precision), single)


def _check(spec: SpeedupSpec, cpu: Cpu | None) -> None:
    """Refuse a CPU of which nothing is known."""
    if cpu is None and (spec.cores is None or spec.clock is None):
        which = f"CPU {spec.cpu!r} is in no table" if spec.cpu else "no CPU was given"
        raise UsageError(
            *(f"{which}: say ", Given("cores"), " and ", Given("clock")),
            ", or a name of 'advisor cpus'",
        )


def _sizes(text: str) -> tuple[int, int, int]:
    """Return M, K and N of ``N`` or ``MxKxN``.

    Raises
    ------
    UsageError
        if it is neither
    """
    try:
        sizes = [int(size) for size in text.split("x")]
    except ValueError:
        sizes = []
    if len(sizes) not in {1, 3} or min(sizes) < 1 or max(sizes) > _LONGEST_SIDE:
        expected = f": {text!r}: a size such as 4096 or 512x1024x256 is expected"
        raise UsageError(Given("matmul"), expected)
    rows, inner, columns = sizes * 3 if len(sizes) == 1 else sizes
    return rows, inner, columns


def _above_zero(name: str, value: object) -> float | None:
    """Return a finite number above zero, as large as it may be."""
    if value is None:
        return None
    if (number := arguments.finite(name, value)) <= 0.0:
        raise arguments.wrong(name, value, "a number above 0 is expected")
    return number


def _from_zero(name: str, value: object) -> float | None:
    """Return a finite number from zero on."""
    if value is None:
        return None
    if (number := arguments.finite(name, value)) < 0.0:
        raise arguments.wrong(name, value, "a number from 0 is expected")
    return number
