"""How alike the errors of predictions for different GPUs are.

Two offers are compared under errors that both have: the intercept of the workload moves
every GPU alike, and what is wrong of a GPU is wrong of each offer with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.kernel import (
    OWN_PARTS,
    Inputs,
    Run,
    workload_intercept_variance,
)
from advisor.throughput.threads import one_thread


class GpuErrors(NamedTuple):
    """How the errors of the GPU side vary together, of G GPUs.

    Attributes
    ----------
    shared : (G, G) covariance of the log errors of two different machines
    variance : (G,) of one machine: more than the diagonal, since each run has an error
        of its own
    code : (N,) which of the G each machine has
    """

    shared: FloatArray
    variance: FloatArray
    code: IntArray


def gpu_errors(gpu: GpuModel, features: GpuFeatures, key: WorkloadKey) -> GpuErrors:
    """Return how the errors for N machines and one workload vary together.

    The machines are of one user, whose framework, data and code they share. All GPUs
    that are in no table count as one, of which nothing is known.
    """
    _, first, code = np.unique(features.gpu, return_index=True, return_inverse=True)
    each = features.take(first).known()
    z, effect = gpu.standardize(each, np.zeros(len(each)))
    family = gpu.families.get(key.name, key.family)
    observations = gpu.observations.get(key.name, ())
    runs = [
        *(
            Run(str(precision), key.framework, key.memory_format)
            for precision in each.precision(key.precision)
        ),
        *(observation.run for observation in observations),
    ]
    inputs = gpu.inputs(
        np.array([*z, *(observation.z for observation in observations)]).reshape(
            -1, z.shape[1]
        ),
        np.array([*effect, *(observation.batch for observation in observations)]),
        [*each.gpu.tolist(), *(observation.gpu for observation in observations)],
        [(key.name, family, run) for run in runs],
    )
    with one_thread():
        covariance = _posterior(gpu, inputs, len(each))
    if not gpu.measured(key.name):
        spread = gpu.family_spreads.get(family, gpu.family_spreads[""])
        covariance += spread**2 - workload_intercept_variance(gpu.covariance)
    own = dict(zip(OWN_PARTS, gpu.covariance.own_variances, strict=True))
    common = sum(v for part, v in own.items() if part.similarity == "one")
    of_gpu = sum(v for part, v in own.items() if part.similarity == "gpu")
    shared = covariance + common + of_gpu * np.eye(len(each))
    variance = np.diag(covariance) + gpu.covariance.own + gpu.noise
    return GpuErrors(shared, np.maximum(variance, 1e-12), code.reshape(-1))


def _posterior(gpu: GpuModel, inputs: Inputs, count: int) -> FloatArray:
    """Return the covariance of the first `count` inputs given the table and the rest."""
    joint = gpu.process.covariance_of(inputs, inputs)
    asked, given = joint[:count, :count], joint[count:, count:]
    if not len(given):
        return asked
    given = given + (gpu.covariance.own + gpu.noise) * np.eye(len(given))
    cross = joint[:count, count:]
    posterior: FloatArray = asked - cross @ np.linalg.solve(given, cross.T)
    return posterior
