"""Machines and profiles that a reader knows by heart, each source held out whole.

The splits of `advisor.training.evaluate.splits` say how wrong the model is on average;
this says it of resnet50 on an RTX 4090. For each source that measured one of
`PROFILES` on one of `CARDS` the model is trained anew without that source and asked what
the source measured, with the intercept that is left: of other sources, or guessed where
there are none. All that a user's prediction has of the GPU is in it, `GpuModel.predict`
itself; the machine around the GPU is not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.base.arrays import BoolArray, StrArray
from advisor.base.parallel import each
from advisor.base.progress import Progress, quiet
from advisor.throughput.features import WorkloadKey
from advisor.throughput.spread import Z90
from advisor.training.fit.design import log_batch, run_of, source_of, table_features
from advisor.training.fit.row_use import UNITS, on_one_gpu
from advisor.training.fit.train import train_gpu

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks
    from advisor.training.fit.row_use import RowUse
    from advisor.workloads.profile import Workload

CARDS = (
    "RTX 3060",
    "RTX 3090",
    "RTX 4090",
    "RTX 5090",
    "A100-PCIe-40GB",
    "A100-PCIe-80GB",
    "A100-SXM4-40GB",
    "A100-SXM4-80GB",
    "H100-PCIe-80GB",
    "H100-SXM5-80GB",
)

PROFILES: Mapping[str, tuple[str, ...]] = {
    "resnet50": ("resnet50",),
    "bert-base": ("bert-base-squad",),
    "gpt2-124m": ("gpt2-124m",),
    "llama-8b-lora": ("llama3-8b lora seq2048", "llama3.1-8b lora seq2048"),
}
"""Built-in profile -> the table's names of the same training."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a source measured, and what the model says that has not seen the source.

    Attributes
    ----------
    profile, gpu, precision : what ran; precision as the source states it
    source : repository
    unit : of the figures, such as ``"samples/s"``
    rows : rows of the table behind the figures: series, containers
    measured, predicted : geometric means over them
    low, high : 90 % interval of one of them
    guessed : no other source measured the workload: its level is a guess
    """

    profile: str
    gpu: str
    precision: str
    source: str
    unit: str
    rows: int
    measured: float
    predicted: float
    low: float
    high: float
    guessed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known, and what of it is asked for.

    Attributes
    ----------
    tables : the benchmark table and the auxiliary one, N rows
    row_use : the use of each of their rows
    gpus : canonical name -> GPU
    profiles : name -> profile, those of `PROFILES` among them
    """

    tables: Benchmarks
    row_use: RowUse
    gpus: Mapping[str, Gpu]
    profiles: Mapping[str, Workload]

    def rows(self) -> BoolArray:
        """Mark the rows of `PROFILES` on `CARDS` that the GPU limits."""
        tables = self.tables
        names = [name for several in PROFILES.values() for name in several]
        asked = np.isin(tables.workload, names) & np.isin(tables.gpu, CARDS)
        asked &= on_one_gpu(tables, self.gpus) & np.isin(tables.unit, UNITS)
        asked &= ~tables.host_bound & (tables.precision != "")
        found: BoolArray = asked & ~self.row_use.left_out
        return found

    def sources(self) -> StrArray:
        """Return the (N,) repositories of the rows."""
        return np.array([source_of(str(text)) for text in self.tables.source])


def evaluate_known(of: Asked, progress: Progress = quiet) -> list[Known]:
    """Hold out each source that measured `PROFILES` on `CARDS`.

    Returns
    -------
    in the order of `PROFILES` and `CARDS`
    """
    tasks = [(of, str(source)) for source in np.unique(of.sources()[of.rows()])]
    found = [
        one for several in each("sources", without, tasks, progress) for one in several
    ]
    order = {name: place for place, name in enumerate((*PROFILES, *CARDS))}
    return sorted(found, key=lambda one: (order[one.profile], order[one.gpu]))


def without(of: Asked, source: str) -> list[Known]:
    """Train without a source, and predict those of its rows that are asked for."""
    out = of.sources() == source
    model = train_gpu(of.tables.select(~out), of.row_use.select(~out), of.gpus).model
    rows = of.tables.select(of.rows() & out)
    features, batch = table_features(rows, of.gpus), log_batch(rows, model.usual_batch)
    groups: dict[tuple[str, str, str], list[tuple[float, float, float]]] = {}
    keys: dict[tuple[str, str, str], tuple[WorkloadKey, str]] = {}
    for row in range(len(rows)):
        profile = next(p for p, n in PROFILES.items() if str(rows.workload[row]) in n)
        run = run_of(rows, row)
        key = replace(
            WorkloadKey.of(of.profiles[profile]),
            units_per_sample=1.0,
            training_gflops_per_sample=_gflops_per_unit(of.profiles[profile]),
            precision=run.precision,
            framework=run.framework,
            memory_format=run.memory_format,
        )
        here = np.array([row])
        mean, sd = model.predict(features.take(here), key, batch[here])
        name = (profile, str(rows.gpu[row]), run.precision)
        log_measured = float(np.log(rows.throughput[row]))
        groups.setdefault(name, []).append((log_measured, float(mean[0]), float(sd[0])))
        keys[name] = (key, str(rows.unit[row]))
    return [
        _known(name, source, unit, groups[name], guessed=not model.measured(key.name))
        for name, (key, unit) in keys.items()
    ]


def _known(
    name: tuple[str, str, str],
    source: str,
    unit: str,
    of: Sequence[tuple[float, float, float]],
    *,
    guessed: bool,
) -> Known:
    """Summarize the rows of one profile, card and precision."""
    measured, mean, sd = np.mean(of, axis=0)
    return Known(
        *name,
        source=source,
        unit=unit,
        rows=len(of),
        measured=float(np.exp(measured)),
        predicted=float(np.exp(mean)),
        low=float(np.exp(mean - Z90 * sd)),
        high=float(np.exp(mean + Z90 * sd)),
        guessed=guessed,
    )


def _gflops_per_unit(profile: Workload) -> float:
    """Return 10^9 FLOPs of a training step per unit of the benchmark."""
    units = profile.reference.benchmark_units_per_sample
    return profile.benchmarked_gflops_per_sample / units
