"""How alike the errors of predictions for different GPUs are, and of different workloads.

Two offers are compared under errors that both have: the intercept of the workload moves
every GPU alike, and what is wrong of a GPU is wrong of each offer with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel, own_covariance
from advisor.throughput.kernel import (
    OWN_PARTS,
    SHARED_KINDS,
    Run,
    workload_intercept_variance,
)
from advisor.throughput.set_up import Errors
from advisor.throughput.threads import one_thread


class GpuErrors(NamedTuple):
    """How the errors of the GPU side vary together, of G kinds of machine.

    Attributes
    ----------
    errors : of the G kinds: a GPU with a workload each
    code : (N,) which of the G each of the N machines is
    """

    errors: Errors
    code: IntArray


def gpu_errors(
    gpu: GpuModel, features: GpuFeatures, keys: Sequence[WorkloadKey]
) -> GpuErrors:
    """Return how the errors for N machines vary together.

    The machines are of one user, whose framework, data and code they share. All GPUs
    that are in no table count as one, of which nothing is known.

    Parameters
    ----------
    gpu : the model
    features : of the GPUs of N machines, each at the precision of its workload
    keys : (N,) what is trained on each
    """
    distinct = list(dict.fromkeys(keys))
    number = {key: at for at, key in enumerate(distinct)}
    workload = np.array([number[key] for key in keys], dtype=np.int64)
    _, card = np.unique(features.gpu, return_inverse=True)
    pair = card.reshape(-1) * len(distinct) + workload
    _, first, code = np.unique(pair, return_index=True, return_inverse=True)
    each, of = features.take(first).known(), workload[first]
    with one_thread():
        covariance = _posterior(gpu, each, [distinct[at] for at in of])
    same = of[:, None] == of[None, :]
    for at, key in enumerate(distinct):
        if not gpu.measured(key.name):
            here = np.ix_(of == at, of == at)
            _, spread = gpu.intercept(key)
            covariance[here] += spread**2 - workload_intercept_variance(gpu.covariance)
    user, profile, card_of_user = _own(gpu)
    shared = covariance + user + profile * same
    shared += card_of_user * (each.gpu[:, None] == each.gpu[None, :])
    variance = np.diag(covariance) + gpu.covariance.own + gpu.noise
    errors = Errors(shared, np.maximum(variance, 1e-12), of)
    return GpuErrors(errors, code.reshape(-1))


def _own(gpu: GpuModel) -> tuple[float, float, float]:
    """Return the variances that a user's workloads, a workload, and a GPU have alone."""
    user = profile = card = 0.0
    for part, variance in zip(OWN_PARTS, gpu.covariance.own_variances, strict=True):
        if part.similarity == "gpu":
            card += variance
        elif part.kind in SHARED_KINDS:
            user += variance
        else:
            profile += variance
    return user, profile, card


def _posterior(
    gpu: GpuModel, features: GpuFeatures, keys: Sequence[WorkloadKey]
) -> FloatArray:
    """Return the (G, G) covariance given the table and what one GPU alone measured."""
    count = len(features)
    z, effect = gpu.standardize(features, np.zeros(count))
    observed = [
        (key, one) for key in dict.fromkeys(keys) for one in gpu.observations_of(key)
    ]
    # Two workloads that nobody measured are two, though neither has a name in the table.
    names = {
        key: key.name if gpu.measured(key.name) else f"{key.name} {at}"
        for at, key in enumerate(dict.fromkeys(keys))
    }
    work = [
        (names[key], gpu.family_of(key), Run(run, key.framework, key.memory_format))
        for key, run in zip(keys, _precisions(features, keys), strict=True)
    ]
    work += [(names[key], gpu.family_of(key), one.run) for key, one in observed]
    inputs = gpu.inputs(
        np.array([*z, *(one.z for _, one in observed)]).reshape(-1, z.shape[1]),
        np.array([*effect, *(one.batch for _, one in observed)]),
        [*features.gpu.tolist(), *(one.gpu for _, one in observed)],
        work,
    )
    joint = gpu.process.covariance_of(inputs, inputs)
    asked, given = joint[:count, :count], joint[count:, count:]
    if not observed:
        return asked
    own = own_covariance(gpu.covariance, [(key.name, one) for key, one in observed])
    given = given + own + gpu.noise * np.eye(len(given))
    cross = joint[:count, count:]
    posterior: FloatArray = asked - cross @ np.linalg.solve(given, cross.T)
    return posterior


def _precisions(features: GpuFeatures, keys: Sequence[WorkloadKey]) -> list[str]:
    """Return the (N,) precisions that the cards run, of what is asked of each."""
    at = {
        precision: features.precision(precision)
        for precision in {key.precision for key in keys}
    }
    return [str(at[key.precision][place]) for place, key in enumerate(keys)]
