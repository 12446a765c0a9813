"""How wrong the CPU side is on CPUs, nets and machines that it has not seen.

``cpu_decode``. Every rate of one CPU is held out, in turn; exponent, weight and spreads
come from the other CPUs. What is predicted is a ratio: the intercept of a library is
learned from the other CPUs. Baselines fix the speed: in proportion to the PassMark score,
to the nominal clock, or the same for all.

``synergy_prior``, ``synergy_one_point``. Every curve of throughput against cores is held
out, in turn; the constants are fitted on the other curves and on the pairs. Known of
the curve are its plateau, which is the GPU's rate, and its pipeline; and for *one
point* its rate at one core. Neither the row with most cores, which is the plateau,
nor the point that was given is evaluated. Without a point, the core-ms is that of the
other nets of the pipeline on the same (unnamed) machine, under its prior; the two
audio nets have a pipeline each, of which nothing is known, and are not evaluated there.
Nets of text never lack cores: they count, and ``cpu_bound`` leaves out every row
within 2 % of its plateau, theirs among them.

``real_synthetic``. Every host is held out, in turn; the rate with real data is predicted
from that with synthetic data, which is the GPU's side, and from the host's CPU. Hosts
whose CPU the logs do not state are not evaluated; ``unknown_host`` shows them, with what
the ladder says of nothing.

Intervals are those of `advisor.throughput.limit.LimitRates.interval`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants, unnamed_speed
from advisor.hardware.host import THREADS_PER_GPU, THREADS_PER_GPU_LOG_SD
from advisor.throughput.limit import LimitRates
from advisor.throughput.limits import LIMITS
from advisor.training.evaluate.metrics import Compared, metrics
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.core_speed import (
    ScorePrior,
    fit_core_speed,
    predict_held_out,
    speed_rows,
)
from advisor.training.fit.cpu import certain, with_speeds
from advisor.training.fit.input_pipeline import (
    FREE_LOG_SD,
    NET_LOG_SD,
    PIPELINE_OF,
    PLATEAU,
    ROW_LOG_SD,
    Hosts,
    PipelineFit,
    curve_limits,
    describe_hosts,
    fit_input_pipeline,
    known_hosts,
    pair_limits,
    plateaus,
)

if TYPE_CHECKING:
    from advisor.hardware.cpus import CpuTable
    from advisor.training.fit.cpu_tables import (
        CpuTables,
        DecodeRates,
        RealSynthetic,
        ScalingCurves,
    )

# Grid of ln core-ms that the one measured point is read on: 1 us to 10 s.
_LOG_CORE_MS = np.linspace(np.log(1e-3), np.log(1e4), 3201)


def evaluate_cpu(tables: CpuTables, cpus: CpuTable) -> dict[str, dict[str, Any]]:
    """Hold out, refit, predict: CPUs, curves and hosts in turn.

    Returns
    -------
    split -> ``mape``, ``median_ape``, ``p90_ape``, ``coverage90`` as fractions, ``n``,
    and ``baselines``, and `Compared` of each row; further parts of a split beside
    them, see the module
    """
    decode = with_speeds(
        INPUT_PIPELINE, fit_core_speed(speed_rows(certain(tables.decode), cpus))
    )
    speed = read_constants(CpuConstants, decode)
    return {
        "cpu_decode": evaluate_decode(tables.decode, cpus),
        **evaluate_curves(tables, cpus, speed),
        "real_synthetic": evaluate_pairs(tables, cpus, speed),
    }


def evaluate_decode(decode: DecodeRates, cpus: CpuTable) -> dict[str, Any]:
    """Hold out every CPU of the decode rates."""
    rates = certain(decode)
    error, log_sd = _held_out_cpus(rates, cpus, ScorePrior.usual())
    doubtful, _ = _held_out_cpus(decode, cpus, ScorePrior.usual())
    clock = [_nominal_ghz(str(name), cpus) for name in rates.cpu]
    return metrics(error, log_sd) | {
        "compared": Compared.of("images/s or Mpixel/s", rates.rate, error),
        "by_cpu": {n: metrics(error[rates.cpu == n]) for n in np.unique(rates.cpu)},
        "with_doubtful_rows": metrics(doubtful),
        "baselines": {
            "passmark": metrics(
                _held_out_cpus(rates, cpus, ScorePrior.fixed(1.0, 0.0))[0]
            ),
            "nothing": metrics(
                _held_out_cpus(rates, cpus, ScorePrior.fixed(0.0, 0.0))[0]
            ),
            "nominal_clock": metrics(
                _held_out_cpus(rates, cpus, ScorePrior.fixed(0.0, 0.0), np.log(clock))[0]
            ),
        },
    }


def _held_out_cpus(
    rates: DecodeRates,
    cpus: CpuTable,
    prior: ScorePrior,
    log_speed: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return ln(predicted / measured) and its log-sd, each CPU held out in turn.

    `log_speed` is taken off the rates first, for a speed that is no score.
    """
    rows = speed_rows(rates, cpus)
    if log_speed is not None:
        rows = replace(rows, log_rate=rows.log_rate - log_speed)
    error, spread = np.full(len(rates), np.nan), np.full(len(rates), np.nan)
    for name in np.unique(rates.cpu):
        out = rates.cpu == name
        error[out], spread[out] = predict_held_out(rows, out, prior)
    return error, spread


def _nominal_ghz(name: str, cpus: CpuTable) -> float:
    cpu = cpus.resolve(name)
    return np.nan if cpu is None else cpu.base_ghz


def evaluate_curves(
    tables: CpuTables, cpus: CpuTable, speed: CpuConstants
) -> dict[str, dict[str, Any]]:
    """Hold out every curve of throughput against cores."""
    curves = tables.scaling
    measured, gpu_rate = np.log(curves.samples_per_s), plateaus(curves)
    parts = {name: np.full((len(curves), 3), np.nan) for name in ("prior", "point")}
    for model in np.unique(curves.model):
        out = curves.model == model
        fit = fit_input_pipeline(curves.select(~out), tables.pairs, cpus, speed)
        one = curves.select(out)
        core_ms = _prior_core_ms(str(one.pipeline[0]), fit)
        if np.isfinite(core_ms[0]):
            parts["prior"][out] = _predict_curve(one, gpu_rate[out], core_ms, fit)
        point = _measured_core_ms(one, gpu_rate[out], core_ms, fit)
        parts["point"][out] = _predict_curve(one, gpu_rate[out], point, fit)
    last = np.array([curves.cores[curves.model == m].max() for m in curves.model])
    evaluated = {"prior": curves.cores < last}
    evaluated["point"] = evaluated["prior"] & (curves.cores > 1.0)
    short = curves.samples_per_s < PLATEAU * gpu_rate
    linear = {
        "prior": np.log(
            curves.cores * 1e3 / float(INPUT_PIPELINE["dali_core_ms"]["value"])
        ),
        "point": np.log(curves.cores * _first(curves)),
    }
    result = {}
    for name, split in (("prior", "synergy_prior"), ("point", "synergy_one_point")):
        known = evaluated[name] & np.isfinite(parts[name][:, 0])
        baselines = {
            "gpu_alone": np.log(gpu_rate) - measured,
            "hard_minimum": np.minimum(np.log(gpu_rate), linear[name]) - measured,
        }
        if name == "prior":  # the usual core-ms is of images
            baselines["hard_minimum"][curves.pipeline == "text"] = 0.0
        result[split] = _summary(measured, parts[name], known) | {
            "compared": _compared(measured, parts[name], known),
            "cpu_bound": _summary(measured, parts[name], known & short),
            "by_model": {
                str(m): _summary(measured, parts[name], known & (curves.model == m))
                for m in np.unique(curves.model[known])
            },
            "baselines": {n: metrics(e[known]) for n, e in baselines.items()},
        }
    return result


def _first(curves: ScalingCurves) -> FloatArray:
    """Return the rate at one core of each row's curve, samples/s."""
    one = curves.cores == 1.0
    at = dict(zip(curves.model[one], curves.samples_per_s[one], strict=True))
    return np.array([at[model] for model in curves.model])


def _prior_core_ms(pipeline: str, fit: PipelineFit) -> tuple[float, float]:
    """Return ln core-ms of a new net of a pipeline and its sd, NaN where unknown."""
    name = PIPELINE_OF.get(pipeline)
    if name is None:
        return np.nan, FREE_LOG_SD
    return float(np.log(fit.value[name])), float(np.hypot(fit.spread[name], NET_LOG_SD))


def _measured_core_ms(
    curve: ScalingCurves,
    gpu_rate: FloatArray,
    prior: tuple[float, float],
    fit: PipelineFit,
) -> tuple[float, float]:
    """Return ln core-ms and its sd from the rate at one core, under its prior."""
    one = curve.cores == 1.0
    grid = np.ones_like(_LOG_CORE_MS)
    limits = curve_limits(grid, grid * gpu_rate[one], np.exp(_LOG_CORE_MS), fit.value)
    of = dict(zip(("gpu", "cpu"), limits, strict=True))
    joined = LimitRates.named(LIMITS, of, fit.value["norm_order"]).joined()
    off = (np.log(joined) - np.log(curve.samples_per_s[one])) / ROW_LOG_SD
    slowest = float(np.log(1e3 / curve.samples_per_s.min()))
    center = prior[0] if np.isfinite(prior[0]) else slowest
    log_weight = -0.5 * (off**2 + ((_LOG_CORE_MS - center) / prior[1]) ** 2)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ _LOG_CORE_MS)
    return mean, float(np.sqrt(weight @ (_LOG_CORE_MS - mean) ** 2))


def _predict_curve(
    curve: ScalingCurves,
    gpu_rate: FloatArray,
    core_ms: tuple[float, float],
    fit: PipelineFit,
) -> FloatArray:
    """Return ln samples/s and the ends of its interval, shape (N, 3)."""
    time = np.full(len(curve), np.exp(core_ms[0]))
    gpu, cpu = curve_limits(curve.cores, gpu_rate, time, fit.value)
    exponent = np.log(curve.cores) * fit.spread["core_exponent"]
    spread = np.sqrt(core_ms[1] ** 2 + exponent**2 + fit.curve_log_sd**2)
    return _with_interval(
        {"gpu": gpu, "cpu": cpu},
        {"gpu": np.full(len(curve), ROW_LOG_SD), "cpu": spread},
        fit.value["norm_order"],
    )


def evaluate_pairs(
    tables: CpuTables, cpus: CpuTable, speed: CpuConstants
) -> dict[str, Any]:
    """Hold out every host of the pairs of real and synthetic data."""
    known = known_hosts(tables.pairs)
    pairs = tables.pairs.select(known)
    predicted = np.full((len(pairs), 3), np.nan)
    for host in np.unique(pairs.host):
        out = pairs.host == host
        fit = fit_input_pipeline(tables.scaling, pairs.select(~out), cpus, speed)
        here = pairs.select(out)
        hosts = describe_hosts(here, cpus, speed)
        share = np.full(len(here), speed.core_per_thread_log_sd)
        predicted[out] = _predict_pairs(here, hosts, share, fit)
    measured, everything = np.log(pairs.real), np.ones(len(pairs), dtype=np.bool_)
    unknown = tables.pairs.select(~known)
    fit = fit_input_pipeline(tables.scaling, pairs, cpus, speed)
    return _summary(measured, predicted, everything) | {
        "compared": _compared(measured, predicted, everything),
        "by_host": {
            str(h): _summary(measured, predicted, pairs.host == h)
            for h in np.unique(pairs.host)
        },
        "unknown_host": _summary(
            np.log(unknown.real),
            _predict_unknown(unknown, speed, fit),
            np.ones(len(unknown), dtype=np.bool_),
        ),
        "baselines": {"synthetic": metrics(np.log(pairs.synthetic) - measured)},
    }


def _predict_unknown(
    pairs: RealSynthetic, speed: CpuConstants, fit: PipelineFit
) -> FloatArray:
    """Predict pairs of hosts of which nothing is known, shape (N, 3)."""
    of_core = unnamed_speed(np.nan, np.nan, False, speed)
    hosts = Hosts(
        cores=THREADS_PER_GPU * speed.core_per_thread * pairs.num_gpus,
        core_speed=np.full(len(pairs), of_core.speed),
        core_speed_log_sd=np.full(len(pairs), of_core.log_sd),
    )
    share = np.hypot(speed.core_per_thread_log_sd, THREADS_PER_GPU_LOG_SD)
    return _predict_pairs(pairs, hosts, np.full(len(pairs), share), fit)


def _predict_pairs(
    pairs: RealSynthetic, hosts: Hosts, cores_log_sd: FloatArray, fit: PipelineFit
) -> FloatArray:
    """Return ln samples/s with real data and the ends of its interval, (N, 3)."""
    gpu, cpu, copied = pair_limits(pairs, hosts, fit.value)
    exponent = np.log(hosts.cores / pairs.num_gpus) * fit.spread["core_exponent"]
    cpu_log_sd = np.sqrt(
        hosts.core_speed_log_sd**2
        + (fit.value["core_exponent"] * cores_log_sd) ** 2
        + fit.spread["tf_data_core_ms"] ** 2
        + exponent**2
    )
    copied_log_sd = np.hypot(hosts.core_speed_log_sd, fit.spread["copy_gb_s"])
    return _with_interval(
        {"gpu": gpu, "cpu": cpu, "handoff": copied},
        {
            "gpu": np.full(len(pairs), ROW_LOG_SD),
            "cpu": cpu_log_sd,
            "handoff": copied_log_sd,
        },
        fit.value["norm_order"],
    )


def _with_interval(
    limits: Mapping[str, FloatArray], spreads: Mapping[str, FloatArray], order: float
) -> FloatArray:
    """Return the logarithms of what limits allow and of its interval, (N, 3)."""
    of = LimitRates.named(LIMITS, limits, order)
    low, high = of.interval(np.stack([spreads[name] for name in of.names]))
    return np.log(np.stack([of.joined(), low, high], axis=1))


def _compared(
    measured: FloatArray, predicted: FloatArray, evaluated: BoolArray
) -> Compared:
    """Return the rows that are evaluated, all in logarithms, side by side."""
    error = np.where(evaluated, predicted[:, 0] - measured, np.nan)
    return Compared.of("samples/s", np.exp(measured), error)


def _summary(
    measured: FloatArray, predicted: FloatArray, evaluated: BoolArray
) -> dict[str, Any]:
    """Return the errors of the rows that are evaluated, all in logarithms."""
    error = (predicted[:, 0] - measured)[evaluated]
    summary: dict[str, Any] = metrics(error)
    if len(error):
        low, high = predicted[evaluated, 1], predicted[evaluated, 2]
        inside = (low <= measured[evaluated]) & (measured[evaluated] <= high)
        summary["coverage90"] = float(inside.mean())
    return summary
