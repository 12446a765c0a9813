"""Nets that hear: formulas agree with what was counted and published."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from advisor.workloads.load import load_workload

Tool = Callable[[str], ModuleType]


def test_whisper_has_a_decoder(tool: Tool) -> None:
    """Small: 420 x 10^9 operations, 338 of them the encoder's; large as counted."""
    nets = tool("speech_nets")
    assert nets.WHISPER_LARGE.gflops == pytest.approx(2774.7, rel=1e-4)
    parts = {name: part / 1e9 for name, part in nets.WHISPER_SMALL.parts.items()}
    assert parts == pytest.approx(
        {
            # 12 layers x (24 d^2 x 1,500 frames + 4 x 1,500^2 d), d = 768
            "encoder": 254.8 + 82.9,
            # 2 x 3 (80 d x 3,000 + d^2 x 1,500)
            "convolutions": 1.1 + 5.3,
            # 12 x 2 x 14 d^2 x 100 tokens
            "decoder": 19.8,
            # 12 x 2 x 2 d^2 x 1,500
            "keys and values of the frames": 42.5,
            # 12 x 4 x 100 x (100 + 1,500) d
            "attention of the text": 5.9,
            "words": 2 * 51_865 * 768 * 100 / 1e9,
        },
        abs=0.06,
    )
    small = load_workload("whisper-small")
    assert small.forward_gflops_per_sample == pytest.approx(420.3, abs=0.05)


def test_what_whisper_keeps(tool: Tool) -> None:
    """The formula is within 2 % of the 3,223 MB counted on the large one."""
    nets = tool("speech_nets")
    large, small = load_workload("whisper-large"), load_workload("whisper-small")
    counted = large.activation_mb_per_sample
    assert nets.WHISPER_LARGE.kept_mb == pytest.approx(counted, rel=0.02)
    kept = nets.WHISPER_SMALL.kept_mb
    assert small.activation_mb_per_sample == pytest.approx(kept, rel=1e-3)


def test_wav2vec_has_ears(tool: Tool) -> None:
    """95 million parameters as published, 4.2 of them of its seven convolutions.

    Their operations are 60 of 185 x 10^9; they keep more than the layers do: 20 million
    numbers come from the first, of 10 B each, and 20 million from the rest, of 4 B.
    """
    ears = tool("speech_nets").wav2vec2_ears()
    convolved = 10 * 512 + 4 * 3 * 512**2 + 2 * 2 * 512**2
    rest = 512 * 768 + 128 * 768 * 48
    assert ears.parameters == convolved + rest
    outputs = [512 * 39_360 / 2**at for at in range(7)]
    assert ears.kept_bytes == pytest.approx(10 * outputs[0] + 4 * sum(outputs[1:]))
    workload = load_workload("wav2vec2-base")
    assert workload.parameters_m == pytest.approx(95.0, rel=0.01)
    assert workload.trainable_parameters_m == workload.parameters_m
    layers_gflops = 12 * (24 * 768**2 * 615 + 4 * 615**2 * 768) / 1e9
    found = workload.forward_gflops_per_sample
    assert found == pytest.approx(layers_gflops + ears.flops / 1e9, rel=1e-3)
    layers_mb = 43 * 12 * 615 * 768 / 1e6
    kept = workload.activation_mb_per_sample
    assert kept == pytest.approx(layers_mb + ears.kept_bytes / 1e6, rel=1e-3)
