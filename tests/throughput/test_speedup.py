"""CPU against GPU: by hand, and by Amdahl's and the link's laws."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.throughput.arithmetic import (
    ARITHMETICS,
    Arithmetic,
    Processor,
    gpu_tflops,
    link_gb_s,
    processor,
    vector_tflops,
)
from advisor.throughput.functions import FUNCTIONS
from advisor.throughput.speedup import (
    KERNEL_LAUNCH,
    START_UP,
    Rates,
    Work,
    function_work,
    product_work,
    rates_of,
    speedup,
)

GPUS, CPUS = load_gpus(), load_cpus()
RATES = Rates(gpu_tflops=20.0, cpu_tflops=1.0, core_tflops=0.1, link_gb_s=10.0)
A4000, BRONZE = GPUS.find("RTX A4000"), CPUS.resolve("Xeon Bronze 3104")
HOST = processor(BRONZE)
gflops = st.floats(1e-3, 1e9)
shares = st.floats(0.0, 1.0)
works = st.builds(
    Work,
    gflop=gflops,
    touched_gb=st.floats(0.0, 1e3),
    data_gb=st.floats(0.0, 1e6),
    calls=st.floats(1.0, 1e6),
    parallel=shares,
    copies_each=st.booleans(),
    start_up_each=st.booleans(),
)
BOUND = Rates(20.0, 1.0, 0.1, 10.0, gpu_gb_s=400.0, cpu_gb_s=10.0)


def test_by_hand() -> None:
    """10 TFLOP, a fifth of them on one core, and 5 GB."""
    times = speedup(Work(10_000.0, data_gb=5.0, parallel=0.8), RATES).times
    assert times.serial_s == pytest.approx(20.0)
    assert times.parallel_s == pytest.approx(8.0)
    assert times.compute_s == pytest.approx(0.4)
    assert times.transfer_s == pytest.approx(0.5, rel=1e-3)
    assert times.gpu_s == pytest.approx(20.0 + 0.4 + 0.5 + START_UP.value, rel=1e-4)
    assert times.factor == pytest.approx(28.0 / times.gpu_s, rel=1e-4)


def test_memory_binds() -> None:
    """A little arithmetic on many bytes takes as long as the bytes."""
    found = speedup(Work(1.0, touched_gb=4.0, calls=10.0), BOUND)
    assert (found.cpu_bound, found.gpu_bound) == ("memory", "memory")
    assert found.times.parallel_s == pytest.approx(4.0, rel=1e-3)
    assert found.times.compute_s == pytest.approx(0.1)


def test_calls_bind() -> None:
    """The GPU waits for calls that are shorter than it takes to launch them."""
    found = speedup(Work(1e-6, calls=1e6), BOUND)
    assert found.gpu_bound == "calls"
    on_gpu = found.times.compute_s + found.times.launch_s
    assert on_gpu == pytest.approx(1e6 * KERNEL_LAUNCH.value)


@given(works)
def test_the_interval_holds_the_middle(work: Work) -> None:
    """And data on the GPU already never make it slower, copies in each call faster."""
    found = speedup(work, BOUND)
    assert found.low <= found.times.factor <= found.high
    assert found.resident_factor >= found.times.factor >= found.each.factor
    assert math.isfinite(found.high)


@given(works)
def test_from_so_many_calls_on_it_pays(work: Work) -> None:
    """At that number the GPU is faster, at the one before it is not."""
    pays = speedup(work, BOUND).calls_that_pay
    if pays is None:
        assert speedup(replace(work, calls=1e9), BOUND).times.factor <= 1.0 + 1e-6
        return
    assert speedup(replace(work, calls=pays), BOUND).times.factor >= 1.0 - 1e-6
    if pays > 1.0:
        before = speedup(replace(work, calls=pays - 1.0), BOUND)
        assert before.times.factor <= 1.0 + 1e-6


@given(gflops, st.floats(0.01, 0.99))
def test_amdahls_bound(gflop: float, share: float) -> None:
    """However fast the GPU, the serial part on one core stays."""
    endless = Rates(1e12, RATES.cpu_tflops, RATES.core_tflops, 1e12)
    bound = 1.0 + (share / (1.0 - share)) * RATES.core_tflops / RATES.cpu_tflops
    factor = speedup(Work(gflop, parallel=share), endless).times.factor
    assert factor <= bound * (1 + 1e-9)


@given(gflops, gflops, shares)
def test_more_work_outweighs_the_start(one: float, other: float, share: float) -> None:
    """With the same data the factor does not fall as the operations rise."""
    small, large = sorted((one, other))
    factors = [
        speedup(Work(gflop, data_gb=1.0, parallel=share), RATES).times.factor
        for gflop in (small, large)
    ]
    assert factors[0] <= factors[1] * (1 + 1e-6)


def test_a_product_of_matrices() -> None:
    """2 M N K operations; what is read and written is touched, and crosses the link."""
    work = product_work((100, 200, 300), "fp32")
    assert work.gflop == pytest.approx(0.012)
    assert work.touched_gb == pytest.approx(4 * (20_000 + 60_000 + 30_000) / 1e9)
    assert work.data_gb == work.touched_gb


def test_a_function_is_no_product() -> None:
    """A sum of arrays is bound by memory on both, far below the rate of products."""
    work = function_work("add", 1e7, "fp64")
    assert work.touched_gb == pytest.approx(0.24)
    found = speedup(work, rates_of(A4000, HOST, "fp64", work))
    assert (found.cpu_bound, found.gpu_bound) == ("memory", "memory")


def test_what_fits_the_cache_is_quicker() -> None:
    """A core reads small arrays from its cache."""
    small, large = (function_work("add", n, "fp64") for n in (1e4, 1e7))
    rates = [rates_of(A4000, HOST, "fp64", work) for work in (small, large)]
    assert rates[0].cpu_gb_s == 4 * rates[1].cpu_gb_s


def test_numpy_runs_functions_on_one_core() -> None:
    """Unless the user says that the code uses more."""
    work = function_work("exp", 1e6, "fp64")
    one, six, many = (
        rates_of(A4000, HOST, "fp64", work, threads).cpu_tflops
        for threads in (None, 6.0, 100.0)
    )
    assert six == pytest.approx(6 * one)
    assert many == six


def test_double_precision_on_a_card_for_games() -> None:
    """A 64th of FP32 there, a half on a card for computing; half the rate on a CPU."""
    for name, ratio in (("RTX 4090", 64.0), ("H100-PCIe-80GB", 2.0)):
        gpu = GPUS.find(name)
        assert gpu.fp32_tflops / vector_tflops(gpu, "fp64") == pytest.approx(
            ratio, rel=0.01
        )
    single, double = (rates_of(A4000, HOST, kind) for kind in ("fp32", "fp64"))
    assert single.cpu_tflops == pytest.approx(2 * double.cpu_tflops)


@pytest.mark.parametrize(
    ("function", "precision"), [("sin", "int64"), ("add", "tf32"), ("exp", "amp")]
)
def test_what_has_no_such_function(function: str, precision: Arithmetic) -> None:
    """Integers have no sine, and tensor cores no functions of each number."""
    with pytest.raises(UsageError, match=f"{precision} has no {function}"):
        function_work(function, 1e6, precision)


def test_a_gpu_without_double_precision() -> None:
    """It is said, not taken for nothing."""
    with pytest.raises(UsageError, match="Arc A770 has no FP64"):
        rates_of(GPUS.find("Arc A770"), HOST, "fp64")


def test_the_slower_end_of_the_link_counts() -> None:
    """A card of PCIe 4 in a host of PCIe 3 copies at the host's rate."""
    assert link_gb_s(A4000, HOST) == pytest.approx(link_gb_s(A4000) / 2, rel=0.01)


def test_every_function_has_a_cost() -> None:
    """More in double precision, and less with wide vectors."""
    for function in FUNCTIONS.values():
        assert function.double >= function.double_wide > 0.0
        assert function.single >= function.single_wide > 0.0
        assert function.double_wide >= function.single_wide
        assert function.gpu_double >= function.gpu_single >= 1.0


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
        ("Intel Xeon E3-1220 v5", 32),
    ],
)
def test_the_operations_of_a_core(name: str, operations: float) -> None:
    """By instruction set: 128 to 512 bits wide, one unit or two."""
    cpu = CPUS.resolve(name)
    assert cpu is not None
    assert processor(cpu).operations == operations


@pytest.mark.parametrize(
    ("name", "channels", "mt_s"),
    [
        ("AMD Ryzen Threadripper 1950X", 4, 2667),
        ("AMD Ryzen Threadripper 3960X", 4, 3200),
        ("AMD Ryzen Threadripper 7980X", 4, 5200),
        ("AMD Ryzen Threadripper 9970X", 4, 6400),
        ("AMD Ryzen Threadripper PRO 3995WX", 8, 3200),
        ("AMD Ryzen Threadripper PRO 5975WX", 8, 3200),
        ("AMD Ryzen Threadripper PRO 7975WX", 8, 5200),
        ("AMD Ryzen Threadripper PRO 9995WX", 8, 6400),
        ("Intel Xeon w9-3495X", 8, 4800),
        ("Intel Xeon w5-2465X", 4, 4800),
        ("Intel Xeon W-3375", 8, 3200),
        ("Intel Xeon W-2295", 4, 2933),
        ("Intel Xeon E5-1650 v3", 4, 2133),
        ("Intel Core i9-10980XE", 4, 2933),
        ("AMD EPYC 4564P", 2, 5200),
        ("AMD EPYC 4565P", 2, 5600),
        ("AMD EPYC 8534P", 6, 4800),
        ("AMD EPYC 7702", 8, 3200),
        ("AMD EPYC 9654", 12, 4800),
        ("AMD EPYC 9475F", 12, 6000),
        ("Intel Xeon 6787P", 8, 6400),
        ("Intel Xeon 6980P", 12, 6400),
    ],
)
def test_the_memory_of_a_host_is_that_of_its_line(
    name: str, channels: int, mt_s: int
) -> None:
    """Channels x transfers x 8 bytes: an EPYC with the socket of desktops has two."""
    cpu = CPUS.resolve(name)
    assert cpu is not None
    expected = channels * mt_s * 8 / 1000
    assert processor(cpu).memory_gb_s == pytest.approx(expected, rel=2e-3)


def test_stated_figures_go_first() -> None:
    """Cores and clock of the user stand before the table's."""
    cpu = CPUS.resolve("AMD EPYC 7702")
    stated = processor(cpu, 8, 3.0)
    assert (stated.cores, stated.ghz, stated.core_ghz, stated.operations) == (
        8,
        3.0,
        3.0,
        32.0,
    )
    assert processor(None, 8, 3.0) == Processor(8, 3.0, 3.0, 32.0)


def test_every_gpu_has_rates() -> None:
    """Whatever card and precision: finite, above zero, no more than nominal."""
    for gpu in GPUS.rows:
        assert 0.0 < link_gb_s(gpu) < 500.0
        for precision in ARITHMETICS:
            if precision == "fp64" and gpu.architecture == "Xe-HPG":
                continue
            rate = gpu_tflops(gpu, precision)
            assert 0.0 < rate < 6000.0, (gpu.name, precision)


def test_tensor_cores_are_faster() -> None:
    """Mixed precision on an RTX 3080 is quicker than FP32, on any CPU."""
    gpu = GPUS.find("RTX 3080")
    host = processor(CPUS.resolve("AMD EPYC 7702"))
    single, mixed = (rates_of(gpu, host, precision) for precision in ("fp32", "amp"))
    assert mixed.gpu_tflops > 1.5 * single.gpu_tflops
    assert mixed.cpu_tflops == single.cpu_tflops
