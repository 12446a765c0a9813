"""The GPU side of a prediction: the trained artefact, evaluated with NumPy alone.

ln(samples/s of one GPU) = ln baseline + response + level, where

- the *baseline* is sqrt(matrix rate x memory bandwidth),
- the *response* says how much more or less of it a GPU reaches on this kind of
  work: the mean of a Gaussian process with shared, family, workload and
  workload-and-precision parts (`advisor.throughput.fit.train`),
- the *level* says what the workload needs: the mean intercept of the series
  that match its reference configuration, else a fallback.

Its spread is estimated from held-out residuals, never assumed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray
from advisor.errors import UsageError
from advisor.throughput.features import (
    FEATURES,
    GpuFeatures,
    WorkloadKey,
    feature_matrix,
)

if TYPE_CHECKING:
    from pathlib import Path


FORMAT = 1
"""Version of the artefact's layout."""

_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Block:
    """Coefficients of one part of the response, such as ``workload:resnet50``.

    Attributes
    ----------
    linear : (8,) weights of the standardised features
    points : (k,) indices of the reference points of the smooth part
    weights : (k,) their weights
    gpus : canonical name -> offset of that GPU
    batch : slope against ln(batch / usual batch)
    """

    linear: FloatArray
    points: IntArray
    weights: FloatArray
    gpus: Mapping[str, float]
    batch: float


@dataclass(frozen=True, slots=True)
class Level:
    """Intercept of one series for one workload and precision.

    Attributes
    ----------
    series, framework, year : which figures
    intercept : ln(units/s / baseline), response taken off
    rows : single-GPU rows of the table behind it
    batch : their median batch, samples a GPU; 0 where unknown
    """

    series: str
    framework: str
    year: float
    intercept: float
    rows: int
    batch: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prediction rests on.

    Attributes
    ----------
    level : ``"measured"``, ``"other precision"`` or ``"family"``
    series : the series that set the level
    workload_rows : measurements of this workload in the table
    gpu_rows : (N,) measurements of each GPU in the table; 0 where it is new
    """

    level: str
    series: tuple[str, ...]
    workload_rows: int
    gpu_rows: IntArray


@dataclass(frozen=True, slots=True)
class GpuModel:
    """The trained artefact.

    Attributes
    ----------
    centre, scale : (8,) mean and standard deviation of the features in training
    length : (8,) length scales of the smooth part, in standard deviations
    points : (m, 8) standardised reference points of the smooth part
    blocks : name of a part of the response -> its coefficients
    families : workload -> family
    levels : workload -> precision -> the series that measured it
    precision_offsets : precision -> learned offset of the level
    family_levels : family -> intercept of the level of unmeasured workloads
    family_slope : slope of that level against ln training GFLOPs per sample
    best_utilisation : highest share of the matrix rate that the table's rows reach
        (their 99 % quantile): no prediction goes above it
    spreads : name -> log-sd estimated from held-out residuals (`train`)
    workload_rows, gpu_rows : name -> measurements behind it
    scaling : interconnect class -> ``bus_gb_s``, ``log_sd``, ``rows``
    cpu : constant of the input pipeline -> ``value``, ``log_sd``, ``source``
    about : how it was trained, for the card
    """

    centre: FloatArray
    scale: FloatArray
    length: FloatArray
    points: FloatArray
    blocks: Mapping[str, Block]
    families: Mapping[str, str]
    levels: Mapping[str, Mapping[str, tuple[Level, ...]]]
    precision_offsets: Mapping[str, float]
    family_levels: Mapping[str, float]
    family_slope: float
    best_utilisation: float
    spreads: Mapping[str, float]
    workload_rows: Mapping[str, int]
    gpu_rows: Mapping[str, int]
    scaling: Mapping[str, Mapping[str, float]]
    cpu: Mapping[str, Mapping[str, Any]]
    about: Mapping[str, Any]

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
        response = self.response(features, workload, log_batch_ratio)
        level, level_sd, _, _ = self._level(workload)
        matrix, known = self._filled(features)
        baseline = 0.5 * (matrix[:, 0] + matrix[:, 1])
        spread = np.sqrt(self._response_sd(features, known, workload) ** 2 + level_sd**2)
        rate = np.fmin(baseline + response + level, self._ceiling(features, workload))
        return rate, spread

    def response(
        self,
        features: GpuFeatures,
        workload: WorkloadKey,
        log_batch_ratio: FloatArray | None = None,
    ) -> FloatArray:
        """Return the (N,) response of the GPUs to this kind of work."""
        blocks = [self.blocks[n] for n in self._parts(workload) if n in self.blocks]
        linear = sum((b.linear for b in blocks), np.zeros(len(FEATURES)))
        smooth = np.zeros(len(self.points))
        for block in blocks:
            np.add.at(smooth, block.points, block.weights)
        matrix, _ = self._filled(features)
        z = (matrix - self.centre) / self.scale
        out = z @ linear
        for start in range(0, len(z), _CHUNK):
            rows = slice(start, start + _CHUNK)
            out[rows] += rbf(z[rows], self.points, self.length) @ smooth
        names, inverse = np.unique(features.gpu, return_inverse=True)
        offsets = [sum(b.gpus.get(str(n), 0.0) for b in blocks) for n in names]
        out += np.array(offsets, dtype=np.float64)[inverse]
        if log_batch_ratio is not None:
            out += log_batch_ratio * sum(b.batch for b in blocks)
        return out

    def usual_batch(self, workload: WorkloadKey) -> float:
        """Return the batch that the level refers to, NaN where it is unknown."""
        _, _, _, used = self._level(workload)
        known = [np.log(level.batch) for level in used if level.batch > 0]
        return float(np.exp(np.mean(known))) if known else float("nan")

    def what_it_rests_on(self, features: GpuFeatures, workload: WorkloadKey) -> Evidence:
        """Count the measurements behind a prediction."""
        _, _, kind, used = self._level(workload)
        return Evidence(
            level=kind,
            series=tuple(level.series for level in used),
            workload_rows=self.workload_rows.get(workload.name, 0),
            gpu_rows=np.array(
                [self.gpu_rows.get(str(name), 0) for name in features.gpu],
                dtype=np.int64,
            ),
        )

    def _ceiling(self, features: GpuFeatures, workload: WorkloadKey) -> FloatArray:
        """Return (N,) ln samples/s at the best utilisation; NaN where unknown."""
        flops = workload.training_gflops_per_sample * 1e-3 / self.best_utilisation
        ceiling: FloatArray = np.log(features.matrix_tflops / flops)
        return ceiling

    def _parts(self, workload: WorkloadKey) -> tuple[str, ...]:
        """Return the names of the blocks that speak about `workload`."""
        family = self.families.get(workload.name, workload.family)
        return part_names(family, workload.name, workload.precision)

    def _filled(self, features: GpuFeatures) -> tuple[FloatArray, BoolArray]:
        """Return the feature matrix with means for NaN, and which rows are physics.

        A row is physics if matrix rate and bandwidth are both known.
        """
        matrix = feature_matrix(features)
        finite = np.isfinite(matrix)
        return np.where(finite, matrix, self.centre), finite[:, 0] & finite[:, 1]

    def _response_sd(
        self, features: GpuFeatures, known: BoolArray, workload: WorkloadKey
    ) -> FloatArray:
        """Return the (N,) spread of the response, from the case at hand."""
        seen = np.array([str(g) in self.gpu_rows for g in features.gpu], dtype=bool)
        variance = np.where(
            seen, self.spreads["gpu_seen"] ** 2, self.spreads["gpu_new"] ** 2
        )
        if f"workload:{workload.name}" not in self.blocks:
            variance = variance + self.spreads["workload_new"] ** 2
        unknown = self.spreads["gpu_unknown"] ** 2
        return np.sqrt(np.where(known, variance, variance + unknown))

    def _level(
        self, workload: WorkloadKey
    ) -> tuple[float, float, str, tuple[Level, ...]]:
        """Return level, its spread, how it was found, and the series used."""
        measured = self.levels.get(workload.name, {})
        units = np.log(workload.units_per_sample)
        between = self.spreads["between_series"]
        if workload.precision in measured:
            used = matching(measured[workload.precision], workload)
            mean = float(np.mean([level.intercept for level in used]))
            sd = between * np.sqrt(1.0 + 1.0 / len(used))
            return mean - units, float(sd), "measured", used
        if measured:
            own = self.precision_offsets.get(workload.precision, 0.0)
            shifted = [
                (level, level.intercept + own - self.precision_offsets.get(p, 0.0))
                for p in measured
                for level in matching(measured[p], workload)
            ]
            mean = float(np.mean([value for _, value in shifted]))
            variance = between**2 * (1.0 + 1.0 / len(shifted))
            sd = np.sqrt(variance + self.spreads["precision_new"] ** 2)
            used = tuple(level for level, _ in shifted)
            return mean - units, float(sd), "other precision", used
        family = self.family_levels.get(workload.family, self.family_levels[""])
        size = np.log(workload.training_gflops_per_sample) - units
        offset = self.precision_offsets.get(workload.precision, 0.0)
        mean = family + offset + self.family_slope * size
        sd = self.spreads.get(f"family:{workload.family}", self.spreads["family"])
        return float(mean - units), float(sd), "family", ()

    @classmethod
    def load(cls, path: Path) -> GpuModel:
        """Read the artefact.

        Raises
        ------
        advisor.errors.UsageError
            if the file cannot be read or is not such an artefact
        """
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{path}: not a model of this version ({error!r}); train it again"
            raise UsageError(message) from error

    def save(self, path: Path) -> None:
        """Write the artefact, the same bytes for the same model."""
        text = json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> GpuModel:
        """Build the model from what `to_dict` gave."""
        if document["format"] != FORMAT:
            message = f"format {document['format']}, expected {FORMAT}"
            raise ValueError(message)
        values = dict(document)
        del values["format"]
        for name in ("centre", "scale", "length", "points"):
            values[name] = np.array(document[name], dtype=np.float64)
        values["blocks"] = {k: _block(v) for k, v in document["blocks"].items()}
        values["levels"] = {
            workload: {
                precision: tuple(Level(*row) for row in rows)
                for precision, rows in by_precision.items()
            }
            for workload, by_precision in document["levels"].items()
        }
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain data, floats to 12 significant digits."""
        document: dict[str, Any] = {"format": FORMAT}
        for name in self.__slots__:
            document[name] = getattr(self, name)
        document["blocks"] = {
            name: {
                "linear": block.linear,
                "points": block.points,
                "weights": block.weights,
                "gpus": block.gpus,
                "batch": block.batch,
            }
            for name, block in self.blocks.items()
        }
        document["levels"] = {
            workload: {
                precision: [
                    [r.series, r.framework, r.year, r.intercept, r.rows, r.batch]
                    for r in rows
                ]
                for precision, rows in by_precision.items()
            }
            for workload, by_precision in self.levels.items()
        }
        plain: dict[str, Any] = _plain(document)
        return plain


def part_names(family: str, workload: str, precision: str) -> tuple[str, ...]:
    """Return the names of the parts of the response, from shared to special."""
    return (
        "all",
        f"family:{family}",
        f"workload:{workload}",
        f"pair:{workload}|{precision}",
        f"precision:{precision}",
    )


def rbf(z: FloatArray, points: FloatArray, length: FloatArray) -> FloatArray:
    """Return exp(-d^2 / 2), (N, m), d the scaled distance of rows and points."""
    a, b = z / length, points / length
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    kernel: FloatArray = np.exp(-0.5 * np.maximum(squares, 0.0))
    return kernel


def matching(levels: tuple[Level, ...], workload: WorkloadKey) -> tuple[Level, ...]:
    """Return the series nearest to the reference configuration.

    Each wish (memory format, framework, years) narrows the choice if any series
    is left by it, else it is dropped; a missing year fits no era.
    """
    other = {"channels-last": "nchw", "contiguous": "nhwc"}.get(workload.memory_format)
    wishes = (
        [other is None or other not in level.series for level in levels],
        [not workload.framework or level.framework == workload.framework
         for level in levels],
        [workload.first_year <= level.year <= workload.last_year for level in levels],
    )  # fmt: skip
    keep = np.ones(len(levels), dtype=bool)
    for wish in wishes:
        narrowed = keep & np.array(wish, dtype=bool)
        keep = narrowed if narrowed.any() else keep
    return tuple(level for level, kept in zip(levels, keep, strict=True) if kept)


def _block(document: Mapping[str, Any]) -> Block:
    return Block(
        linear=np.array(document["linear"], dtype=np.float64),
        points=np.array(document["points"], dtype=np.int64),
        weights=np.array(document["weights"], dtype=np.float64),
        gpus=document["gpus"],
        batch=float(document["batch"]),
    )


def _plain(value: Any) -> Any:
    """Turn arrays and mappings into lists and dicts, rounding floats."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.12g}")
    return value
