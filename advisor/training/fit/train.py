"""Train the GPU model on the benchmark tables.

Neither chance nor the clock enters: the same tables and row uses give the same model, but
for what the searches make of the last bits, in which kernels of BLAS differ. Between
those of OpenBLAS (Haswell, Prescott, SkylakeX) the rate of one GPU differed by 1e-7, a
CPU's by 1e-5, the efficiency of several GPUs by 0.1 % and its spread by a tenth at most.
Needs SciPy and scikit-learn; nothing that ranks offers imports this module.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.base.progress import Progress, doing, quiet
from advisor.hardware.constants import Constant
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.gpu_model import GpuModel, Observation
from advisor.throughput.intercept import CURVES, InterceptModel
from advisor.throughput.scaling import Scaling
from advisor.throughput.sections import Coverage, Provenance
from advisor.throughput.spread import Z90
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.design import (
    NOISE_GROUPS,
    Design,
    log_batch,
    log_efficiency,
    run_of,
    source_of,
    table_features,
    usual_batches,
)
from advisor.training.fit.intercepts import fit_intercepts, training_gflops
from advisor.training.fit.likelihood import Fitted
from advisor.training.fit.posterior import Posterior, compress, held_out, posterior
from advisor.training.fit.row_use import (
    FIRST_YEAR,
    INFERENCE,
    UNITS,
    RowUse,
    on_one_gpu,
)
from advisor.training.fit.scaling import fit_scaling
from advisor.training.regressor import USUAL_NOISE, ThroughputRegressor, regression_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks


def train(
    tables: Benchmarks,
    row_use: RowUse,
    gpus: Mapping[str, Gpu],
    about: Mapping[str, Any] | None = None,
    host: Mapping[str, Mapping[str, Any]] = INPUT_PIPELINE,
    *,
    progress: Progress = quiet,
) -> ThroughputModel:
    """Train on the training rows of `row_use`; the DLPerf medians are left empty.

    Parameters
    ----------
    tables : the benchmark table and the auxiliary one
    row_use : the use of each of its rows
    gpus : canonical name -> GPU
    about : fields of `Provenance` that the tables do not state, such as the date
    host : constants outside the GPU, as `advisor.training.fit.cpu.fit_host` gives
    progress : is told what the training is at
    """
    found = train_gpu(tables, row_use, gpus, progress=progress)
    with doing(progress, "fitting several GPUs"):
        scaling = Scaling.from_dict(fit_scaling(tables, gpus))
    return ThroughputModel(
        gpu=found.model,
        scaling=scaling,
        constants={name: Constant(**entry) for name, entry in host.items()},
        dlperf={},
        coverage=_coverage(found.used, found.alone),
        provenance=Provenance(
            training_rows=found.training_rows,
            scored_rows=int(row_use.evaluated.sum()),
            lower_bounds=found.lower_bounds,
            binding_lower_bounds=len(found.used) - found.training_rows,
            points=len(found.model.process.inducing),
            **(about or {}),
        ),
    )


class Trained(NamedTuple):
    """The rate of one GPU, and what it was trained on.

    Attributes
    ----------
    model : of the rate
    used : rows behind the posterior: those that train, and the bounds that bind
    alone : rows of workloads that one GPU alone ran
    training_rows, lower_bounds : counts; of the bounds not all bind
    """

    model: GpuModel
    used: Benchmarks
    alone: Benchmarks
    training_rows: int
    lower_bounds: int


def train_gpu(
    tables: Benchmarks,
    row_use: RowUse,
    gpus: Mapping[str, Gpu],
    *,
    progress: Progress = quiet,
) -> Trained:
    """Train the rate of one GPU. Parameters as in `train`."""
    bounds = lower_bounds(tables, row_use, gpus)
    rows = np.concatenate([np.flatnonzero(row_use.training), bounds])
    training = np.arange(len(rows) - len(bounds))
    table = tables.select(rows)
    is_bound = np.arange(len(rows)) >= len(training)
    regressor = ThroughputRegressor(gpus)
    frame, y = regression_frame(table)
    regressor.fit(frame, y, lower_bound=is_bound, progress=progress)
    of, fitted, full = regressor.design_, regressor.fitted_, regressor.posterior_
    with doing(progress, "choosing the observations that the model keeps"):
        process, names = compress(of, full, fitted)
    with doing(progress, "holding out rows to widen the intervals by"):
        factors = spread_factors(of, row_use.evaluated[rows], training, fitted)
    model = GpuModel(
        process=process,
        center=of.center,
        scale=of.scale,
        middle=of.middle,
        labels=names,
        noise=float(fitted.noise[list(NOISE_GROUPS).index(USUAL_NOISE)]),
        usual_batch={**usual_batches(tables), **of.usual_batch},
        families=dict(zip(*_texts(tables.workload, tables.family), strict=True)),
        observations={},
        intercepts=_NO_INTERCEPTS,
        spread_factors=factors,
        unknown_log_sd=unknown_gpu_spread(gpus),
        best_utilization=best_utilization(tables, row_use, gpus),
    )
    alone = _measured_alone(model, tables, row_use, gpus)
    model = replace(model, observations=_observations(model, alone, gpus))
    with doing(progress, "fitting workloads that nobody measured"):
        model = _with_unmeasured(model, tables, row_use, gpus)
    return Trained(
        model=model,
        used=table.select(full.rows),
        alone=alone,
        training_rows=len(training),
        lower_bounds=len(bounds),
    )


_NO_INTERCEPTS = InterceptModel(
    families=(),
    lineages=(),
    center=np.zeros(2),
    scale=np.ones(2),
    low=np.zeros(2),
    high=np.zeros(2),
    weights=np.zeros(CURVES),
    covariance=np.zeros((CURVES, CURVES)),
    family_variance=0.0,
    lineage_variance=0.0,
    noise=0.0,
    factor=1.0,
)
"""Until they are fitted, which takes the rest of the model."""


def lower_bounds(
    tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]
) -> IntArray:
    """Return the rows that are lower bounds of the GPU's rate.

    Input or kernel launches limit them. Of one covered GPU, for workloads that other rows
    train.
    """
    known = np.isin(tables.workload, np.unique(tables.workload[row_use.training]))
    bound: IntArray = np.flatnonzero(on_one_gpu(tables, gpus) & tables.host_bound & known)
    return bound


def spread_factors(
    of: Design, evaluated: BoolArray, training: IntArray, fitted: Fitted
) -> dict[str, float]:
    """Return what the posterior's spread is short of, by case (see `GpuModel`).

    Each is the factor with which 90 % intervals hold 90 % of the evaluated rows that were
    held out: pairs of GPU and workload, whole GPUs, whole sources.
    """
    full = posterior(of, training, fitted)
    labels = of.inputs.labels
    pair = labels["gpu"] * (labels["workload"].max() + 1) + labels["workload"]
    cases = {"gpu_seen": pair, "gpu_new": labels["gpu"], "own": labels["source"]}
    return {
        case: max(
            factor90(full, folds[training], evaluated[training], alike=case == "own"), 1.0
        )
        for case, folds in cases.items()
    }


def factor90(
    full: Posterior, folds: IntArray, evaluated: BoolArray, *, alike: bool
) -> float:
    """Return the factor on the spread with which 90 % of the errors are inside.

    1 where no evaluated row can be held out. Rows whose intercept nothing else gives (a
    variance near that of a free intercept) do not count.

    Parameters
    ----------
    full : the posterior on N rows
    folds : (N,) what is held out together
    evaluated : (N,) whether a row counts
    alike : every fold counts alike (a user's set-up is one more source), else every row
    """
    sizes, weights = [np.empty(0)], [np.empty(0)]
    for fold in held_out(full, folds, np.unique(folds[evaluated])):
        variance = np.diag(fold.covariance)
        keep = evaluated[fold.places] & (variance < FREE_INTERCEPT)
        if keep.any():
            sizes.append(np.abs(fold.error[keep]) / np.sqrt(variance[keep]))
            count = int(keep.sum())
            weights.append(np.full(count, 1.0 / count if alike else 1.0))
    size, weight = np.concatenate(sizes), np.concatenate(weights)
    if not len(size):
        return 1.0
    order = np.argsort(size)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(size[order][np.searchsorted(share, 0.9)] / Z90)


FREE_INTERCEPT = 8.0
"""Variance above which a row's intercept is not given by the rows that are left."""


def unknown_gpu_spread(gpus: Mapping[str, Gpu]) -> float:
    """Return the log-sd of the baseline between the GPUs of the table.

    That is what is not known of a GPU that is in no table.
    """
    rates = [
        0.5 * np.log(gpu.fp32_tflops * gpu.memory_bandwidth_gb_s) for gpu in gpus.values()
    ]
    return float(np.nanstd(rates))


def best_utilization(
    tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]
) -> float:
    """Return the share of the sustained matrix rate that the best rows reach.

    The 99.9 % quantile over training rows in samples/s or tokens/s whose operations are
    known, on tensor cores: without them, Winograd convolutions take fewer
    multiplications than are counted. 1 (the data sheet) where there are none.
    """
    counted = np.isin(tables.unit, ("samples/s", "tokens/s"))
    counted &= np.isfinite(tables.gmacs) & (tables.precision != "")
    counted &= (tables.task != INFERENCE) & ~tables.host_bound & ~row_use.left_out
    rows = tables.select(on_one_gpu(tables, gpus) & counted)
    features = table_features(rows, gpus)
    flops = training_gflops(rows) * rows.throughput / rows.num_gpus
    share = flops * 1e-3 / features.sustained_tflops
    share = share[features.on_tensor_cores]
    if not len(share):
        return 1.0
    return min(float(np.quantile(share, 0.999)), 1.0)


def _measured_alone(
    model: GpuModel, tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]
) -> Benchmarks:
    """Return the measurements of workloads that one GPU alone ran."""
    alone = on_one_gpu(tables, gpus) & ~tables.host_bound & (row_use.use == "")
    alone &= np.isin(tables.unit, UNITS) & ~(tables.year < FIRST_YEAR)
    alone &= ~np.isin(tables.workload, model.labels["workload"])
    return tables.select(alone)


def _observations(
    model: GpuModel, rows: Benchmarks, gpus: Mapping[str, Gpu]
) -> dict[str, tuple[Observation, ...]]:
    """Return workload -> its conditioning observations, where one GPU alone ran it."""
    y = log_efficiency(rows, gpus)
    z, batch = model.standardize(
        table_features(rows, gpus), log_batch(rows, model.usual_batch)
    )
    observations: dict[str, tuple[Observation, ...]] = {}
    for row in range(len(rows)):
        name = str(rows.workload[row])
        observation = Observation(
            gpu=str(rows.gpu[row]),
            run=run_of(rows, row),
            z=z[row],
            batch=float(batch[row]),
            y=float(y[row]),
            source=source_of(str(rows.source[row])),
            series=str(rows.series[row]),
        )
        observations[name] = (*observations.get(name, ()), observation)
    return observations


def _coverage(used: Benchmarks, alone: Benchmarks) -> Coverage:
    """Return what the posterior's rows and the rows measured alone cover."""
    both = used + alone
    return Coverage(
        workload_rows=_count(both.workload),
        gpu_rows=_count(used.gpu),
        workload_gpus=_by_workload(both, both.gpu),
        workload_series=_by_workload(both, both.series),
    )


def _with_unmeasured(
    model: GpuModel, tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]
) -> GpuModel:
    """Add the intercepts of workloads that nobody measured."""
    rows = tables.select(counted(tables, row_use, gpus))
    left = log_efficiency(rows, gpus) - as_new(model, rows, gpus)
    return replace(model, intercepts=fit_intercepts(rows, left).model)


def counted(tables: Benchmarks, row_use: RowUse, gpus: Mapping[str, Gpu]) -> BoolArray:
    """Mark the rows that tell how fast a net computes: its operations are known."""
    known = on_one_gpu(tables, gpus) & ~tables.host_bound & (tables.precision != "")
    known &= np.isin(tables.unit, UNITS) & (tables.task != INFERENCE) & ~row_use.left_out
    tells: BoolArray = known & np.isfinite(tables.gmacs)
    return tells


def as_new(model: GpuModel, rows: Benchmarks, gpus: Mapping[str, Gpu]) -> FloatArray:
    """Return (N,) what the model expects of rows if it did not know their workload."""
    inputs = model.inputs(
        *model.standardize(
            table_features(rows, gpus), log_batch(rows, model.usual_batch)
        ),
        [str(name) for name in rows.gpu],
        [("", str(rows.family[row]), run_of(rows, row)) for row in range(len(rows))],
    )
    return model.process.mean_at(inputs)


def _by_workload(rows: Benchmarks, names: StrArray) -> dict[str, list[str]]:
    """Return workload -> the names that occur with it."""
    found: dict[str, set[str]] = {}
    for workload, name in zip(rows.workload, names, strict=True):
        found.setdefault(str(workload), set()).add(str(name))
    return {workload: sorted(known) for workload, known in sorted(found.items())}


def _texts(*columns: Any) -> tuple[list[str], ...]:
    return tuple([str(v) for v in column] for column in columns)


def _count(names: Iterable[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[str(name)] = counts.get(str(name), 0) + 1
    return dict(sorted(counts.items()))
