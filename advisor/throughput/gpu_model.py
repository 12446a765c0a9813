"""The GPU side of a prediction: the trained process, evaluated with NumPy alone.

ln(samples/s of one GPU) = ln baseline + f, where the *baseline* is sqrt(matrix rate x
memory bandwidth) and f a Gaussian process over (GPU, batch, kind of work) with
intercepts for what a workload needs (`advisor.throughput.kernel`), given the benchmark
table (`advisor.throughput.process`).

A workload of which one GPU alone was measured is not among these points: its
measurements are *conditioning observations*, which condition the posterior when the
workload is asked for. That of a workload which nobody measured is guessed
(`advisor.throughput.intercept`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, among
from advisor.hardware.boards import TENSOR_CORES
from advisor.throughput.features import (
    PRODUCTS,
    GpuFeatures,
    WorkloadKey,
    batch_effect,
    feature_matrix,
    log_baseline,
    standardized,
)
from advisor.throughput.intercept import InterceptModel, Needs
from advisor.throughput.kernel import (
    OWN_PARTS,
    Covariance,
    Inputs,
    Run,
    profile_labels,
    workload_intercept_variance,
)
from advisor.throughput.process import Process
from advisor.throughput.threads import one_thread


@dataclass(frozen=True, slots=True)
class Observation:
    """A conditioning observation: a measurement that its workload's posterior is given.

    Attributes
    ----------
    gpu : canonical name
    run : how it was made
    z : (D,) standardized features
    batch : effect of its batch, see `advisor.throughput.features.batch_effect`
    y : ln(units/s of one GPU / baseline)
    source, series : where it was measured; what two observations share of them
        is no independent evidence
    """

    gpu: str
    run: Run
    z: FloatArray
    batch: float
    y: float
    source: str
    series: str


_SOFT = 0.15
"""How softly a guessed level bends at the best utilization, in ln (assumption)."""


@dataclass(frozen=True, slots=True)
class GpuModel:
    """The rate of one GPU: section ``gpu`` of the artifact.

    Attributes
    ----------
    process : given the benchmark table
    center, scale : (D,) mean and standard deviation of the features in training
    middle : mean of ln baseline in training
    labels : kind -> the labels of its codes 0, 1, ...
    noise : variance of the error of one measurement
    usual_batch : workload -> samples per GPU that its intercept refers to
    families : workload -> family
    observations : workload of one GPU -> its conditioning observations
    intercepts : of workloads that nobody measured
    spread_factors : case -> what the spread is multiplied with so that 90 % intervals
        hold 90 % of held-out rows: ``"gpu_seen"`` with other workloads, ``"gpu_new"``,
        and a whole source, ``"own"``; a user's run is of a new source, so that the
        larger one counts
    unknown_log_sd : added log-sd of a GPU in no table
    best_utilization : highest share of the rate that matrix products sustain which the
        table's rows on tensor cores reach (their 99.9 % quantile)
    """

    process: Process
    center: FloatArray
    scale: FloatArray
    middle: float
    labels: Mapping[str, Sequence[str]]
    noise: float
    usual_batch: Mapping[str, float]
    families: Mapping[str, str]
    observations: Mapping[str, tuple[Observation, ...]]
    intercepts: InterceptModel
    spread_factors: Mapping[str, float]
    unknown_log_sd: float
    best_utilization: float

    @property
    def covariance(self) -> Covariance:
        """The covariance of the process a priori."""
        return self.process.covariance

    def family_of(self, workload: WorkloadKey) -> str:
        """Return the family of a workload: the table's, else the profile's."""
        return self.families.get(workload.name, workload.family)

    def observations_of(self, workload: WorkloadKey) -> tuple[Observation, ...]:
        """Return the measurements of a workload that one GPU alone ran."""
        return self.observations.get(workload.name, ())

    def measured(self, workload: str) -> bool:
        """Return whether anybody measured a workload."""
        return workload in self.labels["workload"] or workload in self.observations

    def predict(
        self,
        features: GpuFeatures,
        workload: WorkloadKey,
        log_batch_ratio: FloatArray | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Predict the rate of ONE GPU of each offer, nothing else limiting.

        Parameters
        ----------
        features : of the GPUs of N offers
        workload : what is trained
        log_batch_ratio : (N,) ln(micro-batch / `usual_batch`); None: 0

        Returns
        -------
        (N,) ln samples/s and (N,) standard deviation of its error
        """
        batch = np.zeros(len(features)) if log_batch_ratio is None else log_batch_ratio
        z, effect = self.standardize(features, batch)
        _, usual = self.standardize(features, np.zeros(len(features)))
        seen = among(features.gpu, self.labels["gpu"])
        mean, variance = self._process(z, effect, usual, features, workload)
        own = variance + self.covariance.own + self.noise
        spread = np.where(seen, *(self._factor(c) for c in ("gpu_seen", "gpu_new")))
        spread = spread * np.sqrt(own)
        baseline = log_baseline(features)
        known = np.isfinite(baseline)
        spread = np.where(known, spread, np.hypot(spread, self.unknown_log_sd))
        log_ratio = mean - np.log(workload.units_per_sample)
        rate = np.where(known, baseline, self.middle) + log_ratio
        return np.fmin(rate, self._most(features, workload)), spread

    def _factor(self, case: str) -> float:
        """Return the factor on the spread; a new GPU is never surer than a seen one."""
        return max(self.spread_factors[one] for one in (case, "gpu_seen", "own"))

    def standardize(
        self, features: GpuFeatures, log_batch: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return `Inputs.z` and `Inputs.batch` of N GPUs and ln batch / usual batch."""
        z = standardized(feature_matrix(features), self.center, self.scale)
        baseline = np.nan_to_num(log_baseline(features), nan=self.middle)
        return z, batch_effect(log_batch, baseline - self.middle)

    def usual_batch_of(self, workload: WorkloadKey) -> float:
        """Return the batch that the intercept refers to, NaN where it is unknown."""
        return self.usual_batch.get(workload.name, float("nan"))

    def intercept_evidence(self, workload: WorkloadKey) -> str:
        """Return the evidence that the intercept of a workload has.

        ``"measured"``, ``"one GPU"`` (nobody measured another), ``"other precision"``
        or ``"family"`` (nobody measured the workload).
        """
        if not self.measured(workload.name):
            return "family"
        observations = self.observations_of(workload)
        if f"{workload.name}|{workload.precision}" not in self.labels["pair"] and not any(
            observation.run.precision == workload.precision
            for observation in observations
        ):
            return "other precision"
        return "one GPU" if observations else "measured"

    def _process(
        self,
        z: FloatArray,
        effect: FloatArray,
        usual: FloatArray,
        features: GpuFeatures,
        workload: WorkloadKey,
    ) -> tuple[FloatArray, FloatArray]:
        """Return (N,) mean and variance of the process, each distinct query once.

        The mean is linear in the effect of the batch. A larger batch is never slower, and
        an overhead never costs more than itself, else a faster GPU would come out slower:
        so of the difference to the usual batch no less than nothing and no more than the
        whole effect counts.

        Parameters
        ----------
        z, effect : (N, D) and (N,) of the queries, see `Inputs`
        usual : (N,) effect of the usual batch
        features : of the N GPUs
        workload : what is asked for
        """
        names, code = np.unique(features.gpu, return_inverse=True)
        precision = features.precision(workload.precision)
        key = np.column_stack([z, effect, code])
        _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
        family = self.family_of(workload)
        asked = [
            Run(str(one), workload.framework, workload.memory_format)
            for one in precision[first]
        ]
        observations = self.observations_of(workload)
        (other,) = np.nonzero(effect[first] != usual[first])  # batches but the usual one
        n, width, both = len(first), z.shape[1], np.append(first, first[other])
        runs = [*asked, *(asked[at] for at in other), *(one.run for one in observations)]
        inputs = self.inputs(
            np.array([*z[both], *(one.z for one in observations)]).reshape(-1, width),
            np.array(
                [
                    *effect[first],
                    *usual[first[other]],
                    *(one.batch for one in observations),
                ]
            ),
            [*names[code[both]].tolist(), *(one.gpu for one in observations)],
            [(workload.name, family, one) for one in runs],
        )
        queries = inputs.take(np.arange(len(both)))
        at = inputs.take(np.arange(len(both), len(inputs)))
        with one_thread():
            if observations:
                mean, variance = self._conditioned(queries, at, observations, n)
            else:
                mean, variance = self.process.posterior(queries, n)
        own, standard = mean[:n], mean[:n].copy()
        standard[other] = mean[n:]
        whole = effect[first] - usual[first]
        bounds = np.minimum(whole, 0.0), np.maximum(whole, 0.0)
        mean = standard + np.clip(own - standard, *bounds)
        if not self.measured(workload.name):
            intercept, spread = self.intercept(workload)
            mean = mean + intercept
            variance = variance - workload_intercept_variance(self.covariance) + spread**2
        place = place.reshape(-1)
        return mean[place], np.maximum(variance, 0.0)[place]

    def _conditioned(
        self, queries: Inputs, at: Inputs, observations: Sequence[Observation], count: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean and variance given the observations too (Gaussian conditioning).

        The variance is of the first `count` queries.
        """
        mean, variance = self.process.posterior(queries, count)
        among = self.process.covariance_of(at, at)
        among += own_covariance(self.covariance, [("", one) for one in observations])
        among += self.noise * np.eye(len(observations))
        cross = self.process.covariance_of(queries, at)
        gain = np.linalg.solve(among, cross.T).T
        surprise = np.array([one.y for one in observations]) - self.process.mean_at(at)
        known = np.einsum("ij,ij->i", gain[:count], cross[:count])
        return mean + gain @ surprise, variance - known

    def intercept(self, workload: WorkloadKey) -> tuple[float, float]:
        """Return the intercept of a workload that nobody measured, and its log-sd.

        A guess changes the level alone, never the ratios of cards: where it would have an
        average card of the table do more than `best_utilization`, or any of them more
        than its matrix products sustain, it is lowered for all.
        """
        gflops = workload.training_gflops_per_sample / workload.units_per_sample
        mean, spread = self.intercepts.predict(
            Needs(
                family=[self.family_of(workload)],
                lineage=[workload.lineage],
                gflops=np.array([gflops]),
                params_m=np.array([workload.parameters_m]),
            )
        )
        usual = self._usual_utilization(workload)
        most = min(math.log(self.best_utilization) - float(usual.mean()), -usual.max())
        guess = float(mean[0]) + math.log(gflops)
        over = (guess - most) / _SOFT
        level = most - _SOFT * float(np.logaddexp(0.0, -over))
        return level - math.log(gflops), float(spread[0])

    def _usual_utilization(self, workload: WorkloadKey) -> FloatArray:
        """Return ln of the share of its sustained rate that a card reaches, level apart.

        Of each of the table's cards that ran the workload's precision on tensor cores,
        for a net of its family that computes as fast as the baseline.
        """
        labels = self.process.rows.labels
        names = self.labels["precision"]
        known = [one for one in (workload.precision, "amp") if one in names]
        wanted = known[0] if known else names[0]
        at = np.flatnonzero(labels["precision"] == names.index(wanted))
        rows = at[np.unique(labels["gpu"][at], return_index=True)[1]]
        # Features as `advisor.throughput.features.feature_matrix` has them.
        raw = self.process.rows.z[rows] * self.scale + self.center
        fast = raw[:, 0] > raw[:, 2] + math.log(TENSOR_CORES)
        if fast.any():
            rows, raw = rows[fast], raw[fast]
        z = self.process.rows.z[rows]
        log_tflops, log_bandwidth, log_sustained = raw[:, 0], raw[:, 1], raw[:, -1]
        run = Run(wanted, workload.framework, workload.memory_format)
        cards = [self.labels["gpu"][code] for code in labels["gpu"][rows]]
        work = [("", self.family_of(workload), run)] * len(rows)
        inputs = self.inputs(z, np.zeros(len(rows)), cards, work)
        rate = self.process.mean_at(inputs) + 0.5 * (log_bandwidth + log_tflops)
        share: FloatArray = rate - log_tflops - log_sustained - math.log(1e3)
        return share

    def inputs(
        self,
        z: FloatArray,
        batch: FloatArray,
        gpu: Sequence[str],
        work: Sequence[tuple[str, str, Run]],
    ) -> Inputs:
        """Return N inputs, labels in the table's codes.

        Labels that the table lacks are alike within one call alone.

        Parameters
        ----------
        z, batch : as in `Inputs`
        gpu : (N,) canonical names
        work : (N,) workload, family and how it runs
        """
        texts: dict[str, list[str]] = {kind: [] for kind in self.labels}
        for (name, family, run), card in zip(work, gpu, strict=True):
            for kind, text in profile_labels(name, family, run, card).items():
                texts[kind].append(text)
        labels = {kind: self._codes(kind, values) for kind, values in texts.items()}
        return Inputs(z, batch, labels)

    def _codes(self, kind: str, texts: Sequence[str]) -> IntArray:
        """Return the codes of labels; those that the table lacks are below zero."""
        known = {text: code for code, text in enumerate(self.labels[kind])}
        codes = [known.setdefault(text, -1 - len(known)) for text in texts]
        return np.array(codes, dtype=np.int64)

    def _most(self, features: GpuFeatures, workload: WorkloadKey) -> FloatArray:
        """Return (N,) ln samples/s that cards do not exceed; NaN where nothing says so.

        What their matrix products sustain, and of a measured workload what the best rows
        reach of that. Without tensor cores it is the peak, and of `PRODUCTS` alone:
        Winograd convolutions take fewer products than are counted.
        """
        share = self.best_utilization if self.measured(workload.name) else 1.0
        peak = features.matrix_tflops if self.family_of(workload) in PRODUCTS else np.nan
        on_tensor_cores = share * features.sustained_tflops
        rate = np.where(features.on_tensor_cores, on_tensor_cores, peak)
        flops = workload.training_gflops_per_sample * 1e-3
        most: FloatArray = np.log(rate / flops)
        return most


def own_covariance(
    covariance: Covariance, observations: Sequence[tuple[str, Observation]]
) -> FloatArray:
    """Return the (O, O) covariance of what the configurations of measurements share.

    Parameters
    ----------
    covariance : its `OWN_PARTS`
    observations : name of the workload, and what was measured of it
    """
    labels = [
        {
            "gpu": (one.gpu, one.series),
            "source": one.source,
            "source_workload": (one.source, name),
            "series": one.series,
            "series_workload": (one.series, name),
            "comparison_group": (one.series, one.run.precision, name),
        }
        for name, one in observations
    ]
    total = np.zeros((len(observations), len(observations)))
    for part, variance in zip(OWN_PARTS, covariance.own_variances, strict=True):
        kind = "gpu" if part.similarity == "gpu" else part.kind
        total += variance * np.array(
            [[each[kind] == other[kind] for other in labels] for each in labels]
        )
    return total
