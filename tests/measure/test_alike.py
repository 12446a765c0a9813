"""A machine excuses another one for what their kind decides, and for no more."""

from __future__ import annotations

from dataclasses import replace

from advisor.measure.acceptance import verdicts_of
from advisor.measure.alike import Seen
from advisor.measure.bench import BenchResult
from advisor.measure.probe.lines import Line
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from tests.measure.benches import bench
from tests.measure.rented import CARD, at_power, linked, measured


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
