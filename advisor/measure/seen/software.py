"""How the training computes: precision, optimizer, compiler, several GPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from advisor.measure.hooks.observation import Observation, Optimizer
from advisor.measure.observed import main_optimizer, trained_model
from advisor.measure.seen.figure import Figure, estimated, measured
from advisor.measure.seen.net import trained_parameters
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.profile import (
    SHARDINGS,
    BaseWeights,
    Precision,
    Sharding,
    Technique,
)
from advisor.workloads.profile import Optimizer as Kind

_HALF = {"float16": "fp16", "bfloat16": "bf16"}

_KINDS: Sequence[tuple[str, Kind]] = (
    (r"paged\w*adam\w*8bit", "adam-8bit-paged"),
    (r"adam\w*8bit", "adam-8bit"),
    (r"adafactor", "adafactor"),
    (r"prodigy", "prodigy"),
    (r"lion", "lion"),
    (r"\w*adam\w*|\w*lamb", "adam"),
    (r"\w*sgd", "momentum"),
)
"""Pattern of the name of a class -> what it keeps; the first that fits."""

_NEAR = 0.1
"""By which share the bytes that an optimizer keeps may differ from what its kind does."""

_ADAPTED = re.compile(r"lora|dora|\bia3", re.IGNORECASE)
_QUANTIZED: Mapping[str, BaseWeights] = {"linear4bit": "nf4", "linear8bitlt": "int8"}


def software_figures(observation: Observation) -> dict[str, Figure]:
    """Return the figures of how it computes."""
    figures = {**_precision(observation), **_optimizer(observation)}
    figures |= _distributed(observation)
    figures |= _technique(observation)
    figures["compiled"] = _compiled(observation)
    return figures


def _precision(observation: Observation) -> dict[str, Figure]:
    seen = observation.precision
    full = measured(True, "weights that are trained are held in single precision")
    if seen.autocast in _HALF:
        kind: Precision = "amp" if seen.autocast == "float16" else "bf16"
        scaled = " and a gradient scaler" if seen.scaler else ""
        words = f"autocast to {seen.autocast}{scaled}"
        return {"precision": measured(kind, words), "master_weights": full}
    held = _held(observation)
    if held in _HALF:
        words = f"the net is held in {held}"
        half = measured(False, words)
        kind = "fp16" if held == "float16" else "bf16"
        return {"precision": measured(kind, words), "master_weights": half}
    is_tf32, words = _tf32(observation)
    kind = "tf32" if is_tf32 else "fp32"
    return {"precision": measured(kind, words), "master_weights": full}


def _held(observation: Observation) -> str:
    """Return the dtype that most of the trained parameters are held in."""
    optimizer, model = main_optimizer(observation), trained_model(observation)
    dtypes = (optimizer.dtypes if optimizer is not None else None) or (
        model.dtypes if model is not None else {}
    )
    return max(dtypes, key=lambda one: dtypes[one], default="float32")


def _tf32(observation: Observation) -> tuple[bool, str]:
    """Say whether tensor cores are used in single precision, and why.

    PyTorch has a flag for convolutions, which is on, and one for matrix products, which
    is off, unless the program sets them.
    """
    seen, model = observation.precision, trained_model(observation)
    attends = observation.attention.fused_calls + observation.attention.eager_calls > 0
    convolves = model is not None and model.memory_format is not None and not attends
    flag = seen.cudnn_tf32 if convolves else seen.matmul_tf32
    name = "cudnn.allow_tf32" if convolves else "cuda.matmul.allow_tf32"
    state = "on" if flag else "off"
    return bool(flag), f"single precision, and torch.backends.{name} is {state}"


def _optimizer(observation: Observation) -> dict[str, Figure]:
    optimizer = main_optimizer(observation)
    if optimizer is None:
        return {}
    kept = optimizer.state_bytes_per_parameter
    words = f"{optimizer.name}, which keeps {kept:.3g} bytes per parameter"
    kind = kind_of(optimizer)
    half = _held(observation) in _HALF
    figures = {
        "optimizer": measured(kind, words),
        "fused_optimizer": measured(
            bool(optimizer.fused), f"fused={optimizer.fused} of its first group"
        ),
    }
    # See `memory.state_bytes`: weights and their half copy, and the gradient.
    mixed = observation.precision.autocast in _HALF
    weights = 2.0 if half else 6.0 if mixed else 4.0
    figures["state_bytes_per_trainable"] = measured(
        weights + (2.0 if half else 4.0) + kept,
        f"weights {weights:g}, gradient {2 if half else 4}, and what the optimizer keeps",
    )
    return figures


def kind_of(optimizer: Optimizer) -> Kind:
    """Return what kind of optimizer it is, ``stated`` where none keeps as much.

    By its name or those of the classes that it derives from, and by the bytes that it
    really keeps: a subclass may keep more.
    """
    named = _named(optimizer)
    if named == "momentum" and not optimizer.momentum:
        named = "sgd"
    if named is None:
        return "stated"
    kept, usual = optimizer.state_bytes_per_parameter, STATE_BYTES[named]
    if named == "adafactor":  # sums of rows and columns, which depend on the widths
        return named if kept < STATE_BYTES["momentum"] else "stated"
    near = (usual, usual / 2.0)  # moments of weights in half precision are in half, too
    fits = any(abs(kept - one) <= _NEAR * max(one, 1.0) for one in near)
    return named if fits else "stated"


def _named(optimizer: Optimizer) -> Kind | None:
    for name in (optimizer.name, *optimizer.bases):
        short = name.rpartition(".")[2].lower()
        for pattern, kind in _KINDS:
            if re.fullmatch(pattern, short):
                return kind
    return None


def _compiled(observation: Observation) -> Figure:
    seen = observation.compiled
    if not seen.calls:
        return measured(False, "torch.compile was not called")
    if seen.frames == 0:
        return measured(False, "torch.compile was called, and nothing of it was compiled")
    breaks = f", {seen.graph_breaks} graph breaks" if seen.graph_breaks else ""
    return measured(True, f"torch.compile, mode {seen.mode or 'default'}{breaks}")


def _distributed(observation: Observation) -> dict[str, Figure]:
    seen = observation.distributed
    if seen.wrapper == "data-parallel":
        words = f"torch.nn.DataParallel over {seen.gpus} GPUs"
        return {"distributed": measured("data-parallel", words)}
    named = (one for one in SHARDINGS if one == seen.sharding)
    sharding: Sharding = next(named, "none")
    if seen.world_size > 1:
        words = f"{seen.world_size} processes, {seen.wrapper or seen.backend}"
    else:
        words = "one process; several would be a process per GPU"
    how = measured if seen.world_size > 1 else estimated
    return {"distributed": how("ddp", words), "sharding": measured(sharding, words)}


def _technique(observation: Observation) -> dict[str, Figure]:
    """Return whether adapters are trained, and how the weights beside them are held."""
    modules = {name for one in observation.models for name in one.modules}
    every = sum(one.parameters for one in observation.models)
    trained = trained_parameters(observation)
    adapted = any(_ADAPTED.search(name) for name in modules) and trained < every
    held = {_QUANTIZED[one.lower()] for one in modules if one.lower() in _QUANTIZED}
    technique: Technique = "full"
    if adapted:
        technique = "qlora" if held else "lora"
    figures = {"technique": measured(technique, "by the modules of the net")}
    if len(held) == 1:
        figures["base_weights"] = measured(held.pop(), "by the modules of the net")
    return figures
