"""What `gpu_bench` runs in processes of their own besides the bench's own parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from advisor.measure.probe.cores import granted_cores
from advisor.measure.probe.gpu.timing import Device, measured
from advisor.measure.probe.host import EXTENTS, measure_cores
from advisor.measure.probe.lines import Line, Result

ROUNDS = 3
CONTEXT = 1024
"""Tokens that are read at once, and that each further token looks back on."""

BATCHES = (1, 16)


def cores_apart(
    send: Callable[[Any], None], files: Sequence[str], seconds: float
) -> None:
    """Send what the cores of this process do: decode, tokenize, copy.

    Parameters
    ----------
    files : paths of the pictures
    seconds : for all of it
    """
    result = Result("quick")
    extent = EXTENTS["quick"]._replace(rounds=ROUNDS)
    measure_cores(
        result,
        granted_cores(),
        [Path(file).read_bytes() for file in files],
        extent=extent,
        ends=time.monotonic() + seconds,
        tell=lambda *_: None,
    )
    for one in (*result.lines, *result.skipped):
        send(one)


def inference_apart(
    send: Callable[[Any], None],
    name: str,
    is_tiny: bool,
    seconds: float,
) -> None:
    """Send how fast a transformer with random weights reads tokens and writes them.

    Parameters
    ----------
    name : of the device
    is_tiny : a narrow one, for a look at the program
    seconds : for all of it
    """
    import torch  # noqa: PLC0415

    with torch.inference_mode():
        for line in inference(Device(torch, name), seconds, is_tiny=is_tiny):
            send(line)


def inference(device: Device, seconds: float, *, is_tiny: bool) -> Iterator[Line]:
    """Yield tokens per second of prefill and of decoding, of each batch."""
    from advisor.measure.probe.gpu.nets.transformer import (  # noqa: PLC0415
        Cache,
        Decoder,
        Size,
    )

    torch = device.torch
    context = 16 if is_tiny else CONTEXT
    size = Size(24, 16, 2048, 2 * context, 32_000)
    if is_tiny:
        size = Size(2, 2, 16, 2 * context, 100)
    device.select()
    kind = torch.bfloat16
    net = Decoder(size).to(device.name, kind).eval()
    millions = sum(one.numel() for one in net.parameters()) / 1e6
    for batch in BATCHES:
        prompt = torch.randint(size.vocabulary, (batch, context), device=device.name)
        weights = net.words.weight

        def prefill(batch: int = batch, prompt: Any = prompt, like: Any = weights) -> Any:
            cache = Cache(size, batch, like)
            net(prompt, cache)
            return cache

        cache = prefill()

        def decode(cache: Any = cache, word: Any = prompt[:, :1]) -> None:
            cache.filled = context  # each word as the first one after the prompt
            net(word, cache)

        note = (
            f"{millions:.0f} M parameters, BF16, batch {batch}, {context} tokens before"
        )
        for what, run, tokens in (
            ("prefill", prefill, batch * context),
            ("decode", decode, batch),
        ):
            reading = measured(device, run, seconds / (2 * len(BATCHES)))
            yield reading.line(f"inference.{what}.b{batch}", tokens, "tokens/s", note)
