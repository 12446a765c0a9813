"""The tables of CPU rates: they load, they are sound, and broken files are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.training.fit.cpu_tables import CpuTables, load_cpu_tables

CPUS = load_cpus()
FILES = ("cpu_decode", "cpu_handoff", "cpu_scaling", "real_synthetic")


@pytest.fixture(scope="module")
def tables() -> CpuTables:
    """Return the tables that ship with the project."""
    return load_cpu_tables(models_folder())


def test_every_rate_is_positive_and_has_a_source(tables: CpuTables) -> None:
    """No rate is missing, zero or without the file that it was published in."""
    for rates, source in (
        (tables.decode.rate, tables.decode.source),
        (tables.worker_ipc.images_per_s, tables.worker_ipc.source),
        (tables.scaling.samples_per_s, tables.scaling.source),
        (tables.pairs.real, tables.pairs.source),
        (tables.pairs.synthetic, tables.pairs.source),
    ):
        assert len(rates) > 50
        assert np.all(np.isfinite(rates) & (rates > 0))
        assert np.all(np.char.find(source, ":") > 0)


def test_every_cpu_is_in_the_cpu_table(tables: CpuTables) -> None:
    """Names are those of the CPU table; hosts of the cloud name none."""
    for names in (tables.decode.cpu, tables.worker_ipc.cpu, tables.pairs.cpu):
        for name in set(names.tolist()) - {""}:
            cpu = CPUS.resolve(name)
            assert cpu is not None
            assert cpu.name == name
    unknown = tables.pairs.cpu == ""
    assert np.array_equal(unknown, np.isnan(tables.pairs.cores))
    assert 0 < unknown.sum() < 0.2 * len(unknown)


def test_a_key_occurs_once(tables: CpuTables) -> None:
    """One row per CPU and build, per model and cores, per training and host."""
    d, s, p = tables.decode, tables.scaling, tables.pairs
    for columns in (
        (d.cpu, d.library, d.version, d.protocol, d.unit),
        (s.model, s.cores),
        (p.source, p.net, p.precision, p.num_gpus),
    ):
        keys = list(zip(*columns, strict=True))
        assert len(set(keys)) == len(keys)


def test_doubt_is_the_exception(tables: CpuTables) -> None:
    """Two rates stay in the table without counting, and say why."""
    doubtful = tables.decode.select(tables.decode.doubt != "")
    assert len(doubtful) == 2
    assert set(doubtful.cpu) == {"AMD Ryzen 7 5800H"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", [None, "", "cpu,rate\n", "cpu,rate\nx,fast\n"])
def test_a_broken_table_is_refused(tmp_path: Path, name: str, text: str | None) -> None:
    """Missing, empty or other files give an error that names the file."""
    for file in FILES:
        shutil.copy(models_folder() / f"{file}.csv", tmp_path)
    path = tmp_path / f"{name}.csv"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=name):
        load_cpu_tables(tmp_path)


def test_a_rate_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """A whole table with one broken cell is not read in part."""
    for file in FILES:
        shutil.copy(models_folder() / f"{file}.csv", tmp_path)
    path = tmp_path / "cpu_handoff.csv"
    with path.open("a", encoding="utf-8") as file:
        file.write("AMD EPYC 7702,opencv,8,many,somewhere:file\n")
    with pytest.raises(UsageError, match="many"):
        load_cpu_tables(tmp_path)
