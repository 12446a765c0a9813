"""The types of array that columns are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ObjectArray = npt.NDArray[np.object_]
"""Texts of any length, compared with ``==`` as strings are."""

StrArray = npt.NDArray[np.str_]
"""Texts of NumPy's own fixed-width type, for the benchmark table's many rows."""
