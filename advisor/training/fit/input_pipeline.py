"""What throughput against cores, and real against synthetic data, say of the limits.

One least-squares fit under the priors of `advisor.training.fit.constants`. Rows:

- *scaling curves*: one GPU whose own rate is the curve's plateau, and its cores. Their
  CPU is not stated, so speed and core-ms are one unknown: core-ms of the curves' own
  core. Nets of one pipeline share it but for a small deviation each; the pipelines
  without a prior have one unknown a net.
- *pairs*: real data against the rate on synthetic data, which stands for the GPU. The
  hosts' CPUs are known; hosts of which nothing is known do not train.

The errors of rows count like those of a normal distribution near zero and like absolute
values beyond two deviations (pseudo-Huber): some runs were throttled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from advisor.base.arrays import BoolArray, FloatArray, StrArray
from advisor.base.units import BYTES_PER_GB
from advisor.hardware.core_speed import CpuConstants, named_speed
from advisor.throughput.limit import near_minimum
from advisor.throughput.limits import input_rate
from advisor.throughput.spread import spread90
from advisor.training.fit.constants import INPUT_PIPELINE

if TYPE_CHECKING:
    from advisor.hardware.cpus import CpuTable
    from advisor.training.fit.cpu_tables import RealSynthetic, ScalingCurves

ROW_LOG_SD = 0.05
"""Log-sd of a row about the right model: two runs of one training, and the rounding
of the curves' profiles (assumption)."""

NET_LOG_SD = 0.1
"""Log-sd of the core-ms of a net about that of its pipeline (assumption: other crops,
other batches)."""

FREE_LOG_SD = 3.0
"""Log-sd of a core-ms without a prior: within a factor of 100 or so."""

SHARED = ("core_exponent", "driver_cores", "norm_order")
PIPELINE_OF = {"dali": "dali_core_ms", "text": "text_core_ms"}
PAIRS = ("tf_data_core_ms", "copy_gb_s", "fed_share")
FITTED = (*SHARED, *PIPELINE_OF.values(), *PAIRS)
"""Constants that the fit moves; all but `core_exponent` by their logarithms."""

PLATEAU = 0.98
"""Share of its plateau above which a row of a curve is not bound by the CPU."""

MOST_EXPONENT = 1.0  # cores do not help each other


@dataclass(frozen=True, slots=True)
class PipelineFit:
    """Fitted constants.

    Attributes
    ----------
    value : name of `FITTED` -> value
    spread : name -> standard deviation, of the value for ``core_exponent`` and of its
        natural logarithm for the others
    curve_log_sd : spread of the curves' rows that the CPU binds about the fit
    """

    value: Mapping[str, float]
    spread: Mapping[str, float]
    curve_log_sd: float


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of N pairs: cores of each, their speed, and its log-sd."""

    cores: FloatArray
    core_speed: FloatArray
    core_speed_log_sd: FloatArray


def known_hosts(pairs: RealSynthetic) -> BoolArray:
    """Return the pairs whose CPU and cores are stated."""
    known: BoolArray = (pairs.cpu != "") & np.isfinite(pairs.cores)
    return known


def describe_hosts(pairs: RealSynthetic, cpus: CpuTable, speed: CpuConstants) -> Hosts:
    """Return the hosts of pairs, all threads of them counted as the ranking does."""
    speeds, cores = [], []
    for name, count in zip(pairs.cpu, pairs.cores, strict=True):
        cpu = cpus.resolve(str(name))
        if cpu is None:
            message = f"pairs of a CPU that is in no table: {name}"
            raise ValueError(message)
        threads = cpu.threads / cpu.cores
        speeds.append(named_speed(cpu, speed))
        share = 1.0 if threads == 1.0 else threads * speed.core_per_thread
        cores.append(count * share)
    both = np.array(speeds, dtype=np.float64).reshape(-1, 2)
    return Hosts(np.array(cores), both[:, 0], both[:, 1])


def plateaus(curves: ScalingCurves) -> FloatArray:
    """Return the greatest rate of each row's curve: that of its GPU, shape (N,)."""
    rates: FloatArray = np.array(
        [curves.samples_per_s[curves.model == model].max() for model in curves.model]
    )
    return rates


def curve_limits(
    cores: FloatArray, gpu_rate: FloatArray, core_ms: FloatArray, of: Mapping[str, float]
) -> tuple[FloatArray, FloatArray]:
    """Return what GPU and CPU allow on scaling curves, samples/s, shape (N,) each.

    `core_ms` is of the curves' own core.
    """
    fed = input_rate(
        cores,
        np.ones_like(cores),
        core_ms,
        gpu_rate,
        core_exponent=of["core_exponent"],
        driver_cores=of["driver_cores"],
    )
    return gpu_rate, fed


def pair_limits(
    pairs: RealSynthetic, hosts: Hosts, of: Mapping[str, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what GPU, CPU and copies allow with real data, samples/s, (N,) each.

    TensorFlow feeds all GPUs from one process: it copies every sample once more.
    """
    n = pairs.num_gpus
    fed = n * input_rate(
        hosts.cores / n,
        hosts.core_speed,
        of["tf_data_core_ms"],
        pairs.synthetic / n,
        core_exponent=of["core_exponent"],
        driver_cores=of["driver_cores"],
    )
    copied = of["copy_gb_s"] * BYTES_PER_GB * hosts.core_speed / pairs.bytes_per_sample
    return of["fed_share"] * pairs.synthetic, fed, copied


def fit_input_pipeline(
    curves: ScalingCurves, pairs: RealSynthetic, cpus: CpuTable, speed: CpuConstants
) -> PipelineFit:
    """Fit the constants of `FITTED` on both tables at once.

    Parameters
    ----------
    curves, pairs : the tables
    speed : how fast a core is, for the hosts of the pairs
    """
    pairs = pairs.select(known_hosts(pairs))
    hosts = describe_hosts(pairs, cpus, speed)
    nets = np.unique(curves.model)
    gpu_rate = plateaus(curves)
    net = np.searchsorted(nets, curves.model)
    pipeline = np.array(
        [PIPELINE_OF.get(curves.pipeline[curves.model == n][0], "") for n in nets]
    )
    one_core = [1e3 / curves.samples_per_s[curves.model == n].min() for n in nets]
    start, start_spread = _start(pipeline, np.log(one_core))

    def curve_errors(point: FloatArray) -> FloatArray:
        of = _constants(point)
        common = np.array([np.log(of[p]) if p else 0.0 for p in pipeline])
        core_ms = np.exp(common + point[len(FITTED) :])[net]
        limits = curve_limits(curves.cores, gpu_rate, core_ms, of)
        return _joined(limits, of) - np.log(curves.samples_per_s)

    def residuals(point: FloatArray) -> FloatArray:
        of = _constants(point)
        pair_errors = _joined(pair_limits(pairs, hosts, of), of) - np.log(pairs.real)
        z = np.concatenate([curve_errors(point), pair_errors]) / ROW_LOG_SD
        robust = np.sign(z) * np.sqrt(2.0 * (np.sqrt(1.0 + z**2) - 1.0))
        return np.concatenate([robust, (point - start) / start_spread])

    upper = np.full(len(start), np.inf)
    upper[FITTED.index("core_exponent")] = MOST_EXPONENT
    found = least_squares(residuals, start, bounds=(-np.inf, upper))
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    spread = np.sqrt(np.diag(covariance))[: len(FITTED)]
    bound = curves.samples_per_s < PLATEAU * gpu_rate
    return PipelineFit(
        value=_constants(found.x),
        spread=dict(zip(FITTED, spread.tolist(), strict=True)),
        curve_log_sd=spread90(curve_errors(found.x)[bound]),
    )


def _start(pipeline: StrArray, log_ms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where the fit starts and the prior spread: constants, then nets.

    A net whose pipeline has no prior starts at ``log_ms``, ln of the milliseconds
    that its slowest row takes for a sample.
    """
    values, spreads = [], []
    for name in FITTED:
        entry = INPUT_PIPELINE[name]
        direct = name == "core_exponent"
        values.append(entry["value"] if direct else np.log(entry["value"]))
        spreads.append(entry["sd"] if direct else entry["log_sd"])
    known = pipeline != ""
    start = np.concatenate([values, np.where(known, 0.0, log_ms)])
    return start, np.concatenate([spreads, np.where(known, NET_LOG_SD, FREE_LOG_SD)])


def _constants(point: FloatArray) -> dict[str, float]:
    """Return the constants by name from the fit's coordinates."""
    values = np.exp(point[: len(FITTED)])
    of = dict(zip(FITTED, values.tolist(), strict=True))
    of["core_exponent"] = float(point[FITTED.index("core_exponent")])
    return of


def _joined(limits: tuple[FloatArray, ...], of: Mapping[str, float]) -> FloatArray:
    """Return the logarithm of what the limits allow together."""
    joined: FloatArray = np.log(near_minimum(np.stack(limits), of["norm_order"]))
    return joined
