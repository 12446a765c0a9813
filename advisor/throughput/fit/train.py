"""Train the GPU model on the benchmark table.

Deterministic: the same table, the same GPU table, the same artefact. Needs
scikit-learn; nothing that ranks offers imports this module.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray
from advisor.throughput.features import WorkloadKey
from advisor.throughput.fit.cells import UNITS, scored_rows, training_rows, usable_rows
from advisor.throughput.fit.constants import INPUT_PIPELINE
from advisor.throughput.fit.kernel import (
    BATCH,
    LENGTH,
    LINEAR,
    PARTS,
    SAME_GPU,
    SMOOTH,
    Design,
    covariance,
    design,
    fit,
    held_out,
    log_batch,
    log_efficiency,
    table_features,
)
from advisor.throughput.fit.levels import (
    family_levels,
    precision_offsets,
    series_spread,
    training_gflops,
)
from advisor.throughput.fit.scaling import fit_scaling
from advisor.throughput.gpu_model import Block, GpuModel, Level
from advisor.throughput.spread import spread90

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.fit.benchmarks import Benchmarks


TENSOR_CORES = 1.5
"""Matrix rate over FP32 rate above which a row runs on tensor cores."""


def train(
    benchmarks: Benchmarks,
    gpus: Mapping[str, Gpu],
    about: Mapping[str, Any] | None = None,
) -> GpuModel:
    """Train on every row that `advisor.throughput.fit.cells` lets teach.

    Parameters
    ----------
    benchmarks : the table
    gpus : canonical name -> GPU
    about : facts for the card, such as the hash of the table and the date
    """
    rows = benchmarks.select(training_rows(benchmarks, gpus))
    of = design(rows, gpus)
    kernel = covariance(of)
    estimator, _ = fit(kernel, of.y, of.noise)
    points, point = np.unique(of.z, axis=0, return_inverse=True)
    blocks = make_blocks(of, estimator.dual_coef_, point.reshape(-1))
    scored = scored_rows(rows, gpus)
    response = GpuModel(
        centre=of.centre,
        scale=of.scale,
        length=LENGTH,
        points=points,
        blocks=blocks,
        families=dict(zip(*_texts(benchmarks.workload, benchmarks.family), strict=True)),
        levels={},
        precision_offsets={},
        family_levels={"": 0.0},
        family_slope=-1.0,
        best_utilisation=best_utilisation(benchmarks, gpus),
        spreads=response_spreads(rows, of, kernel, scored)
        | {"gpu_unknown": unknown_gpu_spread(gpus)},
        workload_rows=_count(rows.workload),
        gpu_rows=_count(rows.gpu),
        scaling=fit_scaling(benchmarks, gpus),
        cpu=INPUT_PIPELINE,
        about={
            **(about or {}),
            "training_rows": len(rows),
            "scored_rows": int(scored.sum()),
        },
    )
    return _with_levels(response, benchmarks, gpus)


def make_blocks(of: Design, dual: FloatArray, point: IntArray) -> dict[str, Block]:
    """Collect the dual coefficients of the rows into one block a part.

    `point` is the row of the reference points that each training row sits on.
    """
    blocks = {}
    for kind in PARTS:
        for code, name in enumerate(of.part_names[kind]):
            rows = np.flatnonzero(of.parts[kind] == code)
            linear = LINEAR.get(kind, 0.0) / of.z.shape[1]
            places, where = np.unique(point[rows], return_inverse=True)
            weights = np.bincount(where, dual[rows]) * SMOOTH.get(kind, 0.0)
            keep = weights != 0.0
            offsets: dict[str, float] = {}
            for row in rows:
                gpu = of.gpu_names[row]
                share = SAME_GPU.get(kind, 0.0) * float(dual[row])
                offsets[gpu] = offsets.get(gpu, 0.0) + share
            blocks[name] = Block(
                linear=linear * dual[rows] @ of.z[rows],
                points=places[keep],
                weights=weights[keep],
                gpus=offsets if kind in SAME_GPU else {},
                batch=BATCH.get(kind, 0.0) * float(dual[rows] @ of.batch[rows]),
            )
    return blocks


def response_spreads(
    rows: Benchmarks, of: Design, kernel: FloatArray, scored: BoolArray
) -> dict[str, float]:
    """Estimate the spread of the response from rows that were held out.

    ``gpu_seen``: the GPU's other workloads are known; ``gpu_new``: nothing of the
    GPU is; ``workload_new``: what is added where no GPU has run the workload.
    Each is the log-sd whose 90 % interval held 90 % of the held-out scored rows.
    """
    pair = [f"{g}|{w}" for g, w in zip(rows.gpu, rows.workload, strict=True)]
    folds = {
        "gpu_seen": np.unique(pair, return_inverse=True)[1],
        "gpu_new": of.gpu,
        "workload_new": of.parts["workload"],
    }
    spreads = {}
    for name, fold in folds.items():
        errors = held_out(kernel, of.y, of.noise, fold)
        if name == "workload_new":
            errors = _centred(errors, of.cell)
        spreads[name] = spread90(errors[scored])
    added = spreads["workload_new"] ** 2 - spreads["gpu_seen"] ** 2
    spreads["workload_new"] = float(np.sqrt(max(added, 0.0)))
    spreads["gpu_new"] = max(spreads["gpu_new"], spreads["gpu_seen"])
    return spreads


def unknown_gpu_spread(gpus: Mapping[str, Gpu]) -> float:
    """Return the log-sd of the baseline between the GPUs of the table.

    That is what is not known of a GPU that is in no table.
    """
    rates = [
        0.5 * np.log(gpu.fp32_tflops * gpu.memory_bandwidth_gb_s) for gpu in gpus.values()
    ]
    return float(np.nanstd(rates))


def best_utilisation(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> float:
    """Return the share of the matrix rate that the best rows reach.

    The 99 % quantile over usable rows in samples/s or tokens/s whose operations are
    known, on tensor cores: without them, Winograd convolutions take fewer
    multiplications than are counted. 1 (the data sheet) where there are none.
    """
    counted = np.isin(benchmarks.unit, ("samples/s", "tokens/s"))
    counted &= np.isfinite(benchmarks.gmacs) & (benchmarks.precision != "")
    rows = benchmarks.select(usable_rows(benchmarks, gpus) & counted)
    features = table_features(rows, gpus)
    flops = training_gflops(rows) * rows.throughput / rows.num_gpus
    share = flops * 1e-3 / features.matrix_tflops
    share = share[features.matrix_tflops > TENSOR_CORES * features.fp32_tflops]
    if not len(share):
        return 1.0
    return min(float(np.quantile(share, 0.99)), 1.0)


def _with_levels(
    model: GpuModel, benchmarks: Benchmarks, gpus: Mapping[str, Gpu]
) -> GpuModel:
    """Add the levels: what is left of each usable row when the response is off."""
    counted = np.isin(benchmarks.unit, UNITS) & (benchmarks.precision != "")
    rows = benchmarks.select(usable_rows(benchmarks, gpus) & counted)
    features = table_features(rows, gpus)
    left = log_efficiency(rows, gpus)
    batch = log_batch(rows)
    keys = list(zip(rows.workload, rows.precision, strict=True))
    for key in dict.fromkeys(keys):
        here = np.array([k == key for k in keys])
        work = WorkloadKey(
            name=str(key[0]),
            family=str(rows.family[here][0]),
            precision=str(key[1]),
            training_gflops_per_sample=np.nan,
        )
        left[here] -= model.response(_take(features, here), work, batch[here])
    levels = _levels(rows, left)
    offsets, precision_new = precision_offsets(levels)
    common, slope, spreads = family_levels(rows, levels, offsets)
    return replace(
        model,
        levels=levels,
        precision_offsets=offsets,
        family_levels=common,
        family_slope=slope,
        spreads=dict(model.spreads)
        | {"between_series": series_spread(levels), "precision_new": precision_new}
        | spreads,
    )


def _levels(
    rows: Benchmarks, left: FloatArray
) -> dict[str, dict[str, tuple[Level, ...]]]:
    """Return workload -> precision -> the mean intercept of each series."""
    levels: dict[str, dict[str, tuple[Level, ...]]] = {}
    cells = rows.cell
    for cell in np.unique(cells):
        here = cells == cell
        workload, precision = str(rows.workload[here][0]), str(rows.precision[here][0])
        year = float(np.median(rows.year[here]))
        level = Level(
            series=str(rows.series[here][0]),
            framework=str(rows.framework[here][0]),
            year=year if np.isfinite(year) else 0.0,
            intercept=float(np.mean(left[here])),
            rows=int(here.sum()),
            batch=_median(rows.batch_size[here]),
        )
        by_precision = levels.setdefault(workload, {})
        by_precision[precision] = (*by_precision.get(precision, ()), level)
    return levels


def _median(values: FloatArray) -> float:
    """Return the median of what is known, 0 where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _take(features: Any, rows: BoolArray) -> Any:
    return type(features)(
        **{name: getattr(features, name)[rows] for name in features.__slots__}
    )


def _centred(errors: FloatArray, cell: IntArray) -> FloatArray:
    """Take off the mean of each cell, scaled for the degree of freedom it uses."""
    out = errors.copy()
    for code in np.unique(cell):
        rows = cell == code
        n = int(rows.sum())
        out[rows] = (errors[rows] - errors[rows].mean()) * np.sqrt(n / (n - 1))
    return out


def _texts(*columns: Any) -> tuple[list[str], ...]:
    return tuple([str(v) for v in column] for column in columns)


def _count(names: Iterable[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[str(name)] = counts.get(str(name), 0) + 1
    return dict(sorted(counts.items()))
