"""Measured machines: what predictions take of them, there and on others of their kind."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.cost.job import Job
from advisor.hardware.core_speed import named_speed
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.hardware.power import power_factor
from advisor.market.offers import parse_offers
from advisor.measure import components
from advisor.measure.expected import expected_lines
from advisor.measure.probe.cores import Cores
from advisor.measure.verdict import judged
from advisor.ranking.rank import rank_offers
from advisor.ranking.ranking import Ranking
from advisor.throughput.card_readings import BOARD_LOG_SD
from advisor.throughput.readings import (
    REFERENCE_LOG_SD,
    REFERENCE_RATES,
    all_workers,
    thread_speed,
)
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload
from tests.measure.benches import bench

TABLES = load_tables()
CPU, OTHER = "AMD EPYC 7702 64-Core Processor", "Intel Core i7-9700K"
RESNET50, RESNET18 = load_workload("resnet50"), load_workload("resnet18")
MACHINE_ID = 4711
OFFERS = [
    {"id": 1, "machine_id": MACHINE_ID, "cpu_name": CPU},
    {"id": 2, "machine_id": 4712, "cpu_name": CPU},
    {"id": 3, "machine_id": 4713, "cpu_name": OTHER},
    {"id": 4, "machine_id": 4714, "cpu_name": CPU, "gpu_name": "H100 SXM"},
]


def ranked(
    *machines: MeasuredMachine,
    market: str = "vast",
    threads: float = 512.0,
    **more: Any,
) -> Ranking:
    usual = {
        "gpu_name": "RTX 4090",
        "num_gpus": 1,
        "cpu_cores_effective": threads,
        "dph_total": 1.0,
    }
    offers, _ = parse_offers([usual | one for one in OFFERS])
    job = Job(more.pop("workload", RESNET50), 1, 1.0, **more)
    job = replace(job, machines=machines, market=market)
    return rank_offers(offers, job, TABLES)


def machine(figures: Mapping[str, float], **more: Any) -> MeasuredMachine:
    usual = MeasuredMachine(
        *("vast", MACHINE_ID, "RTX 4090", 1, CPU, None),
        {name: Figure(value, 0.01) for name, value in figures.items()},
        number=1,
    )
    return replace(usual, **more)


def of_gpu(share: float) -> dict[str, float]:
    """Return the figures of a card at a share of what is usual for it."""
    card = TABLES.gpus["RTX 4090"]
    return {
        "gpu0.matmul.fp16": share * card.fp16_tflops * card.matmul_share,
        "gpu0.bandwidth": share * 0.87 * card.memory_bandwidth_gb_s,
    }


def of_core(share: float, cpu: str = CPU) -> dict[str, float]:
    """Return the figures of a core at a share of what its name says."""
    known = TABLES.cpus.resolve(cpu)
    assert known is not None
    thread = 1.0 if known.threads == known.cores else TABLES.model.cpu.core_per_thread
    speed = share * named_speed(known, TABLES.model.cpu).speed * thread**0.5
    return {name: rate * speed for name, rate in REFERENCE_RATES.items()}


def moved(before: Ranking, after: Ranking) -> list[float]:
    """Return by what the rates are multiplied, offer by offer."""
    ratio = after.throughput.samples_per_s / before.throughput.samples_per_s
    return [float(one) for one in ratio]


def test_a_usual_machine_changes_little() -> None:
    """What shows what was expected is as it was, and its GPUs are flagged as measured."""
    after = ranked(machine(of_gpu(1.0) | of_core(1.0)))
    assert moved(ranked(), after) == pytest.approx([1.0] * 4, rel=0.01)
    assert after.flags["gpu_measured"].tolist() == [True, False, False, False]
    assert after.flags["core_measured"].tolist() == [True, False, False, False]


def test_a_card_at_half_speed_slows_its_own_machine() -> None:
    """The rate follows matrix rate and bandwidth; other machines keep theirs."""
    after = ranked(machine(of_gpu(0.5)))
    ratio = moved(ranked(), after)
    assert ratio[0] == pytest.approx(0.5, abs=0.06)
    assert ratio[1:] == pytest.approx([1.0] * 3, abs=0.02)


HALF_RATE, FULL_RATE = "RTX 4080", "RTX 6000 Ada"
"""Cards that nobody measured: one whose kind is known to 5 %, and one to 17 %."""


def rated(card: str, share: float, number: int, limit: float = 1.0) -> MeasuredMachine:
    """Return a machine at a share of what is usual for its card, and of its power."""
    gpu = TABLES.gpus[card]
    figures = {
        "gpu0.matmul.fp16": share * gpu.fp16_tflops * gpu.matmul_share,
        "gpu0.power.limit": limit * gpu.tdp_w,
    }
    return machine(figures, gpu=card, machine_id=number, number=number)


def share_after(card: str, *machines: MeasuredMachine) -> float:
    """Return by what machines move the share of a card's matrix rate."""
    gpus = TABLES.knowing(machines).gpus
    return gpus[card].matmul_share / TABLES.gpus[card].matmul_share


@pytest.mark.parametrize("card", [HALF_RATE, FULL_RATE])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.6, 0.8, 1.3])
def test_one_odd_machine_of_a_card_that_nobody_measured_is_odd_itself(
    card: str, share: float
) -> None:
    """It moves its kind by a tenth at most, and so do two; it is slow itself.

    Of a small surprise a part may be that our bench measures all cards so.
    """
    one = share_after(card, rated(card, share, 1))
    assert min(share, 0.9) <= one <= max(share, 1.11)
    assert 0.9 <= share_after(card, *(rated(card, share, at) for at in (1, 2))) <= 1.11
    known = TABLES.knowing([rated(card, share, 1)]).known
    assert known is not None
    own = known.effect_of("vast", 1)
    assert own is not None
    # Half of the machine's rate of training follows its matrix rate.
    believed = (math.log(one) + 2.0 * own.gpu) / math.log(share)
    assert 0.5 < believed <= 1.0


@pytest.mark.parametrize("card", [HALF_RATE, FULL_RATE])
def test_three_that_agree_tell_of_their_kind(card: str) -> None:
    """However far it is; and one that is odd among them is odd itself."""
    three = [rated(card, 0.5, at) for at in (1, 2, 3)]
    assert 0.48 < share_after(card, *three) < 0.6
    assert 0.48 < share_after(card, *three, rated(card, 1.0, 4)) < 0.6
    usual = [rated(card, 1.0, at) for at in (1, 2, 3)]
    assert share_after(card, *usual, rated(card, 0.5, 4)) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("card", [HALF_RATE, FULL_RATE])
def test_a_power_limit_is_none_of_the_card_s(card: str) -> None:
    """Three that are slower by what their limit takes say nothing of the others.

    They themselves are slower by that.
    """
    left = float(power_factor(np.array([0.6]), np.array([1.0]))[0])
    three = [rated(card, left, at, limit=0.6) for at in (1, 2, 3)]
    assert share_after(card, *three) == pytest.approx(1.0, abs=0.01)
    known = TABLES.knowing(three).known
    assert known is not None
    own = known.effect_of("vast", 2)
    assert own is not None
    assert own.gpu == pytest.approx(0.5 * math.log(left), abs=0.01)


@pytest.mark.parametrize("card", [HALF_RATE, FULL_RATE])
def test_a_machine_is_judged_by_what_few_others_do_not_change(card: str) -> None:
    """A second one at half speed is at fault as the first was; where three agree not."""
    name, memory_gb = {
        HALF_RATE: ("NVIDIA GeForce RTX 4080", 16.0),
        FULL_RATE: ("NVIDIA RTX 6000 Ada Generation", 48.0),
    }[card]
    slow = rated(card, 0.5, 1)
    figure = slow.figures["gpu0.matmul.fp16"].value
    result = bench(
        {"gpu0.matmul.fp16": (figure, "TFLOP/s")}, gpus=(name,), memory_gb=memory_gb
    )

    def is_fault(*machines: MeasuredMachine) -> bool:
        expected = expected_lines(result, TABLES.knowing(machines))
        return judged(result, expected)[0].is_fault

    assert is_fault()
    assert is_fault(slow)
    assert is_fault(slow, rated(card, 0.5, 2))
    assert not is_fault(*(rated(card, 0.5, at) for at in (1, 2, 3)))


def test_kinds_of_boards_are_known_as_the_verdicts_know_them() -> None:
    """One figure in two rooms, which know nothing of each other."""
    for kind, log_sd in BOARD_LOG_SD.items():
        known = components.component("matmul.fp16", kind)
        assert known is not None, kind
        assert known.level_log_sd == pytest.approx(log_sd, abs=0.006)


def test_ids_are_of_one_market() -> None:
    """The same number on another market, or on none that is named, is another machine."""
    slow = machine(of_gpu(0.5))
    for market in ("other", ""):
        assert moved(ranked(), ranked(slow, market=market))[0] > 0.97
    own = machine(of_gpu(0.5), market="", machine_id=None)
    assert moved(ranked(), ranked(own, market=""))[0] > 0.97


def test_another_card_in_the_machine_by_now_is_not_slowed() -> None:
    """What was measured of the GPUs speaks of those that were measured."""
    before = machine(of_gpu(0.5), gpu="RTX 3090")
    assert moved(ranked(), ranked(before))[0] == pytest.approx(1.0, abs=0.02)


def test_the_market_s_score_says_nothing_more_of_a_measured_card() -> None:
    """A low DLPerf does not slow a card that was measured as usual."""
    offers, _ = parse_offers(
        [
            {
                "id": 1,
                "machine_id": MACHINE_ID,
                "cpu_name": CPU,
                "num_gpus": 1,
                "gpu_name": "RTX 4090",
                "cpu_cores_effective": 64,
                "dph_total": 1.0,
                "dlperf": 40.0,
            }
        ]
    )
    job = Job(RESNET50, 1, 1.0, market="vast")
    low = rank_offers(offers, job, TABLES)
    known = replace(job, machines=(machine(of_gpu(1.0)),))
    assert low.adjustment.factor[0] < 0.95
    assert rank_offers(offers, known, TABLES).adjustment.factor[0] == 1.0


def test_a_slow_core_slows_what_it_feeds() -> None:
    """Its own machine most, machines with the same CPU in part, others not at all."""
    slow = machine(of_core(0.7, OTHER), machine_id=4713, cpu=OTHER)
    starved = {"threads": 2.0, "workload": RESNET18}
    ratio = moved(ranked(**starved), ranked(slow, **starved))
    assert ratio[2] < 0.92
    assert [ratio[0], ratio[1], ratio[3]] == pytest.approx([1.0] * 3, abs=1e-9)
    slow = machine(of_core(0.7))
    ratio = moved(ranked(**starved), ranked(slow, **starved))
    assert ratio[0] <= ratio[1] < 0.99
    assert ratio[2] == pytest.approx(1.0, abs=1e-9)


@given(st.integers(1, 6))
@settings(max_examples=6)
def test_more_machines_of_a_cpu_say_more_of_it(count: int) -> None:
    """The next one of that CPU follows them further, and is better known."""

    def with_several(number: int) -> Ranking:
        several = [
            machine(of_core(0.85), machine_id=100 + at, number=at + 1)
            for at in range(number)
        ]
        return ranked(*several)

    few, more = with_several(count), with_several(count + 1)
    assert more.machines.core_speed[1] < few.machines.core_speed[1]
    assert more.machines.core_speed_log_sd[1] <= few.machines.core_speed_log_sd[1]


def test_one_machine_measured_often_is_one_machine() -> None:
    """Its CPU is known from it as from one; so where a machine of one's own has no id."""
    again = [
        machine(of_core(0.85), machine_id=None, market="", number=at) for at in (1, 2, 3)
    ]
    other = [machine(of_core(0.85), machine_id=at, number=at) for at in (1, 2, 3)]
    assert ranked(*again).model_identity["rests_on"]["measured_machines"] == 1
    assert ranked(*other).model_identity["rests_on"]["measured_machines"] == 3
    often, several = ranked(*again), ranked(*other)
    assert often.machines.core_speed_log_sd[1] > several.machines.core_speed_log_sd[1]


def test_what_a_thread_does_beside_busy_ones_is_what_the_machine_feeds_with() -> None:
    """The input pipeline's rate is that of all workers, as they were measured."""
    busy = {
        "decode.pillow.w4.core": 0.3 * REFERENCE_RATES["decode.pillow.core"],
        **of_core(1.0),
    }
    after = ranked(machine(busy, cores=4.0), threads=4.0).machines
    assert after.cores[0] * after.core_speed[0] == pytest.approx(4 * 0.3, rel=1e-6)


@given(st.floats(0.1, 500.0))
def test_a_quota_is_rounded_as_the_bench_rounds_it(quota: float) -> None:
    """A machine of 15.5 cores has figures of 16 workers, which tell of its threads."""
    assert all_workers(quota) == Cores(512, 512, quota, None).workers


def test_the_threads_of_a_quota_that_is_not_whole_are_known() -> None:
    """Their speed is in the line of as many workers as the bench has for it."""
    name = "decode.pillow.w16.core"
    found = machine({name: 0.3 * REFERENCE_RATES["decode.pillow.core"]}, cores=15.5)
    assert thread_speed(found) == pytest.approx(0.3)


def test_a_slow_launch_slows_what_launches_bind() -> None:
    """Where kernels of a small net bind, and nothing else."""
    slow = machine({"gpu0.launch": 40e3})
    before, after = ranked(), ranked(slow)
    ratio = after.throughput.limits["launch"] / before.throughput.limits["launch"]
    assert ratio[0] < ratio[1] < 1.0
    assert ratio[2] == pytest.approx(1.0)
    gpu = after.throughput.limits["gpu"] / before.throughput.limits["gpu"]
    assert gpu == pytest.approx(np.ones(4))


def test_links_disk_and_threads_are_as_measured() -> None:
    """More threads than the market grants are none; fewer are."""
    found = machine({"gpu0.h2d.pinned": 6.5, "disk.read.sequential": 321.0}, cores=4.0)
    after = ranked(found, threads=16.0).machines
    assert after.host_to_gpu_gb_s[0] == 6.5
    assert after.disk_mb_s[0] == 321.0
    assert after.threads.tolist() == [4.0, 16.0, 8.0, 16.0]  # an i7-9700K has 8
    assert after.cores[0] == after.cores[1] / 4.0
    assert ranked(replace(found, cores=64.0), threads=16.0).machines.threads[0] == 16.0


def test_a_run_on_a_slow_machine_does_not_speak_of_the_set_up() -> None:
    """What the machine's own bench explains is no other set-up's."""
    slow = machine(of_gpu(0.5))
    usual = ranked().throughput.samples_per_s
    run = UserRun(
        *("resnet50", "RTX 4090", 1, 0.5 * float(usual[1]), CPU, 512.0, None),
        *(RESNET50.batch_size, RESNET50.precision),
    )
    ran = replace(run, bench=1)
    without = ranked(runs=(run,)).throughput.samples_per_s / usual
    explained = ranked(slow, runs=(ran,)).throughput.samples_per_s / usual
    assert without[1] < 0.7
    assert explained[1] == pytest.approx(1.0, abs=0.1)
    assert explained[0] == pytest.approx(0.5, abs=0.08)


def test_synthetic_samples_speak_of_the_gpu_on_any_host() -> None:
    """A run without a loader is bound by the GPU where the profile's would bind."""
    usual = ranked()
    rate = 0.7 * float(usual.throughput.samples_per_s[1])
    run = UserRun(
        *("resnet50", "RTX 4090", 1, rate, CPU, 2.0, None),
        *(RESNET50.batch_size, RESNET50.precision),
        loader="synthetic",
    )
    after = ranked(runs=(run,))
    assert after.measured is not None
    assert (after.measured.runs, after.measured.silent) == (1, ())
    assert len(after.measured.residual) == 1


def test_the_reference_core_is_the_one_of_the_verdicts() -> None:
    """One figure in two rooms, which know nothing of each other."""
    for line, rate in REFERENCE_RATES.items():
        known = components.component(line, components.ANY_CORE)
        assert known is not None, line
        assert known.value == rate
        assert known.level_log_sd == pytest.approx(REFERENCE_LOG_SD, abs=0.005)


def test_matrix_rates_differ_between_machines_as_is_said() -> None:
    """The scale that is stated is that of the published figures of one card."""
    path = Path(__file__).parents[2] / "models" / "sources" / "gpu_matmul.csv"
    if not path.exists():
        pytest.skip("the sources of the tables are not there")
    by_card: dict[str, list[float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "one shape" and row["fp16_matmul_tflops"]:
                by_card.setdefault(row["gpu_name"], []).append(
                    math.log(float(row["fp16_matmul_tflops"]))
                )
    off = [
        abs(value - float(np.median(values)))
        for values in by_card.values()
        if len(values) > 1
        for value in values
    ]
    scale = 1.4826 * float(np.median([one for one in off if one > 0.0]))
    assert 0.02 < scale < 0.04


SHARES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-9, 0.01, 0.3, 1.0, 3.0])
LIES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("decode.pillow.core", "decode.opencv.core", "core.zlib", "gpu0.launch"),
            *("gpu0.matmul.fp16", "gpu0.bandwidth", "gpu0.h2d.pinned"),
            *("disk.read.sequential", "decode.pillow.w2.core", "cores.granted"),
        ),
        SHARES,
    ),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(lies=LIES, cores=st.sampled_from([None, 5e-324, 0.01, 2.0, 1e5]))
def test_one_machine_s_lies_move_no_other_much(
    lies: dict[str, float], cores: float | None
) -> None:
    """Nor is any rate lost, on that machine either, whatever it says was measured."""
    usual = of_core(1.0) | of_gpu(1.0) | {"gpu0.launch": 2e5, "gpu0.h2d.pinned": 25.0}
    figures = {name: share * usual.get(name, 1e3) for name, share in lies.items()}
    liar = replace(
        machine({}), cores=cores, figures={n: Figure(v) for n, v in figures.items()}
    )
    ratios = moved(ranked(), ranked(liar))
    assert all(0.0 <= ratio < 20.0 for ratio in ratios)
    assert all(0.85 < ratio < 1.15 for ratio in ratios[1:])
