"""Machines and jobs for plans: made up, and those of the sample market."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.sweep import SweepSpec
from advisor.base.clock import Clock
from advisor.fleet.plan.choices import Choices

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a world without key and network."""
    folders = {
        "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
        "ADVISOR_DATA_DIR": str(tmp_path / "data"),
    }
    return Context(
        folders,
        tmp_path,
        tmp_path,
        transport=httpx.MockTransport(_refuse),
        clock=Clock(now=lambda: NOW),
        notify=lambda _: None,
    )


def _refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


def _sweep_of(count: int = 12, **changed: Any) -> SweepSpec:
    """Return a sweep of equal jobs on the sample market."""
    usual: dict[str, Any] = {
        "job": JobSpec("resnet18", epochs=5),
        "command": "python train.py --seed {seed}",
        "folder": "/work",
        "grid": (("seed", tuple(range(count))),),
        "market": "sample",
    }
    return SweepSpec(**{**usual, **changed})


def _choices_of(
    job_h: Any, usd_per_h: Any, setup_h: Any, slots: Any, **changed: Any
) -> Choices:
    """Return machines whose jobs cost their share of the price and nothing else."""
    hours = np.atleast_2d(np.asarray(job_h, dtype=np.float64))
    kinds, count = hours.shape
    price, many = np.asarray(usd_per_h, dtype=np.float64), np.asarray(slots)
    once = np.asarray(setup_h, dtype=np.float64)
    nothing = np.zeros((kinds, count))
    usual: dict[str, Any] = {
        "offer_id": np.arange(1, count + 1),
        "machine_id": np.arange(1, count + 1),
        "gpu_name": ("GPU",) * count,
        "num_gpus": many,
        "takes": tuple(frozenset({(at, -1)}) for at in range(count)),
        "label": ("",) * count,
        "slots": many,
        "usd_per_h": price,
        "setup_h": once,
        "setup_usd": once * price,
        "setup_var_h2": np.zeros(count),
        "limit_h": np.full(count, 1000.0),
        "job_h": hours,
        "job_usd": hours * price / many,
        "job_sd_h": nothing,
        "job_var_h2": nothing,
    }
    return Choices(**{**usual, **changed})


@pytest.fixture
def sweep_of() -> Callable[..., SweepSpec]:
    """Return what makes a sweep."""
    return _sweep_of


@pytest.fixture
def choices_of() -> Callable[..., Choices]:
    """Return what makes machines up."""
    return _choices_of
