"""How fast a GPU computes without tensor cores, and in double precision with them."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

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
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            capability = float(row["compute_capability"] or "nan")
            same = capability == gpu.compute_capability or (
                math.isnan(capability) and math.isnan(gpu.compute_capability)
            )
            if row["architecture"] == gpu.architecture and same:
                return VectorRates(
                    fp64=float(row["fp64"] or "nan"),
                    fp64_matrix=float(row["fp64_matrix"] or "nan"),
                    fp16=float(row["fp16"] or "nan"),
                    int32=float(row["int32"] or "nan"),
                    source=row["source"],
                )
    return VectorRates(math.nan, math.nan, math.nan, math.nan, "in no table")
