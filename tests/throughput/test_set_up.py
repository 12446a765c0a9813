"""What runs of a user say of the user's set-up: the laws of learning from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.arrays import FloatArray
from advisor.hardware.description import Description
from advisor.hardware.machines import Machines
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.predict import measure, predict
from advisor.throughput.set_up import (
    LARGE,
    MOST_OF_A_CARD,
    Errors,
    differences,
    learn,
)
from advisor.throughput.shared import gpu_errors
from advisor.throughput.spread import Z90
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import OtherRun, UserRun
from advisor.workloads.load import load_workload
from advisor.workloads.profile import Workload

TABLES = load_tables()
CARDS = [gpu for gpu in TABLES.gpus.values() if math.isfinite(gpu.memory_bandwidth_gb_s)]
SEVERAL = ("resnet50", "bert-base", "gpt2-124m", "llama-8b-lora", "sd15-lora")


def errors_of(name: str, *ran: int) -> Errors:
    """Return the errors for all cards, and after them for the runs on some of them."""
    workload = load_workload(name)
    features = GpuFeatures.of(CARDS, workload.precision)
    keys = [WorkloadKey.of(workload)] * len(CARDS)
    errors, code = gpu_errors(TABLES.model.gpu, features, keys)
    return errors.take(np.append(code, code[list(ran)]))


def shift_of(name: str, off: float, *ran: int) -> FloatArray:
    each = np.ones(len(ran))
    found, _ = learn(errors_of(name, *ran), off * each, 0.003 * each)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
@given(
    size=st.floats(math.log(2.0), math.log(20.0)),
    faster=st.booleans(),
    ran=st.lists(st.integers(0, len(CARDS) - 1), min_size=1, max_size=3),
)
@settings(max_examples=40)
def test_a_large_surprise_is_the_set_ups(
    name: str, size: float, faster: bool, ran: list[int]
) -> None:
    """Runs off by one factor of two or more: no ratio of GPUs moves by a tenth of it."""
    shift = shift_of(name, size if faster else -size, *ran)
    assert np.ptp(shift) < 0.1 * size


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_a_card_is_predicted_as_it_ran(name: str) -> None:
    """A large surprise on a card moves that card by nearly all of it."""
    for card in range(0, len(CARDS), 7):
        shift = shift_of(name, math.log(3.0), card)
        assert shift[card] == pytest.approx(math.log(3.0), abs=0.06)


@given(
    off=st.floats(-1.6, 1.6),
    more=st.floats(1e-3, 1.0),
    ran=st.lists(st.integers(0, len(CARDS) - 1), min_size=1, max_size=3),
)
@settings(max_examples=8)
def test_what_ran_faster_is_predicted_faster(
    off: float, more: float, ran: list[int]
) -> None:
    """Of two sets of runs the faster one never makes a card slower."""
    slow, fast = (shift_of("bert-base", size, *ran) for size in (off, off + more))
    assert np.all(fast > slow)


def test_a_small_surprise_is_in_part_the_machines() -> None:
    """Where cards differ much, a run 16 % off moves the card that ran more than another.

    A run off by a factor of two moves both alike: the bound on a card is for those.
    """
    card = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    shared = 0.001 + 0.03 * card
    errors = Errors(shared, np.diag(shared) + 0.001, np.zeros(3, dtype=np.int64))
    small, large = (
        learn(errors, np.full(1, off), np.full(1, 0.001))[0] for off in (0.15, LARGE)
    )
    assert small[0] - small[1] > 0.09
    assert 0.0 <= large[0] - large[1] <= 2.0 * MOST_OF_A_CARD


def test_no_surprise_moves_nothing_and_tells_much() -> None:
    """A run as predicted leaves every rate, and narrows the interval of its card."""
    errors = errors_of("resnet50", 5)
    shift, sd = learn(errors, np.zeros(1), np.full(1, 0.0025))
    assert shift == pytest.approx(0.0, abs=1e-12)
    assert sd[5] < 0.5 * math.sqrt(errors.variance[5])


def test_two_machines_of_a_user_differ_less_than_they_err() -> None:
    """The level of the set-up is no part of their difference, however wide it is."""
    errors = errors_of("sd15-lora", 3)
    apart = differences(errors, np.full(1, 0.4), np.full(1, 0.0025))
    alone = errors.variance[:-1]
    assert np.all(apart <= alone[:, None] + alone[None, :] + 1e-12)
    assert np.all(apart >= 0.0)
    assert apart == pytest.approx(apart.T)


def machine(card: str) -> Machines:
    memory = TABLES.gpus[card].memory_gb
    told = Description(card, 1, memory, "AMD EPYC 9554 64-Core Processor", 1024.0, None)
    return told.machine(TABLES.gpus, TABLES.cpus, TABLES.model.cpu)


def rate_of(
    workload: Workload, card: str, *runs: UserRun, others: Sequence[OtherRun] = ()
) -> float:
    measured = measure(
        runs, workload, TABLES.model, TABLES.gpus, TABLES.cpus, others=others
    )
    found = predict(machine(card), workload, TABLES.model, measured=measured)
    return float(found.samples_per_s[0])


def run_of(workload: Workload, card: str, factor: float) -> UserRun:
    """Return a run that was `factor` times as fast as predicted."""
    return UserRun(
        *(workload.name, card, 1, factor * rate_of(workload, card)),
        *("AMD EPYC 9554 64-Core Processor", 1024.0, None),
        *(workload.batch_size, workload.precision),
    )


@pytest.mark.parametrize("ran", ["RTX 3090", "A100-SXM4-80GB", "RTX 5090"])
def test_ratios_of_cards_stay(ran: str) -> None:
    """A run at half the speed halves every card, within a tenth of the surprise."""
    workload = load_workload("bert-base")
    cards = ("RTX 3060", "RTX 4090", ran)
    runs = (run_of(workload, ran, 0.5),)
    moved = [math.log(rate_of(workload, c, *runs) / rate_of(workload, c)) for c in cards]
    assert max(moved) - min(moved) < 0.1 * math.log(2.0)
    assert moved[-1] == pytest.approx(-math.log(2.0), abs=0.06)


def test_a_set_up_is_known_by_its_other_workloads() -> None:
    """Three workloads at half the speed: a fourth is expected slower, with doubt."""
    asked = load_workload("resnet50")
    ran = [load_workload(name) for name in ("bert-base", "vit-b16", "resnet18")]
    runs = [OtherRun(run_of(one, "RTX 3090", 0.5), one) for one in ran]
    moved = math.log(rate_of(asked, "RTX 4090", others=runs) / rate_of(asked, "RTX 4090"))
    assert -math.log(2.0) < moved < -0.5 * math.log(2.0)
    measured = measure((), asked, TABLES.model, TABLES.gpus, TABLES.cpus, others=runs)
    assert measured is not None
    assert (measured.runs, measured.others) == (0, 3)


@pytest.mark.parametrize("factor", [1.0, 0.5, 3.0])
def test_a_surprise_elsewhere_leaves_an_interval_of_use(factor: float) -> None:
    """A workload that did not run becomes as unsure as the surprise was large."""
    asked, other = load_workload("resnet50"), load_workload("bert-base")
    ran = [OtherRun(run_of(other, "RTX 4090", factor), other)]
    measured = measure((), asked, TABLES.model, TABLES.gpus, TABLES.cpus, others=ran)
    found = [
        predict(machine("RTX 3090"), asked, TABLES.model, measured=one)
        for one in (None, measured)
    ]
    before, after = (math.log(one.high[0] / one.low[0]) for one in found)
    assert after < 1.05 * math.hypot(before, 2.0 * Z90 * math.log(factor))


def test_a_run_of_another_workload_says_nothing_of_cores() -> None:
    """One that its input pipeline held down leaves this profile's core time alone."""
    asked, other = load_workload("resnet50"), load_workload("resnet18")
    slow = OtherRun(replace(run_of(other, "RTX 3090", 0.3), threads=2.0), other)
    measured = measure((), asked, TABLES.model, TABLES.gpus, TABLES.cpus, others=[slow])
    assert measured is not None
    assert measured.cpu_ms_per_sample == asked.cpu_ms_per_sample
    assert not measured.silent
