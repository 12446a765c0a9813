"""What a CPU's name says where the CPU is in no table, and what it must not say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.core_speed import named_speed
from advisor.hardware.cpus import CpuTable, FamilyCpu, load_cpus
from advisor.hardware.families import Score, load_rules, rule_of
from advisor.throughput.artifact import load_model
from advisor.throughput.spread import Z90

CPUS = load_cpus()
RULES = load_rules()


def family(name: str) -> FamilyCpu:
    found = CPUS.identify(name)
    assert isinstance(found, FamilyCpu), name
    return found


@pytest.mark.parametrize(
    ("name", "microarchitecture", "cores", "most_threads"),
    [
        ("Intel(R) Xeon(R) CPU E3-1204 v5 @ 2.80GHz", "Skylake", 4, 4),
        ("Xeon E3-1268L v5", "Skylake", 4, 8),
        ("Xeon® E5-2602 v4 ", "Broadwell", 14, 44),
        ("Xeon Bronze 3199", "Skylake", 6, 8),
        ("Xeon® Gold 6161 ", "Skylake", 16, 44),
        ("Xeon Platinum 8599X", "Emerald Rapids", 56, 128),
        ("Xeon W-2199", "Skylake", 8, 36),
        ("AMD EPYC 9364 32-Core Processor", "Zen 4", 32, 64),
        ("AMD EPYC 7R13 Processor", "Zen 3", 64, 128),
        ("AMD EPYC 7R13 48-Core Processor", "Zen 3", 48, 96),
        ("AMD Ryzen 5 5605X 6-Core Processor", "Zen 3", 6, 12),
        ("AMD Ryzen Threadripper 7990X", "Zen 4", 32, 128),
        ("AMD Ryzen Threadripper 7990X 80-Cores", "Zen 4", 80, 160),
        ("12th Gen Intel(R) Core(TM) i7-12750", "Alder Lake", 12, 20),
        ("Intel(R) Core(TM) Ultra 7 275K", "Arrow Lake", 20, 20),
        ("AWS Graviton3", "Neoverse V1", 64, 64),
        ("NVIDIA Grace", "Neoverse V2", 72, 72),
        ("Ampere(R) Altra(R)", "Neoverse N1", 64, 128),
    ],
)
def test_a_name_shows_its_family(
    name: str, microarchitecture: str, cores: float, most_threads: float
) -> None:
    """Generation, cores and the most threads follow from the number in the name."""
    cpu = family(name)
    assert cpu.microarchitecture == microarchitecture
    assert cpu.cores == cores
    assert cpu.most_threads == most_threads
    assert cpu.cores <= cpu.threads <= cpu.most_threads
    assert cpu.score_basis == "family"
    assert cpu.score_log_sd > 0.0
    assert cpu.source


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "Xeon® ",
        "AMD EPYC",
        "EPYC-Rome Processor",
        "Core Processor (Skylake)",
        "QEMU Virtual CPU",
        "EPYC 77002",
        "AMD EPYC 7999",
        "i9-99",
        "Ryzen 9",
        "Xeon Gold",
    ],
)
def test_what_shows_no_family_is_unknown(name: str | None) -> None:
    """A brand, a virtual CPU, a slip: nothing is guessed."""
    assert CPUS.identify(name) is None


def test_the_known_members_are_as_their_rules_say() -> None:
    """Every CPU of the table has the chip, the segment and the threads of its rule."""
    ruled = 0
    for cpu in CPUS.rows:
        rule = rule_of(cpu.key, RULES)
        if rule is None:
            continue
        ruled += 1
        assert rule.microarchitecture == cpu.microarchitecture, cpu
        assert rule.segment in {"", cpu.segment}, cpu
        for stated, known in ((rule.cores, cpu.cores), (rule.threads, cpu.threads)):
            assert math.isnan(known) or stated.least <= known <= stated.most, (cpu, rule)
    assert ruled > 0.98 * len(CPUS)


def test_every_rule_has_a_source_and_a_speed() -> None:
    """A score of its own, or members of its chip in the table."""
    kinds = {cpu.microarchitecture for cpu in CPUS.rows}
    for rule in RULES:
        assert rule.source, rule
        assert rule.score is not None or rule.microarchitecture in kinds, rule
        assert not rule.threads.least < rule.cores.least, rule


def test_the_interval_of_a_family_holds_its_members() -> None:
    """Each member predicted from the others: nine in ten scores are in the interval."""
    by_rule: dict[str, list[float]] = {}
    for cpu in CPUS.rows:
        rule = rule_of(cpu.key, RULES)
        if rule is not None and cpu.score_basis != "microarchitecture":
            by_rule.setdefault(rule.pattern, []).append(cpu.single_thread_score)
    errors = []
    for scores in by_rule.values():
        for at, score in enumerate(scores) if len(scores) > 1 else ():
            stated = Score.of_members(scores[:at] + scores[at + 1 :])
            errors.append(math.log(score / stated.value) / stated.log_sd)
    assert len(errors) > 1000
    assert 0.9 <= np.mean(np.abs(errors) < Z90) <= 0.96


@given(st.lists(st.floats(500.0, 6000.0), min_size=1, max_size=30))
def test_a_family_is_between_its_members(scores: list[float]) -> None:
    """The score is within theirs, and its spread is never nothing."""
    stated = Score.of_members(scores)
    assert min(scores) * (1 - 1e-9) <= stated.value <= max(scores) * (1 + 1e-9)
    assert stated.log_sd > 0.0
    assert Score.of_members(scores * 4).log_sd < stated.log_sd


def test_a_family_is_less_sure_than_its_member() -> None:
    """The speed of one that is in the table has the narrower interval."""
    constants = load_model(models_folder()).cpu
    known = CPUS.resolve("Xeon E3-1230 v5")
    assert known is not None
    kin = named_speed(family("Xeon E3-1239 v5"), constants)
    assert kin.log_sd > named_speed(known, constants).log_sd
    assert kin.speed == pytest.approx(named_speed(known, constants).speed, rel=0.15)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("7980X", "AMD Ryzen Threadripper 7980X"),
        ("i7-12700", "Intel Core i7-12700"),
        ("12700k", "Intel Core i7-12700K"),
        ("Ryzen 5600x", "AMD Ryzen 5 5600X"),
        ("ryzen 9 9950x3d", "AMD Ryzen 9 9950X3D"),
        ("E5-2680 v4", "Intel Xeon E5-2680 v4"),
        ("e5-2666V3", "Intel Xeon E5-2666 v3"),
        ("Xeon 8480+", "Intel Xeon Platinum 8480+"),
        ("EPYC 7763 64 core", "AMD EPYC 7763"),
        ("1700", "AMD Ryzen 7 1700"),
        ("E3-1204 v5", "Xeon E3-1204 v5"),
        ("i9-13850K", "Core i9-13850K"),
    ],
)
def test_people_need_not_write_all_of_a_name(query: str, name: str) -> None:
    """The number is enough where it is of one CPU, or of one family."""
    assert CPUS.find(query).name == name


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("EPYC 77002", "did you mean AMD EPYC 7702"),
        ("AMD EYPC 7513", "AMD EPYC 7513"),
        ("5950", "AMD Ryzen 9 5950X"),
        ("ryzen5600x", "AMD Ryzen 5 5600X"),
        ("i7", "'advisor cpus' lists"),
        ("Xeon", "'advisor cpus' lists"),
        ("5600x3d", "several CPUs"),
    ],
)
def test_a_name_of_nothing_is_refused_with_what_is_near(query: str, words: str) -> None:
    """A slip, a brand, half a number, and a number of two."""
    with pytest.raises(UsageError) as caught:
        CPUS.find(query)
    assert words in str(caught.value)


def test_what_was_identified_is_remembered() -> None:
    """A name is looked at once: a market repeats few of them a million times."""
    table = load_cpus()
    assert isinstance(table, CpuTable)
    assert table.identify("Xeon E3-1204 v5") is table.identify("Xeon E3-1204 v5")
