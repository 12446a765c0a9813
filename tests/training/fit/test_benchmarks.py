"""The benchmark table: it loads, it is sound, and broken files are refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.gpus import GpuTable
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks, table_hash
from advisor.training.fit.row_use import on_one_gpu

TABLE = models_folder() / "benchmarks.csv"
PRECISIONS = {"", "fp32", "tf32", "amp", "bf16", "fp16"}


@pytest.fixture(scope="module")
def table() -> Benchmarks:
    """Return the table that ships with the project."""
    return load_benchmarks(TABLE)


def test_the_table_is_sound(table: Benchmarks) -> None:
    """Every row is a positive throughput of 1 to 8 GPUs with a source."""
    assert len(table) > 5000
    assert np.all(np.isfinite(table.throughput) & (table.throughput > 0))
    assert table.num_gpus.min() >= 1
    assert table.num_gpus.max() <= 8
    assert set(table.precision) <= PRECISIONS
    assert np.all(table.reports >= 1)
    assert np.all(np.char.find(table.source, ":") > 0)


def test_a_key_occurs_once(table: Benchmarks) -> None:
    """One row per workload, series, GPU, count, precision and unit."""
    columns = (table.comparison_group, table.gpu, table.num_gpus, table.unit)
    keys = list(zip(*columns, strict=True))
    assert len(set(keys)) == len(keys)


def test_known_traps_are_out(table: Benchmarks) -> None:
    """Neither MLPerf nor the two corrupt WaveGlow figures are in the table."""
    assert not np.any(np.char.startswith(table.source, "mlcommons/"))
    corrupt = (table.workload == "waveglow") & (table.precision == "amp")
    corrupt &= np.char.startswith(table.series, "lambda/")
    assert corrupt.any()
    assert not set(table.gpu[corrupt]) & {"RTX A4000", "RTX 3080 Laptop"}


def test_lambda_has_no_plain_fp32_on_ampere(table: Benchmarks) -> None:
    """What Lambda calls fp32 on Ampere and newer is TF32, and is called so."""
    rows = np.char.startswith(table.series, "lambda/")
    rows &= np.isin(table.gpu, ["RTX 3090", "RTX A6000", "A100-SXM4-80GB", "RTX 4090"])
    assert "tf32" in table.precision[rows]
    assert "fp32" not in table.precision[rows]


def test_input_limited_rows_are_marked(table: Benchmarks) -> None:
    """Runs that load data beside a faster twin that does not are host-bound."""
    rows = np.char.endswith(table.series, "/real+distortions")
    assert table.host_bound[rows].mean() > 0.3
    synthetic = np.char.endswith(table.series, "/synthetic")
    assert not table.host_bound[synthetic].any()


@pytest.mark.parametrize(
    "workload",
    [
        "resnet18",
        "resnet50",
        "vit-b16",
        "efficientnet-b0",
        "maskrcnn-r50-fpn",
        "bert-base-squad",
        "gpt2-124m",
        "llama-7b-lora",
    ],
)
def test_built_in_workloads_have_a_usable_row(
    table: Benchmarks, gpus: GpuTable, workload: str
) -> None:
    """The names that profiles point to are in the table and set an intercept."""
    rows = on_one_gpu(table, gpus) & ~table.host_bound
    assert np.any(rows & (table.workload == workload))


def test_a_workload_has_one_unit(table: Benchmarks) -> None:
    """Iterations and samples of one net are two workloads: their intercepts differ."""
    for workload in np.unique(table.workload):
        assert len(set(table.unit[table.workload == workload])) == 1


def test_auxiliary_rows_are_inference(tables: Benchmarks, table: Benchmarks) -> None:
    """They come after the benchmark table, and none of it is among them."""
    assert np.all(tables.task[len(table) :] == "inference")
    assert not np.any(table.task == "inference")
    assert len(tables) > len(table) + 300


def test_selecting_keeps_rows_together(table: Benchmarks) -> None:
    """A selection takes the same rows of every column."""
    few = table.select(np.array([5, 3]))
    assert len(few) == 2
    assert few.gpu[0] == table.gpu[5]
    assert few.throughput[1] == table.throughput[3]


@pytest.mark.parametrize(
    "text", ["", "workload,gpu\nresnet50,T4\n", "not a table at all"]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or foreign file is a usage error that names the file."""
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"table\.csv"):
        load_benchmarks(path)


def test_a_row_with_a_bad_number_is_refused(tmp_path: Path) -> None:
    """A throughput that is no number is a usage error, not a crash."""
    with TABLE.open(newline="") as file:
        rows = [row for row, _ in zip(csv.reader(file), range(3), strict=False)]
    rows[1][rows[0].index("throughput")] = "fast"
    path = tmp_path / "table.csv"
    path.write_text("\n".join(",".join(f'"{v}"' for v in row) for row in rows))
    with pytest.raises(UsageError, match="fast"):
        load_benchmarks(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """No file is a usage error."""
    with pytest.raises(UsageError, match=r"none\.csv"):
        load_benchmarks(tmp_path / "none.csv")


def test_the_hash_follows_the_bytes(tmp_path: Path) -> None:
    """Another table has another hash, the same bytes the same."""
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    (tmp_path / "c").write_text("y")
    hashes = [table_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]
