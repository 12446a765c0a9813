"""What a machine does of what was predicted of it, by the limits of the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import advisor
from advisor.hardware.measured import Figure, MeasuredMachine
from advisor.measure.acceptance import accepted, verdicts_of
from advisor.measure.bench import BenchResult
from advisor.measure.offered import expected_of
from advisor.measure.probe.lines import Line
from advisor.measure.rate_left import rate_share
from advisor.measure.verdict import Verdict
from advisor.ranking.offer import RankedOffer
from advisor.ranking.rank import rank_offers
from advisor.ranking.ranking import Ranking
from advisor.throughput.tables import load_tables
from tests.measure.benches import bench
from tests.measure.rented import CARD, UNITS, at_power, linked, measured


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


def test_a_card_is_measured_by_what_was_predicted_of_it(long: Ranking) -> None:
    """Cards that are not alike were told by the offer; a good one holds nothing back."""
    offer, machines = long[0], long.machines
    half = Verdict("gpu0.model", "", 0.5, 1.0, 0.0, 0.5, is_fault=True)
    disk = replace(half, name="disk.read.random", measured=1.0, share=0.01)
    for column, predicted, fault in (
        ("slowest_share", 0.5, half),
        ("gpu_state", 0.5, half),
        ("gpu_state", 1.05, disk),
    ):
        value = np.full(len(machines.num_gpus), predicted)
        ranking = replace(long, machines=replace(machines, **{column: value}))
        assert rate_share(replace(offer, ranking=ranking), [fault]) > 0.99, column
    assert rate_share(offer, [half]) == pytest.approx(0.5, abs=0.03)


def test_what_a_power_limit_takes_is_taken_once(long: Ranking) -> None:
    """A card is judged at its limit, and was predicted at it."""
    offer = at_power(long[0], 300.0)
    for share, left in ((1.0, 1.0), (0.5, 0.5), (0.3, 0.3)):
        found = verdicts_of(measured(offer, dict.fromkeys(CARD, share)), offer)
        assert rate_share(offer, found) == pytest.approx(left, abs=0.05)


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
