"""What a PyTorch module needs, counted while it runs a step on the CPU.

Operations by formula (see `advisor.workloads.operations`), activations as the bytes that
autograd saves for the backward pass, kernels as the operators that are dispatched and are
no views. PyTorch is an extra of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from advisor.base.errors import AdvisorError, Given, UsageError
from advisor.base.resources import installing
from advisor.base.units import BYTES_PER_GB, BYTES_PER_MB
from advisor.workloads.inputs import Inputs
from advisor.workloads.memory import STATE_BYTES
from advisor.workloads.profile import Precision, Workload, with_benchmark_units_of
from advisor.workloads.tally import Tally, counting

_FEW, _MORE = 2, 4
"""Batches of which the difference is what a sample needs."""

_OPTIMIZER_KERNELS = 15.0
"""Kernels of a fused optimizer step, of the loss scaler and of zeroing gradients."""

_PROBED = 3
"""Samples of the forward pass that is run first, to know how long the rest takes."""

_NOT_EVEN = 2e-5
"""By how much the operations of `_PROBED` samples may stray from those between `_FEW` and
`_MORE`. A net's are proportional to its batch; the similarity of all samples of a batch
adds less than this, attention over the batch more."""

_SOON_S = 5.0
"""What takes longer is announced."""

_STEP_OF_FORWARD = 3.0
"""Time of a step over that of its forward pass, roughly."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a module needs.

    Attributes
    ----------
    parameters, trainable : numbers of them
    forward_flops, training_flops : of one sample
    activation_bytes : that one sample keeps from forward to backward
    kernels : of one step, whatever its batch
    input_bytes : of one sample as it is delivered
    """

    parameters: int
    trainable: int
    forward_flops: float
    training_flops: float
    activation_bytes: float
    kernels: float
    input_bytes: float


def count(
    build: Callable[[], Any],
    inputs: Inputs,
    precision: Precision,
    notify: Callable[[str], object] = str,
) -> Counted:
    """Run steps of a module on the CPU and count what they need.

    Parameters
    ----------
    build : makes the module
    inputs : what it is called with
    precision : half precision of any kind runs under autocast
    notify : is called with how long it will take, if that is long

    Raises
    ------
    advisor.base.errors.AdvisorError
        if PyTorch is not installed
    advisor.base.errors.UsageError
        if the module fails on such inputs, has operators whose operations nobody knows,
        or needs operations that do not grow evenly with the batch
    """
    torch = need_torch()
    try:
        module = build()
    except Exception as error:
        message = f"the function fails: {type(error).__name__}: {error}"
        if "CUDA" in message or "NVIDIA" in message:
            message += "; create the module on the CPU, where it is counted"
        raise UsageError(message) from error
    if not isinstance(module, torch.nn.Module):
        message = "the function is expected to return a torch.nn.Module"
        raise UsageError(message)
    run = _Run(torch, module, inputs, half=precision in {"amp", "bf16", "fp16"})
    run.warm_up()
    started = time.monotonic()
    probed = run.forward(_PROBED)
    spent = time.monotonic() - started
    left = spent / _PROBED * (_FEW + _MORE) * _STEP_OF_FORWARD
    if left > _SOON_S:
        notify(f"counting takes up to {left:.0f} s more (Ctrl-C stops it)")
    few, more = (run.step(number) for number in (_FEW, _MORE))
    each = {key: (more[key] - few[key]) / (_MORE - _FEW) for key in few}
    if not each["forward"] > 0.0:
        uncounted = "no operation was counted: is it a net, and is "
        raise UsageError(uncounted, Given("shapes"), " right?")
    expected = few["forward"] + each["forward"] * (_PROBED - _FEW)
    uneven = abs(probed - expected) > _NOT_EVEN * expected
    if uneven or each["time_steps"] > 0.0:
        message = (
            "its operations do not grow evenly with the batch: it skips layers at "
            "random (switch that off in the function), or the batch is not the first "
            "dimension (B marks its place in the shape, such as 512xBx256)"
        )
        raise UsageError(message)
    every = list(module.parameters())
    return Counted(
        parameters=sum(one.numel() for one in every),
        trainable=sum(one.numel() for one in every if one.requires_grad),
        forward_flops=each["forward"],
        training_flops=each["training"],
        activation_bytes=max(each["saved"], 1.0),
        kernels=few["kernels"] + _OPTIMIZER_KERNELS,
        input_bytes=float(inputs.bytes),
    )


def measured_profile(  # noqa: PLR0917  (as many as a profile is made of)
    base: Workload,
    counted: Counted,
    inputs: Inputs,
    name: str,
    batch: int,
    precision: Precision,
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
            counted.activation_bytes / BYTES_PER_MB,
            f"{how}: bytes that autograd saves, difference of two batches",
        ),
        "kernels_per_step": (
            counted.kernels,
            f"{how}: dispatched operations that are no views, and the optimizer's",
        ),
        "gpu_bytes_per_sample": (counted.input_bytes, "of its input"),
        "checkpoint_gb": (
            max(counted.trainable, 1) * (4.0 + states) / BYTES_PER_GB,
            "derived: FP32 weights that are trained, and the optimizer's state",
        ),
    }
    stated = {key: source for key, (_, source) in figures.items()}
    values: dict[str, Any] = {key: value for key, (value, _) in figures.items()}
    child = replace(
        base,
        name=name,
        description=f"measured module, data and recipe of {base.name}",
        sample=_sample(inputs, base.sample),
        technique=base.technique if counted.trainable < counted.parameters else "full",
        tokens_per_sample=float(inputs.tokens or 0),
        padding_share=0.0,
        packed=False,
        embedding_parameters_m=0.0,
        attention_mb_per_sample=0.0,
        checkpointed_mb_per_sample=0.0,
        batch_size=batch,
        precision=precision,
        sources={
            **base.sources,
            **stated,
            "batch_size": "set by the user",
            "precision": "set by the user",
        },
        **values,
    )
    return with_benchmark_units_of(child, base)


def _sample(inputs: Inputs, usual: str) -> str:
    """Return what a sample is, as the inputs show it."""
    if (image := inputs.image) is not None:
        return f"image {image[0]}x{image[1]}"
    if (tokens := inputs.tokens) is not None:
        return f"sequence of {tokens:,} tokens"
    return usual


@dataclass(frozen=True, slots=True)
class _Run:
    """A module that is run to be counted."""

    torch: Any
    module: Any
    inputs: Inputs
    half: bool

    def warm_up(self) -> None:
        """Have PyTorch import what counting needs, which takes seconds once."""
        with self._counting(Tally()):
            (self.torch.ones(1, requires_grad=True) * 2.0).sum().backward()

    def forward(self, number: int) -> float:
        """Return the operations of a forward pass alone."""
        tally = Tally(half=self.half)
        self.module.train()
        with self._named(number), self.torch.no_grad(), self._counting(tally):
            self.inputs.call(self.torch, self.module, number)
        tally.check()
        return tally.flops

    def step(self, number: int) -> dict[str, float]:
        """Return what one step of `number` samples needs."""
        tally = Tally(half=self.half)
        self.module.train()
        with self._named(number):
            with self._counting(tally):
                output = self.inputs.call(self.torch, self.module, number)
                loss = _loss(self.torch, output)
                forward, saved = tally.flops, tally.saved
                loss.backward()
            self.module.zero_grad(set_to_none=True)
        tally.check()
        return {
            "forward": forward,
            "training": tally.flops,
            "saved": saved,
            "kernels": tally.kernels,
            "time_steps": float(tally.time_steps),
        }

    @contextmanager
    def _counting(self, tally: Tally) -> Iterator[None]:
        torch = self.torch
        lazy = torch.nn.parameter.is_lazy  # no storage before the first forward pass
        owned = frozenset(
            one.untyped_storage().data_ptr()
            for one in self.module.parameters()
            if not lazy(one)
        )
        autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half)
        with counting(torch, tally, owned), autocast:
            yield

    @contextmanager
    def _named(self, number: int) -> Iterator[None]:
        """Say of a failure that it is the module's."""
        try:
            yield
        except UsageError:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            message = f"the module fails on a batch of {number}: {reason}"
            raise UsageError(message) from error


def _loss(torch: Any, output: Any) -> Any:
    """Return what stands for the loss: the output's own, else the sum of all of it.

    Every output that is trained takes part, so that the backward pass goes through each
    head of a net.
    """
    own = output.get("loss") if isinstance(output, Mapping) else None
    tensors = list(_tensors(torch, output if own is None else own))
    if not tensors:
        message = "it returns no floating tensor"
        raise TypeError(message)
    trained = [one for one in tensors if one.requires_grad]
    return sum(one.float().sum() for one in trained or tensors)


def _tensors(torch: Any, output: Any) -> Iterator[Any]:
    """Yield the floating tensors of what a module returns, however deep."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
        return
    if isinstance(output, (str, bytes)):
        return
    if isinstance(output, Mapping):
        output = output.values()
    elif is_dataclass(output):
        output = [getattr(output, one.name) for one in fields(output)]
    elif not isinstance(output, Iterable):
        return
    for one in output:
        yield from _tensors(torch, one)


def need_torch() -> Any:
    """Return PyTorch.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if it is not installed
    """
    try:
        import torch  # noqa: PLC0415
    except ImportError as error:
        message = (
            f"counting a module needs PyTorch: {installing('measure')}, or use "
            "'advisor workloads from-hf' or 'new' instead"
        )
        raise AdvisorError(message) from error
    return torch
