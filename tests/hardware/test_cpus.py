"""The CPU table is plausible, and hosts' names find their rows or nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from advisor.hardware.cpus import Cpu, FamilyCpu, TypicalCpu, load_cpus
from advisor.hardware.names import cpu_key

CPUS = load_cpus()
ROWS = CPUS.rows


def test_the_table_holds_the_hosts_of_a_market() -> None:
    """At least the 600 models that GPU hosts are built of, each key once."""
    assert len(ROWS) == len(CPUS) >= 600
    assert len({cpu.key for cpu in ROWS}) == len(ROWS)
    assert {cpu.segment for cpu in ROWS} == {
        "server",
        "workstation",
        "desktop",
        "laptop",
    }


def test_every_row_is_plausible() -> None:
    """Clocks, cores and scores are in the range of what was built."""
    for cpu in ROWS:
        assert cpu.key == cpu_key(cpu.name), cpu
        assert 700 <= cpu.single_thread_score <= 6000, cpu
        assert cpu.score_basis in {"passmark", "geekbench6", "microarchitecture"}, cpu
        assert cpu.source, cpu
        assert not cpu.boost_ghz > 6.2, cpu
        assert not cpu.base_ghz > cpu.boost_ghz, cpu
        assert not cpu.cores > cpu.threads, cpu
        assert not cpu.threads > 2 * cpu.cores, cpu
        assert not cpu.cores > 192, cpu


def test_scores_follow_the_boost_clock() -> None:
    """Within a microarchitecture no score per GHz is off by more than 35 %."""
    by_kind: dict[str, list[Cpu]] = {}
    for cpu in ROWS:
        if not math.isnan(cpu.boost_ghz):
            by_kind.setdefault(cpu.microarchitecture, []).append(cpu)
    assert len(by_kind) > 20
    for of_kind in by_kind.values():
        rates = sorted(cpu.single_thread_score / cpu.boost_ghz for cpu in of_kind)
        assert rates[-1] / rates[0] < 1.36**2


@pytest.mark.parametrize(
    ("name", "microarchitecture", "cores"),
    [
        ("AMD EPYC 7551 32-Core Processor", "Zen", 32),
        ("AMD EPYC 7702 64-Core Processor", "Zen 2", 64),
        ("AMD EPYC 7V13 64-Core Processor", "Zen 3", 64),
        ("AMD EPYC 9654 96-Core Processor", "Zen 4", 96),
        ("AMD EPYC 9575F 64-Core Processor", "Zen 5", 64),
        ("AMD Ryzen Threadripper 2950X 16-Core Processor", "Zen+", 16),
        ("AMD Ryzen 9 5950X 16-Core Processor", "Zen 3", 16),
        ("Xeon® E5-2680 v2 ", "Ivy Bridge", 10),
        ("Xeon® E5-2640 v3 ", "Haswell", 8),
        ("Xeon® E5-2699 v4 ", "Broadwell", 22),
        ("Xeon® Gold 6130 ", "Skylake", 16),
        ("Xeon® Gold 6248R ", "Cascade Lake", 24),
        ("Xeon® Platinum 8358 ", "Ice Lake", 32),
        ("Xeon® Platinum 8480+", "Sapphire Rapids", 56),
        ("Xeon® Platinum 8570", "Emerald Rapids", 56),
        ("Core™ i7-6700K ", "Skylake", 4),
        ("Core™ i9-10940X ", "Cascade Lake", 14),
        ("13th Gen Core™ i9-13900K", "Raptor Lake", 24),
        ("Core™ Ultra 9 285K", "Arrow Lake", 24),
    ],
)
def test_hosts_names_resolve(name: str, microarchitecture: str, cores: float) -> None:
    """A name as hosts report it finds the chip that it is."""
    cpu = CPUS.resolve(name)
    assert cpu is not None
    assert (cpu.microarchitecture, cpu.cores) == (microarchitecture, cores)


@pytest.mark.parametrize(
    ("name", "cores", "base_ghz", "boost_ghz"),
    [
        ("AMD EPYC 9355P 32-Core Processor", 32, 3.55, 4.4),
        ("AMD EPYC 9375F 32-Core Processor", 32, 3.8, 4.8),
        ("AMD EPYC 9455 48-Core Processor", 48, 3.15, 4.4),
        ("AMD EPYC 9455P 48-Core Processor", 48, 3.15, 4.4),
        ("AMD EPYC 9475F 48-Core Processor", 48, 3.65, 4.8),
        ("AMD EPYC 9535 64-Core Processor", 64, 2.4, 4.3),
        ("AMD EPYC 9555P 64-Core Processor", 64, 3.2, 4.4),
        ("AMD EPYC 9655P 96-Core Processor", 96, 2.6, 4.5),
        ("AMD EPYC 9745 128-Core Processor", 128, 2.4, 3.7),
        ("AMD EPYC 9965 192-Core Processor", 192, 2.25, 3.7),
        ("AMD EPYC 4545P 16-Core Processor", 16, 3.0, 5.4),
        ("AMD EPYC 8534P 64-Core Processor", 64, 2.3, 3.1),
        ("AMD Ryzen Threadripper 9970X 32-Cores", 32, 4.0, 5.4),
        ("AMD Ryzen Threadripper PRO 9995WX 96-Cores", 96, 2.5, 5.4),
        ("Intel(R) Xeon(R) 6980P", 128, 2.0, 3.9),
        ("Intel(R) Xeon(R) 6787P", 86, 2.0, 3.8),
        ("Intel(R) Xeon(R) 6767P", 64, 2.4, 3.9),
        ("Intel(R) Xeon(R) 6747P", 48, 2.7, 3.8),
    ],
)
def test_new_hosts_are_as_on_their_product_pages(
    name: str, cores: float, base_ghz: float, boost_ghz: float
) -> None:
    """Cores and clocks that the published lists lack stand by hand; two threads each."""
    cpu = CPUS.resolve(name)
    assert cpu is not None
    assert not isinstance(cpu, TypicalCpu)
    assert (cpu.cores, cpu.base_ghz, cpu.boost_ghz) == (cores, base_ghz, boost_ghz)
    assert cpu.threads == 2 * cores


def test_a_slip_of_a_score_is_not_the_chips() -> None:
    """The list's Geekbench of an EPYC 9475F is a third below those of its siblings."""
    siblings = [CPUS.resolve(f"EPYC {n}") for n in ("9275F", "9375F", "9575F")]
    scores = [cpu.single_thread_score for cpu in siblings if cpu is not None]
    cpu = CPUS.resolve("EPYC 9475F")
    assert cpu is not None
    assert cpu.score_basis == "microarchitecture"
    assert min(scores) < cpu.single_thread_score < max(scores)


@pytest.mark.parametrize(
    ("name", "cores", "threads"),
    [
        ("AMD EPYC 7C13 64-Core Processor", 64, 128),
        ("AMD EPYC 7C13 48-Core Processor", 48, 96),
        ("AMD Ryzen Threadripper PRO 7945WX 12-Cores", 12, 24),
        ("AMD Ryzen 9 9955HX 16-Core Processor", 16, math.nan),
        ("EPYC 7303", 16, 32),
    ],
)
def test_a_listed_cpu_has_the_cores_of_its_name(
    name: str, cores: float, threads: float
) -> None:
    """Where the list has none: those that the name states, or that all its family has.

    The score stays the list's own.
    """
    cpu = CPUS.identify(name)
    assert cpu is not None
    assert not isinstance(cpu, TypicalCpu)
    assert (cpu.cores, cpu.threads) == pytest.approx((cores, threads), nan_ok=True)
    assert cpu.score_basis == "geekbench6"
    assert math.isnan(next(row.cores for row in ROWS if row.key == cpu.key))


def test_a_listed_cpu_of_a_wide_family_says_so() -> None:
    """Its cores are typical ones, and how far off they may be is told."""
    cpu = CPUS.identify("Ryzen Threadripper PRO 7945WX")
    assert isinstance(cpu, TypicalCpu)
    assert not isinstance(cpu, FamilyCpu)
    assert 12 <= cpu.cores <= 96
    assert (cpu.most_threads, cpu.sockets) == (192, 1)
    assert cpu.threads_log_sd > 0.0


def test_suffixes_tell_models_apart() -> None:
    """A 9950X3D is no 9950X; an EPYC and its single-socket P stand in for each other."""
    plain, stacked = CPUS.resolve("Ryzen 9 9950X"), CPUS.resolve("Ryzen 9 9950X3D")
    assert plain is not None
    assert stacked is not None
    assert plain.key != stacked.key
    for known, twin in (("EPYC 7232P", "EPYC 7232"), ("EPYC 7352", "EPYC 7352P")):
        assert CPUS.resolve(known) == CPUS.resolve(twin) is not None


@pytest.mark.parametrize(
    "name",
    [None, "", "Xeon® ", "AMD EPYC", "EPYC-Rome Processor", "AMD EPYC 7999", "i9-99"],
)
def test_what_names_no_model_is_unknown(name: str | None) -> None:
    """No name, a family alone, a virtual or a new model: nothing is guessed."""
    assert CPUS.resolve(name) is None


def test_the_real_markets_names_resolve(real_data: Path) -> None:
    """Every name of the published offers but the bare "Xeon®" finds a row."""
    names = {
        offer["cpu_name"]
        for path in sorted((real_data / "offers").glob("*.json"))
        for offer in json.loads(path.read_text(encoding="utf-8"))["offers"]
        if offer.get("cpu_name")
    }
    assert len(names) > 12
    assert {name for name in names if CPUS.resolve(name) is None} == {"Xeon® "}
