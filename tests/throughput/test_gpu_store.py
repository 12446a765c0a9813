"""The file of the model: round trips, and broken files are refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.throughput.artifact import (
    ThroughputModel,
    load_model,
    read_model,
    save_model,
)

ARTIFACT = models_folder() / "throughput.npz"


def test_the_model_round_trips(small_model: ThroughputModel, tmp_path: Path) -> None:
    """Saved, loaded and saved again it is the same file."""
    first, second = tmp_path / "1.npz", tmp_path / "2.npz"
    save_model(small_model, first)
    save_model(read_model(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_the_shipped_file_round_trips(tmp_path: Path) -> None:
    """What is shipped is what this version writes.

    Part by part: how one of them is packed is the choice of zlib, which has versions.
    """
    again = tmp_path / "again.npz"
    save_model(read_model(ARTIFACT), again)
    with zipfile.ZipFile(again) as written, zipfile.ZipFile(ARTIFACT) as shipped:
        assert written.namelist() == shipped.namelist()
        for name in written.namelist():
            assert written.read(name) == shipped.read(name), name


@pytest.mark.parametrize(
    "content", [b"", b"<html>busy</html>", b"PK\x03\x04 torn", pickle.dumps({"a": 1})]
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    """Torn, foreign and pickled files are usage errors that name the file."""
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"model\.npz.*advisor model train.* again"):
        read_model(path)


def changed(tmp_path: Path, model: ThroughputModel, name: str, data: bytes) -> Path:
    """Return a file of the model with one entry replaced."""
    whole, path = tmp_path / "whole.npz", tmp_path / "model.npz"
    save_model(model, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.namelist():
            target.writestr(entry, data if entry == name else source.read(entry))
    return path


@pytest.mark.parametrize("version", [2, 99])
def test_a_model_of_another_version_is_refused(
    tmp_path: Path, small_model: ThroughputModel, version: int
) -> None:
    """Another layout is not guessed at; what to do is said in one line."""
    document = json.dumps({"format": version}).encode()
    path = changed(tmp_path, small_model, "document.json", document)
    with pytest.raises(UsageError, match=rf"format {version}.*model train.* again") as no:
        read_model(path)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize("name", ["gpu.json", "coverage.json", "gpu/z_of.npy"])
def test_a_file_without_a_section_is_refused(
    tmp_path: Path, small_model: ThroughputModel, name: str
) -> None:
    """Whatever is torn out is named, and nothing is made up for it."""
    whole, path = tmp_path / "whole.npz", tmp_path / "model.npz"
    save_model(small_model, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for entry in set(source.namelist()) - {name}:
            target.writestr(entry, source.read(entry))
    with pytest.raises(UsageError, match=name):
        read_model(path)


def test_an_array_that_runs_code_is_refused(
    tmp_path: Path, small_model: ThroughputModel
) -> None:
    """Objects are never unpickled."""
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path = changed(tmp_path, small_model, "gpu/weights.npy", stream.getvalue())
    with pytest.raises(UsageError, match=r"model train.* again"):
        read_model(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """No file is a usage error that names it."""
    with pytest.raises(UsageError, match=r"none\.npz"):
        read_model(tmp_path / "none.npz")


def test_a_model_is_read_again_when_its_file_has_changed(
    small_model: ThroughputModel, tmp_path: Path
) -> None:
    """Who trains in one process and predicts in the next line gets the new model."""
    save_model(small_model, tmp_path / "throughput.npz")
    first = load_model(tmp_path)
    assert load_model(tmp_path) is first
    other = replace(small_model, dlperf={**small_model.dlperf, "RTX 4090/1": 97.0})
    save_model(other, tmp_path / "throughput.npz")
    assert load_model(tmp_path).sha256 != first.sha256
    (tmp_path / "throughput.npz").unlink()
    with pytest.raises(UsageError, match=r"throughput\.npz"):
        load_model(tmp_path)
