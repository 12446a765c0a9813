"""The model that the tests of training have, for those of its file."""

from __future__ import annotations

from tests.training.conftest import gpus, small, small_model, small_row_use, tables

__all__ = ["gpus", "small", "small_model", "small_row_use", "tables"]
