"""Section ``gpu`` of the model's file: `GpuModel` as arrays and one document.

The rows of the table and the conditioning observations are of few distinct GPUs at few
precisions: their features are stored once each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.throughput.archive import Archive, Array
from advisor.throughput.gpu_model import GpuModel, Observation
from advisor.throughput.intercept import InterceptModel
from advisor.throughput.kernel import LABELS, OWN_PARTS, Covariance, Inputs, Run
from advisor.throughput.process import Process

_KINDS = tuple(dict.fromkeys((*LABELS, *(part.kind for part in OWN_PARTS))))
_OF_PROCESS = ("noise", "weights", "inducing", "shared_weights")
_APART = {"process", "observations", "center", "scale", "intercepts"}
_TEXTS = ("gpu", "source", "series")  # of a conditioning observation


def gpu_document(model: GpuModel) -> dict[str, Any]:
    """Return what is text or a single number."""
    observations = [one for several in model.observations.values() for one in several]
    return {
        **{n: _plain(getattr(model, n)) for n in _ALIKE},
        "mean": model.process.mean,
        "intercepts": {
            name: _plain(getattr(model.intercepts, name))
            for name in _OF_INTERCEPTS
            if name not in _INTERCEPT_ARRAYS
        },
        "observations": {
            "workload": [name for name, of in model.observations.items() for _ in of],
            "run": [list(one.run) for one in observations],
            **{name: [getattr(one, name) for one in observations] for name in _TEXTS},
        },
    }


def gpu_arrays(model: GpuModel) -> dict[str, Array]:
    """Return the arrays."""
    process = model.process
    rows = process.rows
    observations = [one for several in model.observations.values() for one in several]
    z = np.concatenate([rows.z, *(one.z[None] for one in observations)])
    distinct, place = np.unique(z, axis=0, return_inverse=True)
    return {
        "center": model.center,
        "scale": model.scale,
        **{f"covariance_{n}": getattr(process.covariance, n) for n in _COVARIANCE},
        "z": distinct,
        "z_of": place.reshape(-1).astype(np.int32),
        "batch": rows.batch,
        "labels": np.stack([rows.labels[kind] for kind in _KINDS]).astype(np.int32),
        "observed_batch": np.array([one.batch for one in observations], dtype=np.float64),
        "observed_y": np.array([one.y for one in observations], dtype=np.float64),
        **{name: getattr(process, name) for name in _OF_PROCESS},
        "half_explained": _packed(process.half_explained).astype(np.float32),
        **_intercept_arrays(model.intercepts),
    }


def gpu_from(archive: Archive) -> GpuModel:
    """Return the section of a file."""
    document = archive.document("gpu")
    array = {name: archive.array(f"gpu/{name}") for name in _MEMBERS}
    z = array["z"][array["z_of"]]
    number = len(array["batch"])
    labels = dict(zip(_KINDS, array["labels"].astype(np.int64), strict=True))
    of_process = {name: array[name] for name in _OF_PROCESS}
    process = Process(
        covariance=Covariance(*(array[f"covariance_{n}"] for n in _COVARIANCE)),
        mean=document["mean"],
        rows=Inputs(z[:number], array["batch"], labels),
        half_explained=_unpacked(array["half_explained"], len(array["inducing"])),
        **of_process,
    )
    observed = (array[name] for name in ("observed_batch", "observed_y"))
    observations = _observations(document["observations"], z[number:], *observed)
    center, scale = array["center"], array["scale"]
    intercepts = _intercepts(
        document["intercepts"],
        {name: array[f"intercept_{name}"] for name in _INTERCEPT_ARRAYS},
    )
    alike = {name: document[name] for name in _ALIKE}
    return GpuModel(
        process,
        center,
        scale,
        observations=observations,
        intercepts=intercepts,
        **alike,
    )


def _intercept_arrays(model: InterceptModel) -> dict[str, Array]:
    arrays = {f"intercept_{name}": getattr(model, name) for name in _INTERCEPT_ARRAYS}
    packed = _packed(model.covariance).astype(np.float32)
    return {**arrays, "intercept_covariance": packed}


def _intercepts(document: Mapping[str, Any], array: dict[str, Array]) -> InterceptModel:
    upper = _unpacked(array.pop("covariance"), len(array["weights"]))
    covariance = upper + np.triu(upper, 1).T
    both: dict[str, Any] = {**document, **array, "covariance": covariance}
    return InterceptModel(**both)


def _observations(
    document: Mapping[str, Any], z: FloatArray, batch: FloatArray, y: FloatArray
) -> dict[str, tuple[Observation, ...]]:
    found: dict[str, tuple[Observation, ...]] = {}
    rows = zip(
        document["workload"],
        document["run"],
        *(document[name] for name in _TEXTS),
        z,
        batch.tolist(),
        y.tolist(),
        strict=True,
    )
    for name, run, gpu, source, series, at, effect, value in rows:
        observation = Observation(gpu, Run(*run), at, effect, value, source, series)
        found[name] = (*found.get(name, ()), observation)
    return found


def _packed(upper: FloatArray) -> FloatArray:
    """Return the rows of an upper triangle one after another."""
    return np.concatenate([row[at:] for at, row in enumerate(upper)])


def _unpacked(packed: Array, n: int) -> FloatArray:
    """Return the (n, n) upper triangle of what `_packed` gave."""
    upper, start = np.zeros((n, n)), 0
    for at in range(n):
        upper[at, at:] = packed[start : start + n - at]
        start += n - at
    return upper


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers, and what mappings hold of them, into Python's."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return value.item() if isinstance(value, np.generic) else value


_COVARIANCE = _names(Covariance)
_OF_INTERCEPTS = _names(InterceptModel)
_INTERCEPT_ARRAYS = ("center", "scale", "low", "high", "weights", "covariance")
_ALIKE = tuple(name for name in _names(GpuModel) if name not in _APART)
_MEMBERS = (
    *("center", "scale"),
    *(f"covariance_{name}" for name in _COVARIANCE),
    *("z", "z_of", "batch", "labels", "observed_batch", "observed_y"),
    *_OF_PROCESS,
    "half_explained",
    *(f"intercept_{name}" for name in _INTERCEPT_ARRAYS),
)
