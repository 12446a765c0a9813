"""How fast a GPU computes without tensor cores, and in double precision with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from advisor.base.columns import number, read_records, typed
from advisor.hardware.gpus import Gpu

_TABLE = Path(__file__).parent / "data" / "vector_rates.csv"


@dataclass(frozen=True, slots=True)
class VectorRates:
    """Rates of an architecture over its FP32 rate; NaN: it has no such arithmetic.

    Attributes
    ----------
    fp64, fp16, int32 : of vectors
    fp64_matrix : of matrix products
    source : where they come from
    """

    fp64: float
    fp64_matrix: float
    fp16: float
    int32: float
    source: str


def vector_rates(gpu: Gpu) -> VectorRates:
    """Return the rates of a GPU, by its architecture and compute capability."""
    for row in read_records(_TABLE):
        capability = number(row["compute_capability"])
        same = capability == gpu.compute_capability or (
            math.isnan(capability) and math.isnan(gpu.compute_capability)
        )
        if row["architecture"] == gpu.architecture and same:
            return VectorRates(**typed(VectorRates, row))
    return VectorRates(math.nan, math.nan, math.nan, math.nan, "in no table")
