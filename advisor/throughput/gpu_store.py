"""The file of the trained GPU model: plain numbers and names, never code.

A zip archive as NumPy writes it (``.npz``): arrays, and ``document.json`` with all that
is not one. The same model gives the same bytes, but for how zlib packs the document.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.base.errors import UsageError
from advisor.throughput.gpu_model import Anchor, GpuModel
from advisor.throughput.kernel import Covariance, Inputs, Run

FORMAT = 2
"""Version of the file's layout."""

_DOCUMENT = "document.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # earliest date of a zip entry: the same bytes each time
_ARRAYS = ("weights", "centre", "scale")
_FAULTS = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)
_APART = {"covariance", "points", "half_inverse", "anchors", *_ARRAYS}


def save_model(model: GpuModel, path: Path) -> None:
    """Write the model."""
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "half_inverse": _packed(model.half_inverse),
        "z": model.points.z,
        "batch": model.points.batch,
        **{name: getattr(model, name) for name in _ARRAYS},
        **{f"covariance_{n}": getattr(model.covariance, n) for n in _names(Covariance)},
        **{f"label_{k}": v.astype(np.int32) for k, v in model.points.labels.items()},
        "anchor_z": _stacked([a.z for _, a in _each_anchor(model)], model),
    }
    document = {
        "format": FORMAT,
        **{n: getattr(model, n) for n in _names(GpuModel) if n not in _APART},
        "anchors": [
            [name, a.gpu, *a.run, a.batch, a.y, a.source, a.series]
            for name, a in _each_anchor(model)
        ],
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.ascontiguousarray(array))
            _write(archive, f"{name}.npy", stream.getvalue())
        text = json.dumps(_plain(document), separators=(",", ":"), allow_nan=False)
        _write(archive, _DOCUMENT, text.encode(), zipfile.ZIP_DEFLATED)


def load_gpu_model(path: Path) -> GpuModel:
    """Read the model.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read or is not such a model
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            document = json.loads(archive[_DOCUMENT])
            if document["format"] != FORMAT:
                message = f"format {document['format']}, expected {FORMAT}"
                raise ValueError(message)
            return _model(document, {name: archive[name] for name in archive.files})
    except _FAULTS as error:
        message = f"{path}: not a model of this version ({error!r}); train it again"
        raise UsageError(message) from error


def _model(
    document: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> GpuModel:
    kinds = [name for name in arrays if name.startswith("label_")]
    labels = {k.removeprefix("label_"): arrays[k].astype(np.int64) for k in kinds}
    anchors: dict[str, tuple[Anchor, ...]] = {}
    for row, z in zip(document["anchors"], arrays["anchor_z"], strict=True):
        name, gpu, precision, framework, memory_format, *measured = row
        run = Run(precision, framework, memory_format)
        anchor = Anchor(gpu, run, z, *measured)
        anchors[name] = (*anchors.get(name, ()), anchor)
    values: dict[str, Any] = {
        **{n: document[n] for n in _names(GpuModel) if n not in _APART},
        **{name: arrays[name] for name in _ARRAYS},
    }
    return GpuModel(
        covariance=Covariance(*(arrays[f"covariance_{n}"] for n in _names(Covariance))),
        points=Inputs(arrays["z"], arrays["batch"], labels),
        half_inverse=_unpacked(arrays["half_inverse"], len(arrays["weights"])),
        anchors=anchors,
        **values,
    )


def _packed(upper: FloatArray) -> FloatArray:
    """Return the rows of an upper triangle one after another."""
    return np.concatenate([row[at:] for at, row in enumerate(upper)])


def _unpacked(packed: FloatArray, n: int) -> FloatArray:
    """Return the (n, n) upper triangle of what `_packed` gave."""
    upper, start = np.zeros((n, n)), 0
    for at in range(n):
        upper[at, at:] = packed[start : start + n - at]
        start += n - at
    return upper


def _each_anchor(model: GpuModel) -> list[tuple[str, Anchor]]:
    return [(name, a) for name, several in model.anchors.items() for a in several]


def _stacked(rows: list[FloatArray], model: GpuModel) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(-1, len(model.centre))


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _write(
    archive: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_STORED
) -> None:
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, compress_type=how)


def _plain(value: Any) -> Any:
    """Turn arrays, mappings and NumPy's numbers into what JSON has."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
