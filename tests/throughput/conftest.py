"""The model that the tests of training have, for those of its file."""

from __future__ import annotations

from tests.training.conftest import gpus, small, small_cells, small_model, tables

__all__ = ["gpus", "small", "small_cells", "small_model", "tables"]
