"""What a training needs of the host's memory, by hand and by laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.workloads.host_memory import (
    MORE_PER_TRY,
    PREFETCH_FACTOR,
    PROCESS_GB,
    SYSTEM_GB,
    VALIDATION_LOADERS,
    WORKER_GB,
    WORKERS,
    HostMemory,
    failed_starts,
    host_memory,
    host_risk,
    surely_too_small,
)
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

RESNET50 = load_workload("resnet50")
LARGE = replace(
    RESNET50,
    parameters_m=70_000.0,
    trainable_parameters_m=0.0,
    weight_bytes_per_parameter=2.0,
    sharding="fsdp",
)


def need(workload: Workload, gpus: int = 1) -> HostMemory:
    return host_memory(workload, [gpus], [64])


def too_small(found: HostMemory, ram_gb: float) -> bool:
    return bool(surely_too_small(found, np.array([ram_gb]))[0])


def test_the_need_by_hand() -> None:
    """Processes, workers, their batches and the file that is mapped add up."""
    found = need(replace(RESNET50, loading="mapped"), gpus=2)
    batch_gb = 64 * RESNET50.gpu_bytes_per_sample / 1e9
    weights_gb = RESNET50.parameters_m * 4.0 / 1e3
    assert found.processes[0] == pytest.approx(2 * PROCESS_GB)
    assert found.workers[0] == pytest.approx(2 * WORKERS * WORKER_GB)
    prefetched = 2 * (PREFETCH_FACTOR * WORKERS + 1) * batch_gb
    assert found.prefetch[0] == pytest.approx(prefetched)
    assert found.weights[0] == 0.0
    assert found.page_cache[0] == pytest.approx(weights_gb)
    assert found.system[0] == SYSTEM_GB
    assert found.checkpoint[0] == pytest.approx(2 * RESNET50.checkpoint_gb)
    loader = found.workers + found.prefetch
    assert found.validation[0] == pytest.approx(VALIDATION_LOADERS * loader[0])
    reckoned = found.system + found.processes + loader + found.page_cache
    assert found.reckoned[0] == pytest.approx(reckoned[0])
    parts = reckoned + found.validation + found.checkpoint
    assert found.total[0] == pytest.approx(parts[0])


def test_a_script_states_its_workers() -> None:
    """However many threads a machine has: more of them never need more memory."""
    assert need(RESNET50).workers[0] == pytest.approx(WORKERS * WORKER_GB)
    one = host_memory(RESNET50, [1], [64], loader_workers=1.0)
    assert one.workers[0] == pytest.approx(WORKER_GB)


def test_weights_and_a_checkpoint_are_not_held_at_once() -> None:
    """The larger of the two counts; a checkpoint and a validation leave none out."""
    whole = need(replace(RESNET50, loading="whole", checkpoint_gb=0.01))
    more = need(replace(RESNET50, loading="whole", checkpoint_gb=5.0))
    assert whole.reckoned[0] == more.reckoned[0]
    assert whole.total[0] == pytest.approx(whole.reckoned[0] + whole.validation[0])
    assert more.total[0] - whole.total[0] == pytest.approx(5.0 - whole.weights[0])


def test_who_maps_the_weights_needs_less() -> None:
    """141 GB of weights loaded whole are held whole; mapped, a shard of them is."""
    whole = need(replace(LARGE, loading="whole"))
    mapped = need(replace(LARGE, loading="mapped"))
    assert whole.weights[0] == pytest.approx(140.0)
    assert mapped.total[0] < whole.total[0] - 130.0


def test_each_process_holds_the_weights_unless_they_are_sharded() -> None:
    """Four processes load four times what they do not share out."""
    sharded = replace(LARGE, loading="whole")
    copied = replace(sharded, sharding="ddp")
    assert need(sharded, gpus=4).weights[0] == pytest.approx(140.0)
    assert need(copied, gpus=4).weights[0] == pytest.approx(4 * 140.0)


def test_what_a_profile_states_stands() -> None:
    """``host_ram_gb`` replaces the sum of the parts."""
    assert need(replace(RESNET50, host_ram_gb=48.0)).total[0] == 48.0


@given(
    st.floats(0.1, 1e4),
    st.floats(0.1, 1e4),
    st.floats(1.0, 100.0),
)
def test_more_memory_is_never_riskier(need_gb: float, ram_gb: float, more: float) -> None:
    """The chance of too little falls with the memory and rises with the need."""
    needs, rams = np.array([need_gb]), np.array([ram_gb])
    risk = host_risk(needs, rams)[0]
    assert 0.0 <= risk <= 1.0
    assert host_risk(needs, rams * more)[0] <= risk
    assert host_risk(needs * more, rams)[0] >= risk


def test_what_is_just_enough_is_even_odds() -> None:
    """As much as is needed fails every other time; none surely, unknown is unknown."""
    ram = np.array([32.0, 0.0, np.nan])
    half, surely, unknown = host_risk(np.full(3, 32.0), ram)
    assert half == pytest.approx(0.5)
    assert surely == 1.0
    assert np.isnan(unknown)


@pytest.mark.parametrize("gpus", [1, 4])
def test_who_cannot_hold_whole_weights_is_surely_too_small(gpus: int) -> None:
    """140 GB that are loaded whole need as much, however unsure the other parts are."""
    whole, mapped = (
        need(replace(LARGE, loading=loading), gpus) for loading in ("whole", "mapped")
    )
    assert too_small(whole, 139.0)
    assert not too_small(whole, 141.0)
    assert not too_small(mapped, 139.0)
    assert not too_small(whole, np.nan)


def test_each_copy_of_whole_weights_counts() -> None:
    """Four processes that hold 7 GB each need 28; what a profile states stands."""
    copied = replace(LARGE, parameters_m=3_500.0, loading="whole", sharding="ddp")
    assert too_small(need(copied, gpus=4), 27.9)
    assert not too_small(need(copied, gpus=4), 28.1)
    assert not too_small(need(replace(copied, host_ram_gb=20.0), gpus=4), 27.9)


def test_a_fitted_batch_makes_no_host_surely_too_small() -> None:
    """What is prefetched of a batch that nobody asked for is a risk and no more."""
    batch = [200_000]  # 1.1 TB of prefetched images
    asked = host_memory(RESNET50, [1], batch)
    fitted = host_memory(RESNET50, [1], batch, fitted=True)
    ram = np.array([64.0])
    assert fitted.total[0] == asked.total[0] > 1000.0
    assert host_risk(fitted.total, ram)[0] > 0.99
    assert too_small(asked, 64.0)
    assert not too_small(fitted, 64.0)
    assert too_small(fitted, 1.0)  # even a process alone needs more
    stated = replace(RESNET50, host_ram_gb=500.0)
    assert too_small(host_memory(stated, [1], batch, fitted=True), 64.0)


def test_failed_starts_by_hand() -> None:
    """As much as is needed fails every other time, and then twice of it rarely does."""
    need_gb, ram = np.full(4, 32.0), np.array([32.0, 16.0, 1e6, np.nan])
    even, half, none, unknown = failed_starts(need_gb, ram)
    next_one = host_risk(need_gb, MORE_PER_TRY * need_gb)[0]
    assert even == pytest.approx(0.5 + next_one, abs=0.002)
    assert half == pytest.approx(1.0 + even, abs=0.04)
    assert none < 1e-6
    assert unknown == 0.0


@given(st.floats(0.1, 1e4), st.floats(0.0, 1e4), st.floats(1.0, 100.0))
def test_failed_starts_are_few_and_follow_the_risk(
    need_gb: float, ram_gb: float, more: float
) -> None:
    """At least the risk of the first, never many; more memory means no more of them."""
    needs, rams = np.array([need_gb]), np.array([ram_gb])
    some = failed_starts(needs, rams)[0]
    assert host_risk(needs, rams)[0] <= some <= 4.0
    assert failed_starts(needs, rams * more)[0] <= some + 1e-12
