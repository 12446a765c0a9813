"""Steps of a training on random data, at the largest batch that fits."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.gpu.nets.tasks import loss_of, task_of
from advisor.measure.probe.gpu.timing import (
    Device,
    Reading,
    is_out_of_memory,
    measured,
    single_precision,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from advisor.measure.probe.gpu.recipe import Recipe
    from advisor.measure.probe.lines import Line

_FILLED = 0.9
"""Share of the free memory that a training may take: the allocator keeps pieces."""

_LONGEST_STEP_S = 1.0
"""No batch is so large that its step takes longer: more fills no GPU better."""

_LEAST_BATCH, _LARGEST_BATCH = 2, 4096
"""Samples: batch normalization needs two; no GPU of today is fuller with more."""

_LESS = 0.75
"""A batch that does not fit after all is followed by this share of it."""


class Training:
    """A net in training on a device, not compiled yet.

    Parameters
    ----------
    device : where
    recipe : how
    batch : samples per step, made up on the device
    """

    def __init__(self, device: Device, recipe: Recipe, batch: int) -> None:
        device.select()
        self.device, self.recipe = device, recipe
        self._task = task_of(recipe.profile, is_tiny=recipe.is_tiny)
        with _made_on(device):
            net = self._task.build().to(device.name).train()
        if self._is_channels_last:
            net = net.to(memory_format=device.torch.channels_last)
        self._net = net
        self._optimizer = self._task.optimizer(net.parameters())
        self._scaler = _scaler(device, enabled=recipe.precision == "amp")
        self.resize(batch)

    def resize(self, batch: int) -> None:
        """Make up another batch; what a step has left behind is dropped before."""
        self._inputs = self._targets = None
        self._optimizer.zero_grad(set_to_none=True)
        if self.device.is_cuda:
            self.device.torch.cuda.empty_cache()
        made = self._task.inputs(batch, self.device.name)
        self._inputs, self._targets = self._on_device(*made)

    def compile(self) -> None:
        """Compile it if the recipe says so; the next step takes long, then."""
        if self.recipe.compiled:
            self._net = self.device.torch.compile(self._net)

    def step(self) -> Any:
        """Train on the batch that is there; return its loss."""
        torch, kind = self.device.torch, _autocast_type(self.device.torch, self.recipe)
        with ExitStack() as stack:
            if kind is not None:
                place = "cuda" if self.device.is_cuda else "cpu"
                stack.enter_context(torch.autocast(place, dtype=kind))
            loss = loss_of(self._net(self._inputs), self._targets)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def step_on(self, inputs: Any, targets: Any) -> Any:
        """Train on another batch, which comes from the host; return its loss."""
        self._inputs, self._targets = self._on_device(inputs, targets)
        return self.step()

    @property
    def _is_channels_last(self) -> bool:
        return self._task.takes_images and self.recipe.channels_last

    def _on_device(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        inputs, targets = (
            one.to(self.device.name, non_blocking=True) for one in (inputs, targets)
        )
        if self._is_channels_last:
            inputs = inputs.contiguous(memory_format=self.device.torch.channels_last)
        return inputs, targets


def synthetic(device: Device, recipe: Recipe, budget_s: float) -> Line:
    """Return how many samples a second it trains on, of those that are there already.

    Parameters
    ----------
    device : where
    recipe : how
    budget_s : for the steps, beside finding a batch and compiling
    """
    training = Training(device, recipe, _LEAST_BATCH)
    batch = largest_batch(training)
    training.compile()
    with chosen(device.torch, recipe):
        reading = _steps(training, batch, budget_s)
        while reading is None:  # more than was foreseen: work space, pieces
            batch = _round(_LESS * batch)
            reading = _steps(training, batch, budget_s)
    note = f"batch {batch}"
    if not device.is_cuda:
        note += f", on the CPU, {device.torch.get_num_threads()} threads"
    return reading.line(f"{recipe.line}.synthetic", batch, "samples/s", note)


@contextmanager
def chosen(torch: Any, recipe: Recipe) -> Iterator[None]:
    """Have FP32 as the recipe wants it, and convolutions by what proves fastest."""
    before = torch.backends.cudnn.benchmark
    with ExitStack() as stack:
        stack.callback(setattr, torch.backends.cudnn, "benchmark", before)
        torch.backends.cudnn.benchmark = True
        if recipe.precision in {"fp32", "tf32"}:
            is_tf32 = recipe.precision == "tf32"
            stack.enter_context(single_precision(torch, tf32=is_tf32))
        yield


def largest_batch(training: Training) -> int:
    """Return the largest batch whose step fits the memory and takes no second.

    Batches are doubled while the next one fits by what the last two took; a step that
    fails for want of memory ends the search. It is rounded down to a power of two or one
    and a half times that. The net is not compiled for it: compiled it takes no more.
    """
    batch, before = _LEAST_BATCH, None
    room = _FILLED * (training.device.free_bytes() + _taken_bytes(training.device))
    while True:
        seen = _probe(training, batch)
        if seen is None:
            return max(batch // 2, _LEAST_BATCH)
        each = (seen.peak_bytes - before.peak_bytes) / (batch / 2) if before else 0.0
        fits = batch + (room - seen.peak_bytes) / each if each > 0.0 else math.inf
        ends = _LONGEST_STEP_S / seen.seconds * batch
        if (before and min(fits, ends) < 2 * batch) or batch >= _LARGEST_BATCH:
            return _round(min(fits, ends, _LARGEST_BATCH))
        batch, before = 2 * batch, seen


class _Probe(NamedTuple):
    """What a step takes."""

    seconds: float
    peak_bytes: float


def _probe(training: Training, batch: int) -> _Probe | None:
    """Return what a step of a batch takes, None if it does not fit."""
    device = training.device
    try:
        training.resize(batch)
        if device.is_cuda:
            device.torch.cuda.reset_peak_memory_stats(device.name)
        training.step()
        seconds = device.seconds(training.step, 1)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None
    peak = 0.0
    if device.is_cuda:
        peak = float(device.torch.cuda.max_memory_allocated(device.name))
    return _Probe(max(seconds, 1e-6), peak)


def _steps(training: Training, batch: int, budget_s: float) -> Reading | None:
    """Return how long steps take, None if they do not fit."""
    try:
        training.resize(batch)
        return measured(training.device, training.step, budget_s)
    except RuntimeError as error:
        if batch == _LEAST_BATCH or not is_out_of_memory(error):
            raise
        return None


def _taken_bytes(device: Device) -> float:
    """Return what PyTorch has of the memory of a GPU."""
    if not device.is_cuda:
        return 0.0
    return float(device.torch.cuda.memory_reserved(device.name))


def _made_on(device: Device) -> Any:
    """Return what makes weights where they are used, if PyTorch can: a CPU is slow."""
    place = device.torch.device(device.name)
    return place if hasattr(place, "__enter__") else nullcontext()  # since 2.0


def _round(batch: float) -> int:
    """Return the largest of 2, 3, 4, 6, 8, 12, 16 ... that is no larger."""
    power: int = 2 ** int(math.log2(max(batch, _LEAST_BATCH)))
    return power * 3 // 2 if power * 3 // 2 <= batch else power


def _autocast_type(torch: Any, recipe: Recipe) -> Any:
    """Return what autocast computes in; None: there is none."""
    kinds = {"amp": torch.float16, "fp16": torch.float16, "bf16": torch.bfloat16}
    return kinds.get(recipe.precision)


def _scaler(device: Device, *, enabled: bool) -> Any:
    """Return a scaler of the loss; it does nothing unless it is enabled."""
    place = "cuda" if device.is_cuda else "cpu"
    if hasattr(device.torch.amp, "GradScaler"):  # since 2.3
        return device.torch.amp.GradScaler(place, enabled=enabled)
    return device.torch.cuda.amp.GradScaler(enabled=enabled)
