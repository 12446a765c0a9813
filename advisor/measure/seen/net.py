"""What the net needs: parameters, operations, kernels, activations, attention."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.base.units import BYTES_PER_MB
from advisor.measure.hooks.observation import Counted, Observation, Optimizer
from advisor.measure.observed import main_optimizer, micro_batches, trained_model
from advisor.measure.seen.figure import (
    Figure,
    Figures,
    estimated,
    measured,
    seen_on_gpu,
    unseen,
)
from advisor.workloads.memory import CHECKPOINTED_SHARE
from advisor.workloads.profile import Attention, Workload

_MOST_OF_A_STEP = 0.01
"""Share of the operations that the optimizer makes from which they are counted in."""

_CHECKPOINTED = 0.05
"""Share of the forward pass that is computed again from which that is checkpointing:
fused kernels compute small parts again, too (assumption)."""

_FUSED_OPTIMIZER_KERNELS = 15.0
"""Kernels of an optimizer step that treats many parameters at once, as those of PyTorch
do on a GPU unless told otherwise, and of zeroing gradients (`workloads.measure`)."""


def net_figures(observation: Observation, base: Workload) -> Figures:
    """Return the figures of the net; those that were not seen are left out.

    Parameters
    ----------
    base : profile that the others are taken from
    """
    figures = _parameters(observation, base)
    figures |= _operations(observation.counted)
    figures |= _activations(observation)
    if (kernels := _kernels(observation)) is not None:
        figures["kernels_per_step"] = kernels
    figures["attention"] = _attention(observation, base)
    if observation.counted.samples:  # what eager attention keeps is among the activations
        figures["attention_mb_per_sample"] = measured(0.0, "it is among the activations")
    model = trained_model(observation)
    if model is not None and model.memory_format is not None:
        figures["memory_format"] = measured(
            model.memory_format, "of the weights of its convolutions"
        )
    return figures


def is_on_gpu(observation: Observation) -> bool:
    """Say whether the training ran on a GPU of CUDA's."""
    return observation.device.kind == "cuda"


def _parameters(observation: Observation, base: Workload) -> dict[str, Figure]:
    models = observation.models
    every = sum(one.parameters for one in models)
    if not every:
        return {}
    trained = min(trained_parameters(observation), every)
    names = ", ".join(dict.fromkeys(one.name for one in models))
    whose = "of the optimizer's groups"
    figures = {
        "parameters_m": measured(every / 1e6, f"counted in {names}"),
        "trainable_parameters_m": measured(max(trained, 1) / 1e6, whose),
    }
    if trained == every:
        figures["weight_bytes_per_parameter"] = measured(
            base.weight_bytes_per_parameter, "no effect: every parameter is trained"
        )
        return figures
    held = sum(one.parameter_bytes for one in models)
    of_trained = _bytes_of_trained(observation)
    left = max(held - trained * of_trained, 0.0) / (every - trained)
    figures["weight_bytes_per_parameter"] = measured(
        left, "bytes of the parameters that are not trained, as they are held"
    )
    return figures


def trained_parameters(observation: Observation) -> int:
    """Return how many parameters optimizers move; of sharded ones the whole."""
    if observation.distributed.sharding != "none" or not observation.optimizers:
        return sum(one.trainable for one in observation.models if one.is_trained)
    return sum(one.parameters for one in observation.optimizers)


def _bytes_of_trained(observation: Observation) -> float:
    optimizer = main_optimizer(observation)
    dtypes = optimizer.dtypes if optimizer is not None else {}
    half = sum(dtypes.get(kind, 0) for kind in ("float16", "bfloat16"))
    return 2.0 if 2 * half > sum(dtypes.values()) else 4.0


def _operations(counted: Counted) -> dict[str, Figure]:
    """Return operations per sample, and of a step over those of its forward pass."""
    forward = counted.flops.get("forward", 0.0)
    if not counted.samples or not forward > 0.0:
        return {}
    optimizer = counted.flops.get("optimizer", 0.0)
    step = forward + counted.flops.get("backward", 0.0)
    how = f"counted by formula in {counted.steps} steps"
    parts = f"{how}: forward and backward over forward"
    if optimizer > _MOST_OF_A_STEP * step:
        step += optimizer
        parts = f"{how}: forward, backward and optimizer over forward"
    if counted.uncounted:
        how += f"; without {_listed(list(counted.uncounted))}, which nobody can count"
    if counted.unpatched:
        how += f"; without what {_listed(counted.unpatched)} computes"
    return {
        "forward_gflops_per_sample": measured(forward / counted.samples / 1e9, how),
        "training_flops_factor": measured(step / forward, parts),
    }


def _activations(observation: Observation) -> dict[str, Figure]:
    counted = observation.counted
    if not counted.samples or not counted.activation_bytes:
        return {}
    each = counted.activation_bytes / counted.samples / BYTES_PER_MB
    how = "bytes that autograd keeps for the backward pass"
    forward = counted.flops.get("forward", 0.0)
    again = counted.flops.get("recomputed", 0.0) / forward if forward else 0.0
    if again < _CHECKPOINTED:
        return {
            "gradient_checkpointing": measured(False, "nothing is computed again"),
            "activation_mb_per_sample": seen_on_gpu(is_on_gpu(observation), each, how),
        }
    return {
        "gradient_checkpointing": measured(
            True, f"{again:.0%} of the forward pass is computed again"
        ),
        "checkpointed_mb_per_sample": seen_on_gpu(is_on_gpu(observation), each, how),
        "activation_mb_per_sample": estimated(
            each / CHECKPOINTED_SHARE,
            f"what checkpointing keeps over {CHECKPOINTED_SHARE:g}",
        ),
    }


def _kernels(observation: Observation) -> Figure | None:
    """Return the kernels of one micro-batch and an optimizer step, run eagerly."""
    counted = observation.counted
    optimizer = main_optimizer(observation)
    batches = counted.batches or counted.steps * micro_batches(observation)
    if not counted.steps or not batches or not counted.kernels:
        return None
    own = counted.kernels.get("optimizer", 0.0) / counted.steps
    words = "dispatched operations that are no views"
    passes = sum(
        counted.kernels.get(part, 0.0) for part in ("forward", "backward", "recomputed")
    )
    passes = (passes + counted.recurrent_kernels) / batches
    profiled = counted.kernels_profiled
    if profiled is not None and not observation.compiled.calls:
        # A step has its passes once a micro-batch; by the operators, which share is so.
        added = micro_batches(observation)
        share = added * passes / (added * passes + own)
        each = profiled * (share / added + 1.0 - share)
        return measured(max(round(each), 1), "kernels of a step by the GPU's profiler")
    if not is_on_gpu(observation) and _treats_many_at_once(optimizer):
        own = min(own, _FUSED_OPTIMIZER_KERNELS)
        words += f", and {own:g} for the optimizer, which treats many at once on a GPU"
    if counted.recurrent_kernels:
        words += "; of RNNs what a GPU's library launches"
    return estimated(max(round(passes + own), 1), words)


def _treats_many_at_once(optimizer: Optimizer | None) -> bool:
    if optimizer is None or optimizer.foreach is False:
        return False
    return optimizer.name.startswith("torch.optim.")


def _attention(observation: Observation, base: Workload) -> Figure:
    seen = observation.attention
    calls: dict[Attention, int] = {
        "flash": seen.flash_calls,
        "fused": seen.fused_calls,
        "eager": seen.eager_calls,
    }
    kind = max(calls, key=lambda one: calls[one])
    if not calls[kind]:
        if observation.counted.steps:
            return measured(base.attention, "no effect: no attention was seen")
        return unseen(base.attention, f"of {base.name}")
    kernels = _listed([name.lstrip("_") for name in seen.kernels])
    words = f"{calls[kind]} calls" + (f", run by {kernels}" if kernels else "")
    return seen_on_gpu(is_on_gpu(observation), kind, words)


def _listed(names: Sequence[str]) -> str:
    """Return some names, and how many there are besides."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
