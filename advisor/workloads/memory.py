"""How much GPU memory a training needs, and what micro-batch a GPU can hold.

The peak of a step is what does not depend on the batch (context and libraries,
weights, gradients, optimiser state) plus what each sample keeps from the
forward to the backward pass::

    peak = framework + frozen parameters x bytes + trained parameters x bytes
         + micro_batch x activations

In data parallel training each GPU holds all of the first part and its own
micro-batch: call the functions with the memory of one GPU, whatever the offer's
number of GPUs. `Workload.batch_size` is a GPU's share of the batch too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from advisor.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from advisor.workloads.profile import Workload


GB_PER_GIB = 2**30 / 1e9
"""10^9 bytes in a GiB: a card sold as "24 GB" has 24 GiB, which is 25.77 GB."""

USABLE_SHARE = 0.94
"""Share of a GPU's nominal memory that a training can fill.

A 24 GiB card shows 23.64 to 23.69 GiB to PyTorch and a 32 GiB card 31.51 (its
own out-of-memory messages, as quoted in pytorch/pytorch#35901, kerrj/lerf#73,
siliconflow/onediff#1041): 1.5 % is the driver's. The rest, 4.5 %, is an
assumption: room that the caching allocator loses to fragmentation.
"""


def memory_gb(workload: Workload, micro_batch: npt.ArrayLike) -> FloatArray:
    """Return the peak memory of one GPU, in 10^9 bytes.

    Parameters
    ----------
    workload : the profile
    micro_batch : samples per GPU in one forward and backward pass, any shape

    Returns
    -------
    array of the shape of `micro_batch`
    """
    frozen_m = workload.parameters_m - workload.trainable_parameters_m
    fixed_gb = (
        workload.framework_memory_gb
        + frozen_m * workload.weight_bytes_per_parameter / 1e3
        + workload.trainable_parameters_m * workload.state_bytes_per_trainable / 1e3
    )
    samples = np.asarray(micro_batch, dtype=np.float64)
    return np.asarray(fixed_gb + samples * workload.activation_mb_per_sample / 1e3)


def fit_micro_batch(workload: Workload, gpu_memory_gb: npt.ArrayLike) -> IntArray:
    """Return the micro-batch with the fewest steps that a GPU of each memory holds.

    The gradients of ``ceil(batch / micro-batch)`` steps are added up, as alike as they
    can be, so that the batch stays what the profile says.

    Parameters
    ----------
    workload : the profile
    gpu_memory_gb : nominal memory of one GPU in 10^9 bytes, any shape; of
        which `USABLE_SHARE` is taken. Markets and vendors say GiB or MiB:
        convert with `GB_PER_GIB`.

    Returns
    -------
    array of the shape of `gpu_memory_gb`: samples, 0 where not even one fits
    and where the memory is unknown (NaN)
    """
    usable = np.nan_to_num(np.asarray(gpu_memory_gb, dtype=np.float64)) * USABLE_SHARE
    free_gb = usable - memory_gb(workload, 0)
    with np.errstate(divide="ignore", over="ignore"):
        held = np.floor(free_gb * 1e3 / workload.activation_mb_per_sample)
    held = np.clip(held, 0, workload.batch_size)
    # A rounding error may let in one sample too many.
    held = np.where(memory_gb(workload, held) > usable, held - 1, held)
    steps = np.ceil(workload.batch_size / np.maximum(held, 1))
    micro_batch = np.where(held >= 1, np.ceil(workload.batch_size / steps), 0)
    return np.asarray(micro_batch, dtype=np.int64)
