"""CPU against GPU: by hand, and by Amdahl's and the link's laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.throughput.speedup import (
    START_UP,
    Processor,
    Rates,
    gpu_tflops,
    link_gb_s,
    processor,
    rates_of,
    speedup,
)

GPUS, CPUS = load_gpus(), load_cpus()
RATES = Rates(gpu_tflops=20.0, cpu_tflops=1.0, core_tflops=0.1, link_gb_s=10.0)
work = st.floats(1e-3, 1e9)
shares = st.floats(0.0, 1.0)


def test_by_hand() -> None:
    """10 TFLOP, a fifth of them on one core, and 5 GB."""
    times = speedup(10_000.0, 5.0, RATES, 0.8).times
    assert times.serial_s == pytest.approx(20.0)
    assert times.parallel_s == pytest.approx(8.0)
    assert times.compute_s == pytest.approx(0.4)
    assert times.transfer_s == pytest.approx(0.5)
    assert times.gpu_s == pytest.approx(20.0 + 0.4 + 0.5 + START_UP.value)
    assert times.factor == pytest.approx(28.0 / times.gpu_s)


@given(work, st.floats(0.0, 1e6), shares)
def test_the_interval_holds_the_middle(gflop: float, data: float, share: float) -> None:
    """And data on the GPU already never make it slower."""
    found = speedup(gflop, data, RATES, share)
    assert found.low <= found.times.factor <= found.high
    assert found.resident_factor >= found.times.factor
    assert math.isfinite(found.high)


@given(work, st.floats(0.01, 0.99))
def test_amdahls_bound(gflop: float, share: float) -> None:
    """However fast the GPU, the serial part on one core stays."""
    endless = Rates(1e12, RATES.cpu_tflops, RATES.core_tflops, 1e12)
    bound = 1.0 + (share / (1.0 - share)) * RATES.core_tflops / RATES.cpu_tflops
    assert speedup(gflop, 0.0, endless, share).times.factor <= bound * (1 + 1e-9)


@given(work, work, shares)
def test_more_work_outweighs_the_start(one: float, other: float, share: float) -> None:
    """With the same data the factor does not fall as the operations rise."""
    small, large = sorted((one, other))
    factors = [speedup(gflop, 1.0, RATES, share).times.factor for gflop in (small, large)]
    assert factors[0] <= factors[1] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("Intel Xeon Bronze 3104", 32),
        ("Intel Xeon Gold 6126", 64),
        ("Intel Xeon E5-2640 v3", 32),
        ("Intel Xeon E5-2670 v2", 16),
        ("AMD EPYC 7401P", 16),
        ("AMD EPYC 7702", 32),
        ("AMD Ryzen 9 9950X", 64),
        ("Intel Core i9-14900K", 32),
    ],
)
def test_the_operations_of_a_core(name: str, operations: float) -> None:
    """By instruction set: 128 to 512 bits wide, one unit or two."""
    cpu = CPUS.resolve(name)
    assert cpu is not None
    assert processor(cpu).operations == operations


def test_told_figures_go_first() -> None:
    """Cores and clock of the user stand before the table's."""
    cpu = CPUS.resolve("AMD EPYC 7702")
    assert processor(cpu, 8, 3.0) == Processor(8, 3.0, 3.0, 32.0)
    assert processor(None, 8, 3.0) == Processor(8, 3.0, 3.0, 32.0)


def test_every_gpu_has_rates() -> None:
    """Whatever card and precision: finite, above zero, no more than nominal."""
    for gpu in GPUS.rows:
        assert 0.0 < link_gb_s(gpu) < 500.0
        for precision in ("fp32", "tf32", "amp", "bf16", "fp16"):
            rate = gpu_tflops(gpu, precision)
            assert 0.0 < rate < 6000.0, (gpu.name, precision)


def test_tensor_cores_are_faster() -> None:
    """Mixed precision on an RTX 3080 is quicker than FP32, on any CPU."""
    gpu = GPUS.find("RTX 3080")
    host = processor(CPUS.resolve("AMD EPYC 7702"))
    single, mixed = (rates_of(gpu, host, precision) for precision in ("fp32", "amp"))
    assert mixed.gpu_tflops > 1.5 * single.gpu_tflops
    assert mixed.cpu_tflops == single.cpu_tflops
