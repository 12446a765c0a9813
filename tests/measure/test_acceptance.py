"""A measured machine is kept, unless it is slow and moving saves more than it costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import advisor
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.measure.acceptance import (
    Acceptance,
    Prospect,
    accepted,
    better_of,
    lasting,
    misfit_of,
    verdicts_of,
)
from advisor.measure.alike import Seen
from advisor.measure.bench import BenchResult, parse_bench
from advisor.measure.offered import expected_of
from advisor.measure.probe.lines import Check, Line
from advisor.measure.rate_left import rate_share
from advisor.measure.verdict import Verdict
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import Policy
from advisor.ranking.rank import rank_offers
from advisor.ranking.ranking import Ranking
from advisor.throughput.tables import load_tables
from tests.measure.benches import bench, document

UNITS = {
    "cores.granted": "cores",
    "cores.delivered": "cores",
    "core.zlib": "MB/s",
    "decode.pillow.core": "images/s",
    "decode.opencv.core": "images/s",
    "disk.read.random": "reads/s",
    "gpu0.launch": "kernels/s",
    "gpu0.matmul.fp16": "TFLOP/s",
    "gpu0.matmul.bf16": "TFLOP/s",
    "gpu0.bandwidth": "GB/s",
}
NAMES = {"RTX 4090": ("NVIDIA GeForce RTX 4090", 25.77)}


def ranked(workload: str, **more: Any) -> Ranking:
    """Return the single RTX 4090 of a day, the best first."""
    found = advisor.rank(
        workload, market="sample", gpus=["RTX 4090"], num_gpus=[1], **more
    )
    assert len(found) >= 2
    return found


@pytest.fixture(scope="module")
def long() -> Ranking:
    """Return offers for days of training that the card bounds."""
    return ranked("bert-base", epochs=60)


@pytest.fixture(scope="module")
def pictures() -> Ranking:
    """Return offers for hours of training that takes many pictures."""
    return ranked("resnet50", epochs=90)


@pytest.fixture(scope="module")
def every() -> Ranking:
    """Return the same on all cards of the day."""
    return advisor.rank("resnet50", market="sample", epochs=90)


def measured(
    offer: RankedOffer,
    shares: Mapping[str, float] | None = None,
    **more: Any,
) -> BenchResult:
    """Return the bench of a machine that does a share of what is expected of it."""
    cpu = {"cpu": str(offer.cpu_name or "")}
    ones = {name: (1.0, unit) for name, unit in UNITS.items()}
    granted = (float(offer.ranking.machines.threads[offer.at]), "cores")
    plain = bench({**ones, "cores.granted": granted}, **cpu, **more)
    expected = expected_of(plain, offer)
    shares = shares or {}
    lines = {
        name: (expected[name].value * shares.get(name, 1.0), unit)
        for name, unit in UNITS.items()
        if name in expected
    }
    return bench(lines, **cpu, **more)


def judged(
    offer: RankedOffer,
    following: RankedOffer | None,
    shares: Mapping[str, float] | None = None,
    paid_s: float = 60.0,
) -> Acceptance:
    verdicts = verdicts_of(measured(offer, shares), offer)
    return accepted(offer, following, verdicts, paid_s)


def test_a_machine_that_does_what_it_should_is_kept(long: Ranking) -> None:
    """All of its figures are compared; none is a fault."""
    came = judged(long[0], long[1])
    assert came.is_kept
    assert came.faults == ()
    assert came.rate_share == pytest.approx(1.0)
    assert came.compared == len(came.verdicts) == len(UNITS)


CARD = ("gpu0.matmul.fp16", "gpu0.matmul.bf16", "gpu0.bandwidth")


def test_a_card_at_half_speed_is_given_back(long: Ranking) -> None:
    """The job would take twice as long; the worst comes first."""
    shares = dict.fromkeys(CARD, 0.5) | {"gpu0.bandwidth": 0.49}
    came = judged(long[0], long[1], shares)
    assert not came.is_kept
    assert came.rate_share == pytest.approx(0.5, abs=0.03)
    assert came.faults[0].name == "gpu0.bandwidth"
    assert came.saving_usd > came.paid_usd + came.set_up_usd


def test_a_job_that_is_soon_over_stays(long: Ranking) -> None:
    """What it would save is less than another set-up."""
    short = ranked("bert-base", epochs=1, settings={"samples_per_epoch": 20_000})
    came = judged(short[0], short[1], dict.fromkeys(CARD, 0.5))
    assert came.is_kept
    assert came.faults
    assert came.saving_usd < came.paid_usd + came.set_up_usd


def test_what_was_paid_already_speaks_for_staying(long: Ranking) -> None:
    """Beside the next machine's set-up, which is not free."""
    slow = dict.fromkeys(CARD, 0.5)
    came = judged(long[0], long[1], slow)
    paid_s = 3600.0 * came.saving_usd / long[0].price_usd_per_h
    assert judged(long[0], long[1], slow, paid_s).is_kept
    assert came.paid_usd == pytest.approx(long[0].price_usd_per_h / 60.0)
    assert Prospect.of(long[1]).set_up_usd == came.set_up_usd > 0.0


def test_what_other_machines_have_cost_speaks_for_staying(long: Ranking) -> None:
    """All moves of a job together cost less than the last one promises to save."""
    verdicts = verdicts_of(measured(long[0], dict.fromkeys(CARD, 0.5)), long[0])
    came = accepted(long[0], long[1], verdicts, 60.0)
    left_usd = came.saving_usd - came.moving_usd
    for lost_usd, is_kept in ((0.99 * left_usd, False), (1.01 * left_usd, True)):
        assert accepted(long[0], long[1], verdicts, 60.0, lost_usd).is_kept is is_kept


def test_what_holds_nothing_back_costs_nothing(long: Ranking) -> None:
    """A slow disk is told; the job that does not wait for it stays."""
    came = judged(long[0], long[1], {"disk.read.random": 0.05})
    assert [one.name for one in came.faults] == ["disk.read.random"]
    assert came.is_kept
    assert came.rate_share > 0.99


def test_without_another_offer_a_slow_machine_is_kept(long: Ranking) -> None:
    """A slow training is more than none."""
    came = judged(long[0], None, dict.fromkeys(CARD, 0.3))
    assert came.is_kept
    assert math.isnan(came.saving_usd)
    assert came.document()["saving_usd"] is None


def test_fewer_cores_than_are_listed_hold_a_job_of_pictures_back(
    pictures: Ranking,
) -> None:
    """Granted or delivered: the model's input pipeline says what they are worth."""
    bound = min(pictures, key=lambda one: one.limits["cpu"])
    for name in ("cores.granted", "cores.delivered"):
        came = judged(bound, pictures[1], {name: 0.2})
        assert [one.name for one in came.faults] == [name]
        assert came.rate_share < 0.6


def test_threads_that_nobody_counts_are_those_that_were_predicted(
    every: Ranking,
) -> None:
    """A host shows all of its threads; a container is granted fewer at times."""
    (offer, *_) = (one for one in every if "cores_unknown" in one.flags)
    predicted = float(every.machines.threads[offer.at])
    for granted, delivered, is_fault in (
        (8.0 * predicted, predicted, False),
        (8.0 * predicted, 0.4 * predicted, True),
        (0.5 * predicted, 0.5 * predicted, False),
        (0.5 * predicted, 0.2 * predicted, True),
    ):
        cores = {"cores.granted": granted, "cores.delivered": delivered}
        found = bench({name: (value, "cores") for name, value in cores.items()})
        faults = [one.name for one in verdicts_of(found, offer) if one.is_fault]
        assert faults == ["cores.delivered"] * is_fault, (granted, delivered)


def test_one_library_that_is_slow_alone_is_not_the_host(pictures: Ranking) -> None:
    """The core is what it should be where other code says so."""
    bound = min(pictures, key=lambda one: one.limits["cpu"])
    alone = verdicts_of(measured(bound, {"decode.pillow.core": 0.2}), bound)
    assert rate_share(bound, alone) == pytest.approx(1.0)
    core = dict.fromkeys(("core.zlib", "decode.pillow.core", "decode.opencv.core"), 0.2)
    every = verdicts_of(measured(bound, core), bound)
    assert rate_share(bound, every) < 0.5


def seen(result: BenchResult, offer: RankedOffer) -> Seen:
    return Seen(result, verdicts_of(result, offer))


def test_what_another_machine_does_as_well_is_no_fault(long: Ranking) -> None:
    """The expectation is wrong, not two machines alike; a slower one is a fault still."""
    first = measured(long[0], dict.fromkeys(CARD, 0.5))
    for share, faults in ((0.5, 0), (0.46, 0), (0.4, 3)):
        second = measured(long[0], dict.fromkeys(CARD, share))
        verdicts = verdicts_of(second, long[0], [seen(first, long[0])])
        assert sum(one.is_fault for one in verdicts) == faults, share
    other = replace(first, machine=replace(first.machine, gpus=()))
    verdicts = verdicts_of(first, long[0], [seen(other, long[0])])
    assert any(one.is_fault for one in verdicts)


def test_what_its_kind_does_not_decide_no_other_machine_excuses(long: Ranking) -> None:
    """Cores, disks and errors are each machine's own, whatever its CPU and its card."""
    own = {"cores.granted": 0.2, "cores.delivered": 0.04, "disk.read.random": 0.05}
    slow = measured(long[0], own)
    threads = float(long.machines.threads[long[0].at])
    workers = (f"decode.pillow.w{threads:.0f}", 0.2 * slow.value("decode.pillow.core"))
    lines = (*slow.lines, Line(*workers, "images/s"), Line("gpu0.xid", 3.0, "errors"))
    granted = replace(slow, lines=lines)
    found = verdicts_of(granted, long[0], [seen(granted, long[0])])
    names = {one.name for one in found if one.is_fault}
    assert names == {*own, "gpu0.xid"}


def linked(result: BenchResult, generation: float, h2d_gb_s: float) -> BenchResult:
    lines = (
        Line("gpu0.pcie.gen.max", generation, "generation"),
        Line("gpu0.pcie.width.max", 16.0, "lanes"),
        Line("gpu0.h2d.pinned", h2d_gb_s, "GB/s"),
    )
    return replace(result, lines=(*result.lines, *lines))


def on_cpu(result: BenchResult, name: str) -> BenchResult:
    return replace(result, machine=replace(result.machine, cpu_name=name))


def test_launches_are_compared_by_cpu_and_copies_by_link(long: Ranking) -> None:
    """Two machines with one card have another host each."""
    first = measured(long[0], {"gpu0.launch": 0.3})
    cpu = first.machine.cpu_name
    for name, is_fault in ((cpu, False), (f"{cpu} X", True)):
        found = verdicts_of(first, long[0], [seen(on_cpu(first, name), long[0])])
        assert any(one.is_fault for one in found) is is_fault, name
    nameless = on_cpu(bench({"gpu0.launch": (1.0, "kernels/s")}), "")
    found = verdicts_of(nameless, long[0], [seen(nameless, long[0])])
    assert "gpu0.launch" in {one.name for one in found if one.is_fault}
    usual = measured(long[0])
    for generation, is_fault in ((4.0, False), (2.0, True)):
        other = seen(linked(usual, generation, 3.0), long[0])
        found = verdicts_of(linked(usual, 4.0, 3.0), long[0], [other])
        faults = {one.name for one in found if one.is_fault}
        assert ("gpu0.h2d.pinned" in faults) is is_fault, generation


def test_cards_are_compared_by_what_each_is_limited_to(long: Ranking) -> None:
    """One that was offered at less power excuses none that is slow without."""
    limited = at_power(long[0], 250.0)
    other = measured(limited)
    assert not any(one.is_fault for one in verdicts_of(other, limited))
    found = verdicts_of(other, long[0], [seen(other, limited)])
    assert {one.name for one in found if one.is_fault} == {CARD[0], CARD[1]}


def at_power(offer: RankedOffer, limit_w: float) -> RankedOffer:
    """Return an offer whose cards are openly limited, ranked as that."""
    offers = offer.ranking.offers
    limits = np.where(np.arange(len(offers)) == offer.at, limit_w, np.nan)
    several = replace(offers, gpu_max_power_w=limits)
    ranking = rank_offers(several, offer.ranking.job, load_tables())
    (same,) = (one for one in ranking if one.at == offer.at)
    return same


def test_what_another_measurement_cannot_change_is_known(long: Ranking) -> None:
    """A quota and the name of a card; a rate may be higher a moment later."""
    shares = {"cores.granted": 0.2, "cores.delivered": 0.04, "gpu0.bandwidth": 0.2}
    verdicts = verdicts_of(measured(long[0], shares), long[0])
    assert {one.name for one in verdicts if one.is_fault} == set(shares)
    stays = [one.name for one in lasting(verdicts) if one.is_fault]
    assert stays == ["cores.granted"]


def test_of_two_measurements_each_figure_is_the_better(long: Ranking) -> None:
    """What else runs on a host can only lower a rate; what one lacks the other has."""
    first = measured(long[0], {"core.zlib": 0.5, "disk.read.random": 1.2})
    second = measured(long[0], {"gpu0.launch": 0.5})
    lacking = replace(second, lines=second.lines[:-1])
    usual = measured(long[0])
    found = better_of(first, lacking)
    assert set(found.by_name) == set(usual.by_name)
    for name, line in usual.by_name.items():
        factor = 1.2 if name == "disk.read.random" else 1.0
        assert found.value(name) == pytest.approx(factor * line.value)


def test_another_card_than_was_offered_is_told(long: Ranking) -> None:
    """By its own name; it counts by what both can do."""
    found = measured(long[0], gpus=("NVIDIA GeForce RTX 3060",), memory_gb=12.9)
    verdicts = {one.name: one for one in verdicts_of(found, long[0])}
    fault = verdicts["gpu0.model"]
    assert fault.is_fault
    assert "RTX 3060" in fault.words
    assert rate_share(long[0], [fault]) < 0.6


PRECISIONS = ("fp32", "tf32", "fp16", "bf16")


def with_rates(
    offer: RankedOffer, shares: Mapping[str, float], emulated: str = ""
) -> tuple[Verdict, ...]:
    """Return what is thought of rates at shares of what is expected of them."""
    assert offer.gpu is not None
    card = {"gpus": (offer.gpu.name,), "memory_gb": offer.gpu.memory_gb}
    names = {one: f"gpu0.matmul.{one}" for one in PRECISIONS}
    names["bandwidth"] = "gpu0.bandwidth"
    plain = bench(dict.fromkeys(names.values(), (1.0, "TFLOP/s")), **card)
    expected = expected_of(plain, offer)
    found = {
        name: (expected[name].value * shares.get(part, 1.0), "TFLOP/s")
        for part, name in names.items()
        if name in expected
    }
    if emulated:
        assert names[emulated] not in found
        found[names[emulated]] = (1.0, "TFLOP/s")
    return verdicts_of(bench(found, **card), offer)


def of_precision(gpu: str, precision: str) -> RankedOffer:
    """Return the best offer of a card, in the words of the table."""
    settings = {"precision": precision}
    found = advisor.rank("bert-base", epochs=60, market="sample", settings=settings)
    return next(one for one in found if one.gpu is not None and one.gpu.name == gpu)


@pytest.mark.parametrize(
    ("precision", "gpu", "counts", "other"),
    [
        ("fp32", "RTX 4090", {"fp32"}, {"fp16", "bf16", "tf32"}),
        ("amp", "RTX 4090", {"fp16"}, {"fp32"}),
        ("bf16", "RTX 4090", {"fp16"}, {"fp32"}),
        ("tf32", "RTX 4090", {"bf16"}, {"fp32"}),
        ("bf16", "V100-PCIe-16GB", {"fp32"}, {"fp16"}),
        ("tf32", "V100-PCIe-16GB", {"fp32"}, {"fp16"}),
        ("amp", "V100-PCIe-16GB", {"fp16"}, {"fp32"}),
    ],
)
def test_the_arithmetic_that_a_job_needs_is_what_counts(
    precision: str, gpu: str, counts: set[str], other: set[str]
) -> None:
    """Any rate of tensor cores tells of them; what a card lacks it does in FP32."""
    emulated = precision if gpu == "V100-PCIe-16GB" and precision != "amp" else ""
    offer = of_precision(gpu, precision)
    for halved, is_slow in ((counts, True), (other, False)):
        verdicts = with_rates(offer, dict.fromkeys(halved, 0.5), emulated)
        share = rate_share(offer, verdicts)
        assert share < 0.75 if is_slow else share == 1.0


def test_a_precision_that_is_known_badly_hides_no_other() -> None:
    """On an A100 nobody has measured TF32: three quarters of all rates are a fault."""
    offer = of_precision("A100-SXM4-80GB", "tf32")
    verdicts = with_rates(offer, dict.fromkeys((*PRECISIONS, "bandwidth"), 0.75))
    assert "gpu0.matmul.tf32" not in {one.name for one in verdicts if one.is_fault}
    assert rate_share(offer, verdicts) < 0.9


def test_a_job_that_would_miss_its_deadline_moves(long: Ranking) -> None:
    """Although moving saves no money, where it helps; one that has time stays."""
    short = ranked("bert-base", epochs=1, settings={"samples_per_epoch": 20_000})
    verdicts = verdicts_of(measured(short[0], dict.fromkeys(CARD, 0.5)), short[0])
    here, there, training = short[0], short[1], Prospect.of(short[0])
    slow_h = here.job_h + 0.9 * training.training_h
    slow_usd = here.job_usd + 0.9 * training.training_h * here.price_usd_per_h
    assert max(here.job_h, there.job_h) + 0.01 < slow_h
    assert max(here.job_usd, there.job_usd) + 0.001 < slow_usd
    for policy, breaks, next_breaks in (
        (Policy(deadline_h=slow_h), "deadline", ""),
        (Policy(budget_usd=slow_usd), "budget", ""),
        (Policy(deadline_h=0.9 * there.job_h), "deadline", "deadline"),
        (Policy(deadline_h=1e3, budget_usd=1e3), "", ""),
    ):
        bound = replace(short, policy=policy)
        came = accepted(bound[0], bound[1], verdicts, 10.0)
        assert (came.breaks, came.next_breaks) == (breaks, next_breaks)
        assert came.is_kept is not (bool(breaks) and not next_breaks)
        assert accepted(bound[0], None, verdicts, 10.0).is_kept


def learned(offer: RankedOffer, found: BenchResult, card: str) -> RankedOffer:
    """Return an offer as it is ranked once its machine has been measured."""
    figures = {line.name: Figure(line.value, 0.01) for line in found.lines}
    machine = MeasuredMachine(
        *("sample", offer.machine_id, card, offer.num_gpus),
        cpu=found.machine.cpu_name,
        cores=found.cores_granted,
        figures=figures,
        number=1,
    )
    job = replace(offer.ranking.job, machines=(machine,), market="sample")
    ranking = rank_offers(offer.ranking.offers, job, load_tables())
    (same,) = (one for one in ranking if one.at == offer.at)
    return same


def slowed(found: BenchResult, parts: Sequence[str], share: float) -> BenchResult:
    lines = [
        one._replace(value=one.value * share) if one.name in parts else one
        for one in found.lines
    ]
    return replace(found, lines=tuple(lines))


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        (("gpu0.h2d.pinned",), 0.05),
        (("disk.read.random", "disk.read.sequential"), 0.05),
        (("cores.granted", "cores.delivered"), 0.2),
        (CARD, 0.5),
    ],
)
def test_what_an_earlier_bench_has_shown_is_not_charged_again(
    pictures: Ranking, parts: tuple[str, ...], share: float
) -> None:
    """The machine was taken at that rate; one that is slower still is given back."""
    for offer in (pictures[0], min(pictures, key=lambda one: one.limits["cpu"])):
        usual = linked(measured(offer), 4.0, 24.3)
        sequential = Line("disk.read.sequential", offer.disk_mb_s, "MB/s")
        usual = replace(usual, lines=(*usual.lines, sequential))
        slow = slowed(usual, parts, share)
        again = learned(offer, slow, "RTX 4090")
        verdicts = verdicts_of(slow, again)
        assert parts[0] in {one.name for one in verdicts if one.is_fault}
        assert rate_share(again, verdicts) == 1.0
        assert accepted(again, again, verdicts, 60.0).is_kept
        slower = verdicts_of(slowed(slow, parts, 0.1), again)
        assert rate_share(again, slower) < 0.95


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("core_speed", ("core.zlib", "decode.pillow.core", "decode.opencv.core")),
        ("launch_factor", ("gpu0.launch",)),
        ("cores", ("decode.pillow.w4",)),
    ],
)
def test_a_core_is_measured_by_what_was_predicted_of_it(
    pictures: Ranking, column: str, parts: tuple[str, ...]
) -> None:
    """An earlier bench of the machine or of its CPU has slowed the prediction."""
    offer = min(pictures, key=lambda one: one.limits["cpu"])
    usual = measured(offer)
    each = expected_of(with_workers(usual, 1.0), offer)["decode.pillow.w4"].value
    slow = slowed(with_workers(usual, each), parts, 0.2)
    verdicts = verdicts_of(slow, offer)
    assert set(parts) == {one.name for one in verdicts if one.is_fault}
    machines = offer.ranking.machines
    for predicted, left in ((0.2, 1.0), (0.4, 0.5)):
        value = predicted * getattr(machines, column)
        ranking = replace(offer.ranking, machines=replace(machines, **{column: value}))
        # What the limits allow is as it was: where launches bind, less is left of it.
        share = rate_share(replace(offer, ranking=ranking), verdicts)
        assert (share == 1.0) is (left == 1.0), share
        assert share > rate_share(offer, verdicts)


def with_workers(found: BenchResult, value: float) -> BenchResult:
    line = Line("decode.pillow.w4", value, "images/s")
    return replace(found, lines=(*found.lines, line))


def test_a_link_that_does_what_its_offer_states_is_no_reason_to_move(
    every: Ranking,
) -> None:
    """Half of what its lanes could carry, for which the offer was taken."""
    found = 0
    for offer in every[:300]:
        at, offers = offer.at, every.offers
        stated, generation = float(offers.pcie_gb_s[at]), float(offers.pci_gen[at])
        if not (stated > 0.0 and generation > 0.0):
            continue
        card = {"gpus": (offer.gpu_name or "",) * offer.num_gpus}
        result = linked(bench({}, **card), generation, stated)
        verdicts = verdicts_of(result, offer)
        found += any(one.is_fault for one in verdicts)
        assert rate_share(offer, verdicts) == 1.0
    assert found > 20


def test_what_a_power_limit_takes_is_taken_once(long: Ranking) -> None:
    """A card is judged at its limit, and was predicted at it."""
    offer = at_power(long[0], 300.0)
    for share, left in ((1.0, 1.0), (0.5, 0.5), (0.3, 0.3)):
        found = verdicts_of(measured(offer, dict.fromkeys(CARD, share)), offer)
        assert rate_share(offer, found) == pytest.approx(left, abs=0.05)


ODD = (0.0, 5e-324, 1e-9, 0.5, 2.0, 64.0, 1e5)
ODD_LINES = st.dictionaries(
    st.sampled_from(
        [
            *UNITS,
            *("decode.pillow.w0", "decode.pillow.w2", f"decode.pillow.w{'9' * 40}"),
            *("gpu0.xid", "gpu0.h2d.pinned", "gpu0.pcie.gen.max", "gpu0.pcie.width.max"),
            *("gpu9.bandwidth", "allreduce.gpus0", "disk.read.sequential", "gpus"),
        ]
    ),
    st.sampled_from(ODD),
)


@given(
    lines=ODD_LINES,
    cores=st.sampled_from([None, *ODD]),
    memory_gb=st.sampled_from(ODD),
    gpus=st.lists(st.sampled_from(["", "Tesla T4", "AMD Instinct MI300X"]), max_size=3),
)
def test_whatever_a_stranger_says_is_judged(
    long: Ranking,
    lines: dict[str, float],
    cores: float | None,
    memory_gb: float,
    gpus: list[str],
) -> None:
    """Figures of nothing and of next to nothing, too; what comes of it is JSON."""
    units = {name: (value, "errors") for name, value in lines.items()}
    found = document(units, gpus=tuple(gpus), memory_gb=memory_gb)
    found["machine"]["cores"] = cores
    verdicts = verdicts_of(parse_bench(found), long[0])
    came = accepted(long[0], long[1], verdicts, 60.0)
    assert 0.0 < came.rate_share <= 1.0
    json.dumps(came.document(), allow_nan=False)


SHARES = st.dictionaries(
    st.sampled_from([*UNITS, "gpu0.h2d.pinned", "allreduce.gpus2", "gpu0.model"]),
    st.floats(0.0, 3.0),
)


@given(shares=SHARES, name=st.sampled_from([*UNITS]), less=st.floats(0.0, 1.0))
def test_a_slower_part_never_makes_a_machine_faster(
    long: Ranking, shares: dict[str, float], name: str, less: float
) -> None:
    """The rate that is left is above zero and at most what was predicted."""

    def share_of(found: dict[str, float]) -> float:
        faults = [
            Verdict(one, "", value, 1.0, 0.1, value, is_fault=value < 0.9)
            for one, value in found.items()
        ]
        return rate_share(long[0], faults)

    before = share_of(shares)
    assert 0.0 < before <= 1.0
    if name in shares:
        assert share_of({**shares, name: less * shares[name]}) <= before + 1e-9


@pytest.mark.parametrize(
    ("name", "misfit"),
    [
        ("gpu1.architecture", "image_lacks_gpu"),
        ("driver", "driver_too_old"),
        ("gpu0.kernel", "gpu_error"),
        ("gpus", "gpu_error"),
        ("host.shm", None),
        ("torch", None),
    ],
)
def test_an_image_that_does_not_fit_is_no_fault_of_the_machine(
    name: str, misfit: str | None
) -> None:
    """A check that fails names the misfit; one that passes, or cannot say, names none."""
    found = bench({})
    failed = replace(found, checks=(Check(name, False, "what to do"),))
    symptom = misfit_of(failed, 1)
    assert (symptom.misfit if symptom else None) == misfit
    for ok in (True, None):
        assert misfit_of(replace(found, checks=(Check(name, ok, "x"),)), 1) is None


def test_a_gpu_that_is_missing_is_told() -> None:
    """Where it names its GPUs; a machine that names none may have no program for it."""
    two = bench({}, gpus=("NVIDIA GeForce RTX 4090",) * 2)
    symptom = misfit_of(two, 4)
    assert symptom is not None
    assert symptom.misfit == "gpu_error"
    assert "2 of 4 GPUs are there" in str(symptom)
    assert misfit_of(two, 2) is None
    assert misfit_of(bench({}, gpus=()), 4) is None


def test_what_came_of_it_is_plain_json(long: Ranking) -> None:
    """Each line with its figure, what was expected, and whether it is a fault."""
    came = judged(long[0], long[1], dict.fromkeys(CARD, 0.5))
    document = json.loads(json.dumps(came.document(), allow_nan=False))
    assert document["kept"] is False
    assert document["paid_s"] == 60.0
    lines = {one["name"]: one for one in document["lines"]}
    assert lines["gpu0.matmul.bf16"]["fault"] is True
    assert lines["gpu0.matmul.bf16"]["share"] == pytest.approx(0.5)
    assert set(lines) == set(UNITS)
