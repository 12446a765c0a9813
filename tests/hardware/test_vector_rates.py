"""Rates without tensor cores: each architecture of the table has them, with a source."""

from __future__ import annotations

import math

import pytest

from advisor.hardware.gpus import load_gpus
from advisor.hardware.vector_rates import vector_rates

GPUS = load_gpus()


def test_every_gpu_is_covered() -> None:
    """By architecture and compute capability; only Intel's Arc has no FP64."""
    for gpu in GPUS.rows:
        rates = vector_rates(gpu)
        assert rates.source != "in no table", gpu.name
        assert math.isnan(rates.fp64) == (gpu.architecture == "Xe-HPG")
        for rate in (rates.fp64, rates.fp64_matrix, rates.fp16, rates.int32):
            assert math.isnan(rate) or 0.0 < rate <= 4.0


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("RTX 4090", 1.29),
        ("RTX 3090", 0.556),
        ("RTX A4000", 0.30),
        ("T4", 0.254),
        ("A100-SXM4-80GB", 9.7),
        ("H100-SXM5-80GB", 33.5),
        ("V100-SXM2-16GB", 7.8),
        ("RTX 5090", 1.64),
    ],
)
def test_published_rates_in_double_precision(name: str, tflops: float) -> None:
    """As the data sheets and whitepapers have them."""
    gpu = GPUS[name]
    assert gpu.fp32_tflops * vector_rates(gpu).fp64 == pytest.approx(tflops, rel=0.03)
