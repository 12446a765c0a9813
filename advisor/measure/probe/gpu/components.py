"""What each part of a GPU does by itself: link, launches, products, memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.gpu.recipe import Recipe
from advisor.measure.probe.gpu.timing import Device, measured, single_precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from advisor.measure.probe.lines import Line

NARROW_GPT2_KERNELS = 768
"""Kernels of a step of this GPT-2, whatever its width, counted as those of the profiles
are: 710 forward and backward, and the optimizer's 58 of profile gpt2-124m."""

_FREE_SHARE = 0.25
"""Of the free memory, for the arrays of a component."""

_TF32_SINCE = _BF16_SINCE = 8
"""Compute capability, its major number (NVIDIA, "CUDA C++ Programming Guide")."""


class Sizes(NamedTuple):
    """How large the arrays are.

    Attributes
    ----------
    copied_bytes : over the link: long enough that its start does not count
    streamed_bytes : in the GPU's memory: above every cache of a GPU, 256 MB
    side : of square matrices that fill every GPU; halved where memory is short
    """

    copied_bytes: int = 256 << 20
    streamed_bytes: int = 1 << 30
    side: int = 8192


TINY = Sizes(copied_bytes=1 << 20, streamed_bytes=1 << 20, side=64)
"""For a look at the program on a CPU."""


def link(device: Device, sizes: Sizes, budget_s: float) -> Iterator[Line]:
    """Yield how fast the host sends, from pinned and from pageable memory, GB/s."""
    torch = device.torch
    there = torch.empty(sizes.copied_bytes, dtype=torch.uint8, device=device.name)
    here = torch.ones(sizes.copied_bytes, dtype=torch.uint8)
    for name, source in (("pinned", _pinned(device, here)), ("pageable", here)):
        copy = partial(there.copy_, source, non_blocking=True)
        reading = measured(device, copy, budget_s / 2)
        yield reading.line(
            f"{device.line}.h2d.{name}",
            sizes.copied_bytes / 1e9,
            "GB/s",
            f"{sizes.copied_bytes >> 20} MiB at a time",
        )


def _pinned(device: Device, array: Any) -> Any:
    """Return it in memory that the GPU reads by itself; a CPU has no such thing."""
    return array.pin_memory() if device.is_cuda else array


def launches(device: Device, budget_s: float) -> Iterator[Line]:
    """Yield how many kernels a thread of PyTorch launches in training, per second.

    Whole steps of GPT-2 so narrow that no GPU is busy with them: forward under autocast,
    backward, optimizer. A loop over one operator would be faster than any training.
    """
    from advisor.measure.probe.gpu.train import Training  # noqa: PLC0415

    half = "bf16" if _has(device, _BF16_SINCE) else "fp16"
    training = Training(device, Recipe("gpt2-124m", half, is_tiny=True), batch=1)
    reading = measured(device, training.step, budget_s)
    yield reading.line(
        f"{device.line}.launch", NARROW_GPT2_KERNELS, "kernels/s", "narrow GPT-2, eager"
    )


def products(device: Device, sizes: Sizes, budget_s: float) -> Iterator[Line]:
    """Yield how fast matrices are multiplied, per precision, TFLOP/s."""
    torch = device.torch
    kinds = [("fp32", torch.float32, False), ("fp16", torch.float16, False)]
    kinds.append(("bf16", torch.bfloat16, False))
    if device.is_cuda and _has(device, _TF32_SINCE):
        kinds.insert(1, ("tf32", torch.float32, True))
    side = sizes.side
    while 3 * 4 * side**2 > _FREE_SHARE * device.free_bytes():
        side //= 2
    for name, kind, is_tf32 in kinds:
        # Random, not zero: what does not change takes no power, and clocks stay high.
        left, right = (
            torch.randn(side, side, device=device.name).to(kind) for _ in range(2)
        )
        out = torch.empty_like(left)
        with single_precision(torch, tf32=is_tf32):
            product = partial(torch.mm, left, right, out=out)
            reading = measured(device, product, budget_s / len(kinds))
        yield reading.line(
            f"{device.line}.matmul.{name}",
            2.0 * side**3 / 1e12,
            "TFLOP/s",
            f"{side} x {side}",
        )


def memory(device: Device, sizes: Sizes, budget_s: float) -> Iterator[Line]:
    """Yield how fast its memory is copied, read and written counted, GB/s."""
    torch = device.torch
    size = int(min(sizes.streamed_bytes, _FREE_SHARE * device.free_bytes() / 2))
    here = torch.ones(size, dtype=torch.uint8, device=device.name)
    there = torch.empty_like(here)
    reading = measured(device, lambda: there.copy_(here), budget_s)
    yield reading.line(
        f"{device.line}.bandwidth",
        2.0 * size / 1e9,
        "GB/s",
        f"copies of {size >> 20} MiB",
    )


def _has(device: Device, major: int) -> bool:
    """Return whether a GPU is of this compute capability or later; a CPU has all."""
    if not device.is_cuda:
        return True
    return bool(device.torch.cuda.get_device_capability(device.name)[0] >= major)
