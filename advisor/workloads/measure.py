"""What a PyTorch module needs, counted while it runs a step on the CPU.

Operations with PyTorch's own counter (`torch.utils.flop_counter.FlopCounterMode`),
activations as the bytes that autograd saves for the backward pass, kernels as the
operations that are dispatched and are no views. PyTorch is an extra of its own.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError, UsageError
from advisor.resources import installing
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.profile import Precision, Workload, with_level_of

_FEW, _MORE = 2, 4
"""Batches of which the difference is what a sample needs."""

_OPTIMIZER_KERNELS = 15.0
"""Kernels of a fused optimizer step, of the loss scaler and of zeroing gradients."""

_VIEWS = frozenset(
    {
        *("view", "reshape", "_unsafe_view", "t", "transpose", "permute", "expand"),
        *("slice", "select", "unsqueeze", "squeeze", "detach", "alias", "as_strided"),
        *("split", "split_with_sizes", "chunk", "unbind", "empty", "empty_strided"),
    }
)
"""Operations that launch no kernel."""

_ITEM_BYTES = {"float": 4, "long": 8}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a module needs.

    Attributes
    ----------
    parameters, trainable : numbers of them
    forward_flops, training_flops : of one sample
    activation_bytes : that one sample keeps from forward to backward
    kernels : of one step, whatever its batch
    input_bytes : of one sample as it is handed over
    """

    parameters: int
    trainable: int
    forward_flops: float
    training_flops: float
    activation_bytes: float
    kernels: float
    input_bytes: float


@dataclass(frozen=True, slots=True)
class Input:
    """Shape of one sample, such as ``3x224x224`` or ``512:long`` for tokens."""

    shape: tuple[int, ...]
    kind: str

    @classmethod
    def parse(cls, text: str) -> Input:
        """Read a shape.

        Raises
        ------
        advisor.errors.UsageError
            if it is none
        """
        sizes, _, kind = text.partition(":")
        try:
            shape = tuple(int(size) for size in sizes.split("x"))
        except ValueError:
            shape = ()
        if not shape or min(shape) < 1 or (kind or "float") not in _ITEM_BYTES:
            message = (
                f"--input: {text!r}: a shape such as 3x224x224 or 512:long is expected"
            )
            raise UsageError(message)
        return cls(shape, kind or "float")

    @property
    def bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * _ITEM_BYTES[self.kind]


def load_builder(target: str) -> Callable[[], Any]:
    """Return the function of ``script.py:function`` that makes a module.

    Raises
    ------
    advisor.errors.AdvisorError
        if PyTorch is not installed
    advisor.errors.UsageError
        if there is no such file or function, or the file cannot be run
    """
    _torch()  # the script needs it too, and would say less
    file, _, name = target.rpartition(":")
    path = Path(file)
    if not file or not name or not path.is_file():
        message = f"{target!r}: script.py:function is expected, of a file that is there"
        raise UsageError(message)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        message = f"{path}: a Python file is expected"
        raise UsageError(message)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        message = f"{path} cannot be run: {type(error).__name__}: {error}"
        raise UsageError(message) from error
    builder = getattr(module, name, None)
    if not callable(builder):
        message = f"{path}: there is no function {name}"
        raise UsageError(message)
    return builder  # type: ignore[no-any-return]


def count(build: Callable[[], Any], sample: Input, precision: Precision) -> Counted:
    """Run steps of a module on the CPU and count what they need.

    Parameters
    ----------
    build : makes the module; it is called with one tensor, a batch of `sample`
    sample : shape of one sample
    precision : half precision of any kind runs under autocast

    Raises
    ------
    advisor.errors.AdvisorError
        if PyTorch is not installed
    advisor.errors.UsageError
        if the module fails on such an input
    """
    torch = _torch()
    try:
        module = build()
    except Exception as error:
        message = f"the function fails: {type(error).__name__}: {error}"
        raise UsageError(message) from error
    if not isinstance(module, torch.nn.Module):
        message = "the function is expected to return a torch.nn.Module"
        raise UsageError(message)
    few, more = (
        _step(torch, module, sample, number, precision) for number in (_FEW, _MORE)
    )
    each = {key: (more[key] - few[key]) / (_MORE - _FEW) for key in few}
    if not each["forward"] > 0.0:
        message = "no operation was counted: is it a net, and is --input right?"
        raise UsageError(message)
    every = list(module.parameters())
    return Counted(
        parameters=sum(one.numel() for one in every),
        trainable=sum(one.numel() for one in every if one.requires_grad),
        forward_flops=each["forward"],
        training_flops=each["training"],
        activation_bytes=max(each["saved"], 1.0),
        kernels=few["kernels"] + _OPTIMIZER_KERNELS,
        input_bytes=float(sample.bytes),
    )


def measured_profile(
    base: Workload, counted: Counted, name: str, batch: int, precision: Precision
) -> Workload:
    """Return a profile with what was counted, the rest as in `base`."""
    states = STATE_BYTES.get(base.optimizer, STATE_BYTES["adam"])
    how = "counted with PyTorch on the CPU"
    figures: Mapping[str, tuple[float, str]] = {
        "forward_gflops_per_sample": (counted.forward_flops / 1e9, how),
        "training_flops_factor": (counted.training_flops / counted.forward_flops, how),
        "parameters_m": (counted.parameters / 1e6, how),
        "trainable_parameters_m": (max(counted.trainable, 1) / 1e6, how),
        "activation_mb_per_sample": (
            counted.activation_bytes / 1e6,
            f"{how}: bytes that autograd saves, difference of two batches",
        ),
        "kernels_per_step": (
            counted.kernels,
            f"{how}: dispatched operations that are no views, and the optimizer's",
        ),
        "gpu_bytes_per_sample": (counted.input_bytes, "of its input"),
        "checkpoint_gb": (
            max(counted.trainable, 1) * (4.0 + states) / 1e9,
            "derived: FP32 weights that are trained, and the optimizer's state",
        ),
    }
    told = {key: source for key, (_, source) in figures.items()}
    values: dict[str, Any] = {key: value for key, (value, _) in figures.items()}
    child = replace(
        base,
        name=name,
        description=f"measured module, data and recipe of {base.name}",
        batch_size=batch,
        precision=precision,
        sources={
            **base.sources,
            **told,
            "batch_size": "set by the user",
            "precision": "set by the user",
        },
        **values,
    )
    return with_level_of(child, base)


def _step(
    torch: Any, module: Any, sample: Input, number: int, precision: Precision
) -> dict[str, float]:
    """Return what one step of `number` samples needs."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    kernels, watch = _kernel_counter()
    saved: dict[int, int] = {}
    owned = {one.untyped_storage().data_ptr() for one in module.parameters()}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    module.train()
    counter = FlopCounterMode(display=False)
    try:
        batch = _batch(torch, sample, number)
        half = precision in {"amp", "bf16", "fp16"}
        with watch, counter:
            with (
                torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one),
                torch.autocast("cpu", dtype=torch.bfloat16, enabled=half),
            ):
                loss = _first(torch, module(batch)).float().sum()
            forward = float(counter.get_total_flops())
            loss.backward()
        training = float(counter.get_total_flops())
        module.zero_grad(set_to_none=True)
    except Exception as error:
        message = (
            f"the module fails on a batch of {number}: {type(error).__name__}: {error}"
        )
        raise UsageError(message) from error
    return {
        "forward": forward,
        "training": training,
        "saved": float(sum(saved.values())),
        "kernels": float(len(kernels)),
    }


def _kernel_counter() -> tuple[list[str], Any]:
    """Return a list that fills with the kernels of what runs inside the other."""
    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415

    launched: list[str] = []

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = func.__name__.split(".")[0]
            if name not in _VIEWS:
                # A convolution's backward is two kernels, of weights and of inputs.
                launched.extend([name] * (2 if name == "convolution_backward" else 1))
            return func(*args, **(kwargs or {}))

    return launched, Watch()


def _batch(torch: Any, sample: Input, number: int) -> Any:
    shape = (number, *sample.shape)
    if sample.kind == "long":
        return torch.zeros(shape, dtype=torch.long)
    return torch.randn(shape)


def _first(torch: Any, output: Any) -> Any:
    """Return the first floating tensor of what a module returns."""
    if isinstance(output, torch.Tensor):
        return output
    values = output.values() if isinstance(output, Mapping) else output
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        message = "it returns no tensor"
        raise TypeError(message)
    for one in values:
        if isinstance(one, torch.Tensor) and one.is_floating_point():
            return one
    message = "it returns no floating tensor"
    raise TypeError(message)


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415
    except ImportError as error:
        message = (
            f"counting a module needs PyTorch: {installing('measure')}, or use "
            "'advisor workloads from-hf' or 'new' instead"
        )
        raise AdvisorError(message) from error
    return torch
