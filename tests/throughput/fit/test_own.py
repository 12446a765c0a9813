"""A refit on the user's own runs: which of them teach, and as what."""

from __future__ import annotations

import dataclasses

import numpy as np

from advisor.hardware.gpus import load_gpus
from advisor.resources import models_folder
from advisor.throughput.fit.cells import TAUGHT, load_cells
from advisor.throughput.fit.own import own_rows, with_own
from advisor.throughput.folder import CELLS, load_tables
from advisor.throughput.own_runs import OwnRun
from advisor.workloads.load import load_workload

GPUS = load_gpus()
TABLES = load_tables(models_folder())
MINE = dataclasses.replace(load_workload("gpt2-124m"), name="mine")
RUN = OwnRun("mine", "RTX 3090", 1, 50.0, None, None, None, 32, "bf16")


def test_runs_of_one_gpu_and_a_known_workload_teach() -> None:
    """Several GPUs, an unknown profile, another precision: not."""
    runs = [
        RUN,
        dataclasses.replace(RUN, num_gpus=2),
        dataclasses.replace(RUN, workload="other"),
        dataclasses.replace(RUN, precision="fp32"),
        dataclasses.replace(RUN, gpu="MI300X"),
    ]
    own, teaches = own_rows(runs, {"mine": MINE}, TABLES, GPUS, 2026)
    assert teaches == [True, False, False, False, False]
    assert own.workload.tolist() == [MINE.reference.benchmark]
    assert own.series.tolist() == ["own/mine"]
    units = MINE.reference.benchmark_units_per_sample
    assert own.throughput.tolist() == [50.0 * units]


def test_they_come_after_the_shipped_rows() -> None:
    """The use of the shipped rows stays; no own row is ever scored."""
    cells = load_cells(models_folder() / CELLS, TABLES)
    resnet50 = load_workload("resnet50")
    run = dataclasses.replace(RUN, workload="resnet50", precision="amp")
    own, _ = own_rows([run], {"resnet50": resnet50}, TABLES, GPUS, 2026)
    both = with_own(cells, TABLES, own)
    assert np.array_equal(both.use[:-1], cells.use)
    assert both.use[-1] == TAUGHT
    assert not both.scored[-1]
    assert len(TABLES + own) == len(both.use)


def test_no_run_changes_nothing() -> None:
    """Without runs the tables are the shipped ones."""
    own, teaches = own_rows([], {}, TABLES, GPUS, 2026)
    assert (len(own), teaches) == (0, [])
    assert len(TABLES + own) == len(TABLES)
