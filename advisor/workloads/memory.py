"""How much GPU memory a training needs, and what micro-batch a GPU can hold.

The peak of a step is what does not depend on the batch (context and libraries, weights,
gradients, optimizer state) plus what each sample keeps from the forward to the backward
pass::

    peak = framework + frozen parameters x bytes + trained parameters x bytes
         + micro_batch x activations

In data parallel training each GPU holds all of the first part and its own micro-batch:
call the functions with the memory of one GPU. What is sharded is divided by the number
of GPUs (`Sharding`). `Workload.batch_size` is a GPU's share of the batch too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from advisor.workloads.profile import BaseWeights, Optimizer, Sharding, Workload


USABLE_SHARE = 0.94
"""Share of a GPU's nominal memory that a training can fill.

A 24 GiB card shows 23.64 to 23.69 GiB to PyTorch and a 32 GiB card 31.51 (its
own out-of-memory messages, as quoted in pytorch/pytorch#35901, kerrj/lerf#73,
siliconflow/onediff#1041): 1.5 % is the driver's. The rest, 4.5 %, is an
assumption: room that the caching allocator loses to fragmentation.
"""


PEAK_LOG_SD = 0.29
"""Standard deviation of the logarithm of the published peak over this model's: of the 24
figures of ``models/memory.csv`` (`benchmarks/memory.py`), whose median error of 17 % is
that of a logistic distribution of this spread, too."""

SAFE_ODDS = 0.9
"""Odds with which a batch that is fitted to a GPU is to fit it."""

_LOGISTIC = np.sqrt(3.0) / np.pi  # scale of a logistic distribution over its sd

MOST_SAMPLES = 10**9
"""More samples than any GPU holds."""

STATE_BYTES: Mapping[Optimizer, float] = {
    "sgd": 0.0,
    "momentum": 4.0,
    "adam": 8.0,
    "adam-8bit": 2.0,
    "adam-8bit-paged": 2.0,
    "adafactor": 0.01,
    "lion": 4.0,
    "prodigy": 16.0,
}
"""Bytes that an optimizer keeps for a trained parameter, moments in FP32.

Moments of 4 bytes each: two of Adam; of 8-bit optimizers one byte each (Dettmers et al.,
ICLR 2022), which pages only move to the host when a spike needs their room (Dettmers et
al., NeurIPS 2023). Lion has one (Chen et al., NeurIPS 2023). Adafactor keeps sums of rows
and columns: 8 bytes over the width of a matrix, less than 0.01 from a width of 1,024 on,
and no first moment by default (Shazeer and Stern, ICML 2018; Hugging Face Transformers).
Prodigy keeps Adam's, the weights that it began with, and a sum of gradients (Mishchenko
and Defazio, ICML 2024; konstmish/prodigy, ``slice_p=1``).
"""

_NEVER_HALVED = frozenset({"adam-8bit", "adam-8bit-paged", "adafactor"})
"""Optimizers whose state does not become half as large with the weights."""

BASE_WEIGHT_BYTES: Mapping[BaseWeights, float] = {
    "half": 2.0,
    "int8": 1.0,
    "nf4": 0.516,
}
"""Bytes that hold a frozen weight: of NF4 4 bits and, quantized twice, 0.127 bits of
constants (Dettmers et al., NeurIPS 2023)."""

CHECKPOINTED_SHARE = 0.15
"""Share of the activations that gradient checkpointing keeps, about: of a transformer's
34 s b h bytes per layer the 2 s b h at its input, and one whole layer of 12 to 32
(Korthikanti et al., "Reducing activation recomputation", MLSys 2023)."""


class StateBytes(NamedTuple):
    """Bytes for each trained parameter: of weights, gradient and optimizer."""

    weights: float
    gradient: float
    optimizer: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.weights + self.gradient + self.optimizer


def state_bytes(workload: Workload) -> StateBytes:
    """Return what a trained parameter takes, by precision and optimizer.

    Mixed precision holds FP32 weights and a half copy (4 + 2 bytes) and FP32 gradients
    (stas00/ml-engineering, training/performance); a model in half precision, or without
    `Workload.master_weights`, has all in 2 bytes. Where the profile states the sum the
    optimizer's part is what is left of it.
    """
    half = workload.half_weights
    mixed = workload.precision in {"amp", "bf16"}
    weights = 2.0 if half else 6.0 if mixed else 4.0
    gradient = 2.0 if half else 4.0
    if workload.optimizer != "stated":
        kept = STATE_BYTES[workload.optimizer]
        whole = workload.optimizer in _NEVER_HALVED or not half
        return StateBytes(weights, gradient, kept if whole else kept / 2.0)
    stated = workload.state_bytes_per_trainable
    left = max(stated - weights - gradient, 0.0)
    return StateBytes(stated - gradient - left, gradient, left)


def memory_gb(
    workload: Workload, micro_batch: npt.ArrayLike, num_gpus: npt.ArrayLike = 1
) -> FloatArray:
    """Return the peak memory of one GPU, in 10^9 bytes.

    Parameters
    ----------
    workload : the profile
    micro_batch : samples per GPU in one forward and backward pass, any shape
    num_gpus : GPUs that train together, of a shape that broadcasts

    Returns
    -------
    array of the shape of both
    """
    number = np.asarray(num_gpus, dtype=np.float64)
    each = state_bytes(workload)
    among = _sharded(workload.sharding, number)
    trained_bytes = (
        each.weights / among.weights
        + each.gradient / among.gradient
        + each.optimizer / among.optimizer
    )
    fixed_gb = (
        workload.framework_memory_gb
        + frozen_mb(workload) / among.weights / 1e3
        + workload.trainable_parameters_m * trained_bytes / 1e3
    )
    samples = np.asarray(micro_batch, dtype=np.float64)
    return np.asarray(fixed_gb + samples * activation_mb(workload) / 1e3)


def frozen_mb(workload: Workload) -> float:
    """Return the 10^6 bytes that hold the weights that are not trained."""
    frozen_m = workload.parameters_m - workload.trainable_parameters_m
    if workload.base_weights == "stated":
        return frozen_m * workload.weight_bytes_per_parameter
    kept_m = min(workload.embedding_parameters_m, frozen_m)
    each = BASE_WEIGHT_BYTES[workload.base_weights]
    return kept_m * BASE_WEIGHT_BYTES["half"] + (frozen_m - kept_m) * each


def activation_mb(workload: Workload) -> float:
    """Return the 10^6 bytes that a sample keeps from forward to backward."""
    scores = workload.attention_mb_per_sample * (workload.attention == "eager")
    kept = workload.activation_mb_per_sample
    if workload.gradient_checkpointing:
        scores *= CHECKPOINTED_SHARE
        kept = workload.checkpointed_mb_per_sample or kept * CHECKPOINTED_SHARE
    return kept + scores


class _Among(NamedTuple):
    """Among how many GPUs each part is divided."""

    weights: FloatArray
    gradient: FloatArray
    optimizer: FloatArray


def _sharded(sharding: Sharding, number: FloatArray) -> _Among:
    one = np.ones_like(number)
    return {
        "none": _Among(one, one, one),
        "zero1": _Among(one, one, number),
        "zero2": _Among(one, number, number),
        "fsdp": _Among(number, number, number),
    }[sharding]


def too_little_probability(
    need_gb: FloatArray, have_gb: FloatArray, log_sd: float
) -> FloatArray:
    """Return how likely a memory does not suffice, of the shape of both.

    The logarithm of what is needed is taken as logistic. NaN where a memory is unknown.

    Parameters
    ----------
    log_sd : standard deviation of the logarithm of the need
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        shortage = np.log(need_gb / have_gb) / (log_sd * _LOGISTIC)
        probability: FloatArray = 1.0 / (1.0 + np.exp(-shortage))
    return probability


def safe_share(odds: float = SAFE_ODDS) -> float:
    """Return the share of the memory that a need may take to fit with these odds."""
    return float(np.exp(-np.log(odds / (1.0 - odds)) * PEAK_LOG_SD * _LOGISTIC))


def fitted_micro_batch(
    workload: Workload, gpu_memory_gb: npt.ArrayLike, num_gpus: npt.ArrayLike = 1
) -> IntArray:
    """Return the most samples that a GPU holds with `SAFE_ODDS`, one if it holds one.

    Parameters and shape are those of `largest_micro_batch`.
    """
    memory = np.asarray(gpu_memory_gb, dtype=np.float64)
    safe = largest_micro_batch(workload, memory * safe_share(), num_gpus)
    most = largest_micro_batch(workload, memory, num_gpus)
    return np.asarray(np.where(most > 0, np.maximum(safe, 1), 0), dtype=np.int64)


def largest_micro_batch(
    workload: Workload, gpu_memory_gb: npt.ArrayLike, num_gpus: npt.ArrayLike = 1
) -> IntArray:
    """Return the most samples that a GPU of each memory holds at once.

    Parameters
    ----------
    workload : the profile
    gpu_memory_gb : nominal memory of one GPU in 10^9 bytes, any shape; of
        which `USABLE_SHARE` is taken. Markets and vendors say GiB or MiB:
        convert with `GB_PER_GIB`.
    num_gpus : GPUs that train together, of a shape that broadcasts

    Returns
    -------
    samples, at most `MOST_SAMPLES`, 0 where not even one fits and where the memory is
    unknown (NaN)
    """
    usable = np.nan_to_num(np.asarray(gpu_memory_gb, dtype=np.float64)) * USABLE_SHARE
    free_gb = usable - memory_gb(workload, 0, num_gpus)
    with np.errstate(divide="ignore", over="ignore"):
        held = np.floor(free_gb * 1e3 / activation_mb(workload))
    held = np.clip(held, 0, MOST_SAMPLES)
    # A rounding error may let in one sample too many.
    held = np.where(memory_gb(workload, held, num_gpus) > usable, held - 1, held)
    return np.asarray(np.maximum(held, 0), dtype=np.int64)


def fit_micro_batch(
    workload: Workload, gpu_memory_gb: npt.ArrayLike, num_gpus: npt.ArrayLike = 1
) -> IntArray:
    """Return the micro-batch with the fewest steps that a GPU of each memory holds.

    It fits with `SAFE_ODDS`, or is one sample. The gradients of
    ``ceil(batch / micro-batch)`` steps are added up, as alike as they can be, so that the
    batch stays what the profile says. Parameters and shape are those of
    `largest_micro_batch`.
    """
    safe = fitted_micro_batch(workload, gpu_memory_gb, num_gpus)
    held = np.minimum(safe, workload.batch_size)
    steps = np.ceil(workload.batch_size / np.maximum(held, 1))
    micro_batch = np.where(held >= 1, np.ceil(workload.batch_size / steps), 0)
    return np.asarray(micro_batch, dtype=np.int64)
