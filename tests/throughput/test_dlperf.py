"""A machine's own score: what it changes, by how much, and where it says nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import load_gpus
from advisor.hardware.machines import describe
from advisor.market.offers import parse_offers
from advisor.throughput.artifact import load_model
from advisor.throughput.dlperf import (
    BROKEN_LOG_SD,
    EXPONENT,
    FACTOR_BOUNDS,
    USUAL,
    DlperfAdjustment,
    dlperf_adjustment,
)
from advisor.throughput.predict import predict
from advisor.training.folder import DLPERF, FEWEST_MACHINES, load_dlperf_medians
from advisor.workloads.load import load_workload

GPUS, CPUS, MODEL = load_gpus(), load_cpus(), load_model(models_folder())
MEDIANS = {"RTX 4090": {"1": 100.0, "2": 80.0}}
SHARES = st.floats(0.001, 1000.0)


def judge(*records: dict[str, Any]) -> DlperfAdjustment:
    offers, excluded = parse_offers(records)
    assert not excluded
    return dlperf_adjustment(offers, describe(offers, GPUS, CPUS, MODEL.cpu), MEDIANS)


def raised(found: DlperfAdjustment) -> set[str]:
    return {name for name, holds in found.flags.items() if holds[0]}


@given(share=SHARES)
def test_the_factor_is_bounded(plain_record: Mapping[str, Any], share: float) -> None:
    """Whatever the score, the rate changes within the bounds, and the spread with it."""
    found = judge(plain_record | {"dlperf": 100.0 * share})
    low, high = FACTOR_BOUNDS
    assert low * (1 - 1e-12) <= found.factor[0] <= high * (1 + 1e-12)
    assert found.log_sd[0] >= abs(math.log(found.factor[0])) - 1e-12


@given(share=st.floats(1.001 / USUAL, 0.999 * USUAL))
def test_a_usual_score_changes_nothing(
    plain_record: Mapping[str, Any], share: float
) -> None:
    """Within the usual scatter the factor is 1, no spread is added, no flag raised."""
    found = judge(plain_record | {"dlperf": 100.0 * share})
    assert found.factor[0] == 1.0
    assert found.log_sd[0] == 0.0
    assert raised(found) == set()


@given(shares=st.tuples(st.floats(0.26, 3.9), st.floats(0.26, 3.9)))
def test_a_better_score_is_never_slower(
    plain_record: Mapping[str, Any], shares: tuple[float, float]
) -> None:
    """Where the score can be right, the factor does not fall when it rises."""
    less, more = (
        judge(plain_record | {"dlperf": 100.0 * share}).factor[0]
        for share in sorted(shares)
    )
    assert less <= more * (1 + 1e-12)


def test_half_the_median_by_hand(record: dict[str, Any]) -> None:
    """A score of half the median: the part below the usual scatter, to the exponent."""
    found = judge(record | {"dlperf": 50.0})
    assert found.factor[0] == pytest.approx((0.5 * 1.1) ** EXPONENT)
    assert raised(found) == {"dlperf_low"}


@given(scale=st.floats(0.3, 3.0), count=st.sampled_from([1, 2]))
def test_the_score_is_of_all_gpus_together(
    plain_record: Mapping[str, Any], scale: float, count: int
) -> None:
    """Twice the GPUs with twice the median of theirs are as healthy as one."""
    each = MEDIANS["RTX 4090"][str(count)] * scale
    found = judge(plain_record | {"num_gpus": count, "dlperf": count * each})
    alone = judge(plain_record | {"dlperf": 100.0 * scale})
    assert found.factor[0] == pytest.approx(alone.factor[0])


def test_the_share_of_the_machine_does_not_matter(record: dict[str, Any]) -> None:
    """An eighth of a machine is judged by its own GPUs' score, as a whole one is."""
    parts = [record | {"dlperf": 60.0, "gpu_frac": part} for part in (0.125, 1.0)]
    eighth, whole = (judge(part).factor[0] for part in parts)
    assert eighth == pytest.approx(whole)
    assert whole < 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"dlperf": None},
        {"dlperf": 0.0},
        {"gpu_name": "RTX 3090", "dlperf": 1.0},  # no median of this GPU
        {"num_gpus": 4, "dlperf": 100.0},  # none of this number
        {"gpu_name": "RTX 9999", "dlperf": 1.0},  # in no table
        {"gpu_ram": 49140, "dlperf": 130.0},  # other memory than it was sold with
    ],
)
def test_nothing_to_compare_with_changes_nothing(
    record: dict[str, Any], change: dict[str, Any]
) -> None:
    """Without a score or a fair median the factor is 1 and nothing is flagged."""
    found = judge(record | change)
    assert (found.factor[0], found.log_sd[0]) == (1.0, 0.0)
    assert raised(found) == set()


@pytest.mark.parametrize("score", [3.0, 24.0, 420.0])
def test_a_score_that_cannot_be_right_only_widens(
    record: dict[str, Any], score: float
) -> None:
    """Far from the median a score is broken: flagged, wider, and no factor."""
    found = judge(record | {"dlperf": score})
    assert found.factor[0] == 1.0
    assert found.log_sd[0] == BROKEN_LOG_SD
    assert raised(found) == {"dlperf_broken"}


@pytest.mark.parametrize(
    ("score", "flags"), [(60.0, {"dlperf_broken"}), (97.0, set()), (130.0, set())]
)
def test_a_score_without_a_cpu_never_changes_the_rate(
    record: dict[str, Any], score: float, flags: set[str]
) -> None:
    """On a host with a null CPU a low score is broken and a high one is no merit."""
    nothing = {"cpu_name": None, "cpu_cores": None, "cpu_cores_effective": 0.0}
    found = judge(record | nothing | {"dlperf": score})
    assert found.factor[0] == 1.0
    assert raised(found) == flags


def test_other_offers_do_not_count(record: dict[str, Any]) -> None:
    """An offer is judged alike alone and among a hundred poor ones."""
    poor = [record | {"id": 1000 + i, "dlperf": 30.0} for i in range(100)]
    among = judge(record, *poor).factor[0]
    assert among == pytest.approx(judge(record).factor[0])


def test_the_factor_is_on_the_gpus_and_the_spread_on_the_interval(
    record: dict[str, Any],
) -> None:
    """A factor scales the limit of the GPUs; a spread widens and moves nothing."""
    offers, _ = parse_offers([record])
    machines, workload = (
        describe(offers, GPUS, CPUS, MODEL.cpu),
        load_workload("bert-base"),
    )
    plain, slower, wider = (
        predict(machines, workload, MODEL, adjustment)
        for adjustment in (
            None,
            DlperfAdjustment(np.array([0.8]), np.array([0.0]), {}),
            DlperfAdjustment(np.array([1.0]), np.array([0.3]), {}),
        )
    )
    assert slower.limits["gpu"] == pytest.approx(0.8 * plain.limits["gpu"])
    assert wider.samples_per_s == pytest.approx(plain.samples_per_s)
    assert wider.high / wider.low > 1.1 * plain.high / plain.low


def test_the_artifact_holds_the_medians_of_the_table() -> None:
    """What judges is the shipped table, where enough machines stand behind it."""
    medians = load_dlperf_medians(models_folder() / DLPERF)
    assert MODEL.dlperf == medians
    assert set(medians) <= set(GPUS)
    assert medians["RTX 4090"]["1"] == pytest.approx(97, rel=0.03)


def test_a_median_of_few_machines_judges_nobody(tmp_path: Path) -> None:
    """A median of fewer than five machines stays in the table only."""
    table = tmp_path / "dlperf.csv"
    few, enough = FEWEST_MACHINES - 1, FEWEST_MACHINES
    table.write_text(
        "gpu,num_gpus,dlperf_per_gpu_median,machines,source\n"
        f"A,1,10.0,{enough},x\nA,2,9.0,{few},x\nB,1,5.0,{few},x\n"
    )
    assert load_dlperf_medians(table) == {"A": {"1": 10.0}}


def test_real_hosts_without_a_cpu_are_broken(real_data: Path) -> None:
    """On the real offers every score of a host without threads is found broken."""
    records = [
        offer
        for path in sorted((real_data / "offers").glob("*.json"))
        for offer in json.loads(path.read_text())["offers"]
    ]
    offers, _ = parse_offers(records)
    machines = describe(offers, GPUS, CPUS, MODEL.cpu)
    found = dlperf_adjustment(offers, machines, MODEL.dlperf)
    known = np.array(
        [
            f"{count:.0f}" in MODEL.dlperf.get(gpu.name, {})
            for gpu, count in zip(machines.gpu, offers.num_gpus, strict=True)
        ]
    )
    without = machines.flags["cores_unknown"] & known
    assert without.sum() >= 6
    assert found.flags["dlperf_broken"][without].all()
    assert found.flags["dlperf_broken"][~without & known].mean() < 0.01


def test_a_cap_is_not_counted_twice(record: dict[str, Any]) -> None:
    """A low score of a capped card slows by what the cap has not, and is flagged."""
    low = {"dlperf": 50.0}
    alone, both = judge(record | low), judge(record | low | {"gpu_max_power": 400.0})
    state = describe(
        parse_offers([record | {"gpu_max_power": 400.0}])[0], GPUS, CPUS, MODEL.cpu
    ).gpu_state[0]
    assert both.factor[0] * state == pytest.approx(alone.factor[0])
    assert raised(both) == {"dlperf_low"}
    deep = judge(record | {"dlperf": 85.0, "gpu_max_power": 200.0})
    assert deep.factor[0] == 1.0  # the cap explains more than the score


@pytest.mark.slow
@given(
    limits=st.tuples(st.floats(50.0, 900.0), st.floats(50.0, 900.0)),
    score=st.none() | st.floats(30.0, 300.0),
)
def test_more_power_is_never_a_slower_prediction(
    plain_record: Mapping[str, Any], limits: tuple[float, float], score: float | None
) -> None:
    """Whatever the score says, a higher limit of the power does not lower the rate."""
    workload = load_workload("bert-base")
    rates = []
    for limit in sorted(limits):
        change = {"gpu_max_power": limit, "dlperf": score}
        offers, _ = parse_offers([dict(plain_record) | change])
        machines = describe(offers, GPUS, CPUS, MODEL.cpu)
        found = dlperf_adjustment(offers, machines, MEDIANS)
        rates.append(float(predict(machines, workload, MODEL, found).samples_per_s[0]))
    assert rates[0] <= rates[1] * (1 + 1e-9)


def test_a_cap_is_less_sure(record: dict[str, Any]) -> None:
    """Two thirds of the power: slower on the GPU, and the interval wider."""
    workload = load_workload("bert-base")
    plain, capped = (
        predict(
            describe(parse_offers([record | change])[0], GPUS, CPUS, MODEL.cpu),
            workload,
            MODEL,
        )
        for change in ({}, {"gpu_max_power": 300.0})
    )
    ratio = capped.limits["gpu"][0] / plain.limits["gpu"][0]
    assert ratio == pytest.approx(0.857, abs=0.001)
    spread = [np.log(one.high[0] / one.low[0]) for one in (plain, capped)]
    assert spread[1] > spread[0]
