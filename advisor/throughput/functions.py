"""What a function of each number of an array costs on a core and on a GPU.

A core's cycles are NumPy's own, measured with NumPy 2.4.6 on a core of Zen 5 taken as
4 GHz, with its 512-bit vectors and without (``benchmarks/numpy_functions.py`` measures
them again). A GPU's instructions are an assumption: what CUDA's library takes in its
usual range. Both stand for other chips of their kind, with a spread to match.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.throughput.arithmetic import Arithmetic


@dataclass(frozen=True, slots=True)
class Function:
    """Cost of one number.

    Attributes
    ----------
    arguments : arrays that it takes
    double_wide, double : cycles of a core in double precision, with 512-bit vectors and
        without
    single_wide, single : in single precision
    gpu_double, gpu_single : instructions of a GPU
    integers : whether integers have it
    """

    arguments: int
    double_wide: float
    double: float
    single_wide: float
    single: float
    gpu_double: float
    gpu_single: float
    integers: bool = False

    def cycles(self, precision: Arithmetic, *, wide: bool) -> float:
        """Return cycles of a core."""
        if precision in {"fp64", "int64"}:
            return self.double_wide if wide else self.double
        return self.single_wide if wide else self.single

    def instructions(self, precision: Arithmetic) -> float:
        """Return instructions of a GPU."""
        return self.gpu_double if precision == "fp64" else self.gpu_single


FUNCTIONS = {
    "add": Function(2, 0.8, 0.9, 0.4, 0.4, 1.0, 1.0, integers=True),
    "multiply": Function(2, 0.8, 0.9, 0.4, 0.4, 1.0, 1.0, integers=True),
    "divide": Function(2, 1.0, 1.1, 0.4, 0.4, 12.0, 8.0),
    "sqrt": Function(1, 3.6, 3.6, 1.1, 1.1, 12.0, 6.0),
    "exp": Function(1, 2.3, 12.0, 1.3, 2.1, 25.0, 8.0),
    "log": Function(1, 2.2, 8.6, 1.0, 3.0, 30.0, 10.0),
    "sin": Function(1, 50.0, 50.0, 1.6, 2.6, 40.0, 15.0),
    "cos": Function(1, 50.0, 50.0, 1.6, 2.6, 40.0, 15.0),
    "tanh": Function(1, 3.0, 17.0, 0.6, 3.6, 45.0, 15.0),
    "power": Function(2, 5.0, 33.0, 1.6, 13.0, 100.0, 25.0),
}
"""By NumPy's name. In double precision NumPy's sine and cosine are the C library's, one
number at a time."""
