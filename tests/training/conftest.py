"""A few workloads of the table, and the model trained on them, for many tests."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import GpuTable, load_gpus
from advisor.throughput.artifact import ThroughputModel
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.row_use import RowUse, choose
from advisor.training.fit.train import train
from advisor.training.folder import load_tables

WORKLOADS = ("resnet50", "bert-base-squad", "maskrcnn-r50-fpn", "gpt2-124m")


@pytest.fixture(scope="session")
def gpus() -> GpuTable:
    """Return the GPU table."""
    return load_gpus()


@pytest.fixture(scope="session")
def tables() -> Benchmarks:
    """Return the tables that ship with the project."""
    return load_tables(models_folder())


@pytest.fixture(scope="session")
def small(tables: Benchmarks) -> Benchmarks:
    """Return four workloads on one GPU: enough to train and evaluate on, quickly."""
    return tables.select(np.isin(tables.workload, WORKLOADS) & (tables.num_gpus == 1))


@pytest.fixture(scope="session")
def small_row_use(small: Benchmarks, gpus: GpuTable) -> RowUse:
    """Return what the rules make of them."""
    return choose(small, gpus)


@pytest.fixture(scope="session")
def small_model(
    small: Benchmarks, small_row_use: RowUse, gpus: GpuTable
) -> ThroughputModel:
    """Return the model trained on them."""
    return train(small, small_row_use, gpus)
