"""Measurements on several GPUs beside the same on one: what trains the scaling.

No rule looks at a prediction, but that of virtual machines was written after the lowest
efficiencies had been looked at. Every pair that does not train has a reason, and the
evaluation also gives the score with those in it that can be predicted at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, StrArray
from advisor.throughput.scaling import links_gb_s, nominal_host_to_gpu_gb_s
from advisor.training.fit.gradients import (
    gradient_bytes,
    parameters_m,
    units_per_sample,
)
from advisor.training.fit.row_use import covered
from advisor.training.fit.tables import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

MAX_EFFICIENCY = 1.1
"""Above it a pair is two different runs, not a gain."""

SAME_BATCH = 1.1
"""Batches per GPU within this factor of each other count as the same."""

VIRTUAL_HOSTS = (("lambda/pytorch-1.13.0a0", "A100-SXM4-40GB"),)
"""Series and GPU whose one host is a virtual machine that does not pass NVLink on: it
exchanges at 1 to 3 GB/s (derived from its own BERT runs), bare machines with the same
card at 28 to 48. What a market rents out are containers."""


@dataclass(frozen=True, slots=True)
class Pairs(Columns):
    """Rows on several GPUs beside the same row on one.

    Attributes
    ----------
    interconnect : (N,) class
    gpu, workload, host : (N,) names; a host is a series on one GPU model
    num_gpus : (N,)
    efficiency : (N,) rate of n GPUs over n times that of one
    step_s : (N,) seconds of a step on one GPU, with the batch of the row
    gradient_gb : (N,) 10^9 bytes of gradients
    link_gb_s : (N,) bandwidth of the link between the GPUs, 10^9 bytes/s
    left_out : (N,) why the pair is neither trained on nor evaluated; empty if it does
    """

    interconnect: StrArray
    gpu: StrArray
    workload: StrArray
    host: StrArray
    num_gpus: FloatArray
    efficiency: FloatArray
    step_s: FloatArray
    gradient_gb: FloatArray
    link_gb_s: FloatArray
    left_out: StrArray

    @property
    def evaluated(self) -> BoolArray:
        """(N,) whether the pair is trained on and evaluated."""
        evaluated: BoolArray = self.left_out == ""
        return evaluated

    @property
    def predictable(self) -> BoolArray:
        """(N,) whether gradients, step and link are known."""
        return np.isfinite(self.gradient_gb * self.step_s * self.link_gb_s)


def scaling_pairs(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> Pairs:
    """Find the rows on 2 to 8 GPUs that have a twin on one: same group, card and unit."""
    keys = ["comparison_group", "gpu", "unit"]
    frame = (
        benchmarks.frame()
        .assign(comparison_group=benchmarks.comparison_group)
        .reset_index(names="row")
    )
    frame = frame[frame["gpu"].isin(list(gpus))]
    ones = frame[frame["num_gpus"] == 1].drop_duplicates(keys, keep="last")
    several = frame[frame["num_gpus"] > 1]
    twins = several.merge(ones[[*keys, "row"]], on=keys, suffixes=("", "_of_one"))
    row = benchmarks.select(twins["row"].to_numpy())
    one = benchmarks.select(twins["row_of_one"].to_numpy())
    cards = [gpus[str(name)] for name in row.gpu]
    interconnect = np.array([card.interconnect for card in cards], dtype=np.str_)
    architecture = np.array([card.architecture for card in cards], dtype=np.str_)
    num_gpus = row.num_gpus.astype(np.float64)
    pairs = Pairs(
        interconnect=interconnect,
        gpu=row.gpu,
        workload=row.workload,
        host=np.array(
            ["|".join(key) for key in zip(row.series, row.gpu, strict=True)],
            dtype=np.str_,
        ),
        num_gpus=num_gpus,
        efficiency=row.throughput / (num_gpus * one.throughput),
        step_s=row.batch_size * units_per_sample(row) / one.throughput,
        gradient_gb=parameters_m(row) * gradient_bytes(row) * 1e-3,
        link_gb_s=links_gb_s(interconnect, architecture, nominal_host_to_gpu_gb_s(cards)),
        left_out=np.full(len(row), "", dtype="U64"),
    )
    for reason, applies in _reasons(pairs, row, one, gpus).items():
        pairs.left_out[applies & pairs.evaluated] = reason
    return pairs


def _reasons(
    pairs: Pairs, row: Benchmarks, one: Benchmarks, gpus: Mapping[str, Gpu]
) -> Mapping[str, BoolArray]:
    """Return reason -> (N,) whether it applies; the first that does is named."""
    names = np.unique(pairs.gpu)
    nvidia = [str(name) for name in names if covered(gpus, str(name))]
    virtual = ["|".join(host) for host in VIRTUAL_HOSTS]
    with np.errstate(divide="ignore"):
        changed = np.abs(np.log(row.batch_size / one.batch_size)) > np.log(SAME_BATCH)
    return {
        "input or launch limits a row of the pair": row.host_bound | one.host_bound,
        "not a card that the model covers": ~np.isin(pairs.gpu, nvidia),
        "number of parameters unknown": ~np.isfinite(pairs.gradient_gb),
        "length of a step unknown": ~np.isfinite(pairs.step_s),
        "another batch a GPU": changed,
        "more than 1.1 times linear: two different runs": pairs.efficiency
        > MAX_EFFICIENCY,
        "virtual machine without peer-to-peer": np.isin(pairs.host, virtual),
    }
