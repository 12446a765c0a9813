"""Which measured GPUs are most like a given one, as the GPU model sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.hardware.gpus import Gpu
from advisor.throughput.features import GpuFeatures, feature_matrix

NAMED = 3
"""How many GPUs are named at most."""


def nearest(
    gpu: Gpu,
    measured: Sequence[Gpu],
    precision: str,
    center: FloatArray,
    scale: FloatArray,
) -> tuple[str, ...]:
    """Return the names of the `NAMED` measured GPUs that are nearest, in order.

    The distance is that of the standardized features; one that is unknown counts as
    the mean. The GPU itself is not among them.

    Parameters
    ----------
    gpu : the one asked about
    measured : those with measurements
    precision : of the workload's matrix products
    center, scale : (D,) mean and standard deviation of the features in training
    """
    others = [one for one in measured if one.name != gpu.name]
    matrix = feature_matrix(GpuFeatures.of([gpu, *others], precision))
    z = np.nan_to_num((matrix - center) / scale, nan=0.0)
    distance = np.linalg.norm(z[1:] - z[0], axis=1)
    order = np.argsort(distance, kind="stable")[:NAMED]
    return tuple(others[position].name for position in order)
