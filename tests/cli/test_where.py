"""`--where` and its short forms, in every command that takes constraints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.constraints import Constraints
from advisor.hardware.gpus import load_gpus
from advisor.market.filters import Filters
from advisor.market.snapshot import load_snapshot
from advisor.market.types import Query

Advisor = Callable[..., Any]
JOB = ("--workload", "resnet50")


@pytest.fixture
def saved(tmp_path: Path, record: dict[str, Any]) -> Callable[..., str]:
    """Return what saves offers in a file, each on a machine of its own."""

    def save(*changes: dict[str, Any]) -> str:
        offers = [
            record | {"id": at, "machine_id": at, "gpu_ids": [at]} | change
            for at, change in enumerate(changes, start=1)
        ]
        path = tmp_path / "offers.json"
        path.write_text(json.dumps({"offers": offers}))
        return str(path)

    return save


def ranked(advisor: Advisor, market: str, *words: str) -> tuple[set[int], dict[str, int]]:
    """Return the offers that are ranked, and why others are left out."""
    done = advisor("rank", *JOB, "--market", market, "--json", *words)
    document = done.document
    return {one["offer_id"] for one in document["offers"]}, document["excluded"]


def test_conditions_leave_out_what_does_not_meet_them(
    advisor: Advisor, saved: Callable[..., str]
) -> None:
    """In each of several options; each offer is counted under its field."""
    file = saved(
        {},
        {"cpu_ram": 16000},
        {"cuda_max_good": 12.2},
        {"gpu_name": "RTX 3060"},
        {"geolocation": "China, CN"},
        {"cpu_ram": None},
    )
    words = ("--where", "cpu_ram>=48 gpu_name!=rtx_3060")
    more = ("--where", "geolocation notin [CN,VN] cuda_vers != 12.2 cuda_max_good=any")
    assert ranked(advisor, file, *words, *more) == (
        {1, 3},
        {
            "where_cpu_ram": 1,
            "unknown_cpu_ram": 1,
            "where_gpu_name": 1,
            "where_geolocation": 1,
        },
    )


@pytest.mark.parametrize(
    ("words", "change", "reason"),
    [
        (("--exclude-gpu", "A100"), {"gpu_name": "A100 SXM4"}, "gpu_excluded"),
        (("--exclude-gpu", "rtx_3060"), {"gpu_name": "RTX 3060"}, "gpu_excluded"),
        (("--min-ram", "32"), {"cpu_ram": 30517}, "host_ram"),
        (("--min-vram", "24"), {"gpu_ram": 16376}, "gpu_ram"),
        (("--datacenter",), {"hosting_type": 0}, "not_datacenter"),
    ],
)
def test_short_forms_of_daily_conditions(
    advisor: Advisor,
    saved: Callable[..., str],
    words: tuple[str, ...],
    change: dict[str, Any],
    reason: str,
) -> None:
    """A 24 GB card shows 24,564 MB or 23,028: it is one all the same.

    Host memory is in MiB: 32 GB are 30,517.6.
    """
    file = saved({"hosting_type": 1}, {"hosting_type": 1, "gpu_ram": 23028}, change)
    kept, left_out = ranked(advisor, file, *words)
    assert kept == {1, 2}
    assert left_out == {reason: 1}


def test_a_price_that_is_hidden_passes_no_limit(
    advisor: Advisor, saved: Callable[..., str]
) -> None:
    """What is assumed of the disk counts where the highest price is asked for, too."""
    file = saved({"storage_cost": 0.01}, {"storage_cost": None})
    kept, left_out = ranked(advisor, file, "--max-price", "0.31", "--disk", "200")
    assert kept == {1}
    assert left_out == {"price": 1}


SLIPS = [
    (("--where", "cpu_ram>=lots"), "cpu_ram takes a number of GB"),
    (("--where", "geolocation in [CN"), "brackets"),
    (("--where", ""), "the condition is empty"),
    (("--where", "cpu_rma>=48"), "did you mean 'cpu_ram'?"),
    (("--where", "gpu_lane>=8"), "did you mean 'gpu_lanes'?"),
    (("--exclude-gpu", "RTX 9999"), "no GPU is called 'RTX 9999'"),
    (("--min-ram", "nan"), "above zero"),
    (("--min-vram", "0"), "above zero"),
]
OTHERS = [
    ("explain", "1", *JOB),
    ("compare", "1", "2", *JOB),
    ("bid", *JOB),
    ("fetch", "-o", "out.json.gz"),
]


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        *((("rank", *JOB), *slip) for slip in SLIPS),
        *((command, *slip) for command in OTHERS for slip in SLIPS[0:4:3]),
    ],
)
def test_a_slip_is_a_usage_error(
    advisor: Advisor,
    saved: Callable[..., str],
    command: tuple[str, ...],
    words: tuple[str, ...],
    said: str,
) -> None:
    """One line, exit code 2, and nothing on stdout."""
    done = advisor(*command, *words, "--market", saved({}, {}))
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("query", "near"),
    [
        ("gpu_name!=RTX4090", "RTX_4090"),
        ("gpu_name in [RTX_4900,A40]", "RTX_4090"),
        ("gpu_name!=A100", "A100_SXM4"),  # offers at hand go before those in tables
        ("gpu_name notin [H100]", "H100_HBM3, H100_NVL, H100_PCIE, H100_SXM"),
        ("gpu_name!=xyzzy", "advisor gpus"),
        ("gpu_name!=RTX_3060", ""),  # known, and not for rent just now
        ("gpu_name!=rtx_4090", ""),
        ("gpu_name=any", ""),
    ],
)
def test_a_gpu_that_no_offer_has_is_remarked_on(
    advisor: Advisor, saved: Callable[..., str], query: str, near: str
) -> None:
    """A slip in a whole name leaves out all or nothing: the nearest one is said once."""
    file = saved({"gpu_name": "RTX 4090"}, {"gpu_name": "A100 SXM4"}, {"gpu_name": "A40"})
    for command in (("rank", *JOB), ("fetch", "-o", file.replace(".json", ".json.gz"))):
        done = advisor(*command, "--market", file, "--where", query)
        lines = [one for one in done.stderr.splitlines() if "no offer has" in one]
        if near:
            assert len(lines) == 1
            assert near in lines[0]
        else:
            assert not lines


def test_an_offer_that_is_left_out_says_by_what(
    advisor: Advisor, saved: Callable[..., str]
) -> None:
    """With every condition that it fails, and what it has; one that is gone is gone."""
    file = saved({}, {"cpu_ram": 16000, "reliability": 0.5, "geolocation": ""})
    asked = ("--where", "cpu_ram>=48 geolocation notin [CN]", "--min-reliability", "0.9")
    for command in (("explain", "2"), ("compare", "1", "2"), ("bid", "2")):
        done = advisor(*command, *JOB, "--market", file, *asked)
        assert done.exit_code == 3
        assert (
            "offer 2 is left out: cpu_ram>=48 (this offer has 16), geolocation notin "
            "[CN] (it is not known of this offer), reliability"
        ) in done.stderr
    assert advisor("explain", "1", *JOB, "--market", file, *asked).exit_code == 0
    gone = advisor("explain", "3", *JOB, "--market", file, *asked)
    assert gone.exit_code == 2
    assert "offer 3 is not among" in gone.stderr


def test_nothing_is_asked_for_by_default() -> None:
    """Neither of the market nor again of what it lists."""
    gpus = load_gpus()
    assert Constraints().query(gpus, 5.0) == Query(disk_gb=5.0)
    assert Constraints().filters(gpus, []) == Filters()


def test_a_bid_without_an_offer_is_for_the_best_that_meets_the_conditions(
    advisor: Advisor, saved: Callable[..., str]
) -> None:
    """The cheapest one is left out here."""
    file = saved({}, {"dph_base": 0.2, "min_bid": 0.1, "cpu_ram": 16000})
    for words, best in (((), 2), (("--where", "cpu_ram>=48"), 1)):
        done = advisor("bid", *JOB, "--market", file, "--json", *words)
        assert done.document["offer"]["offer_id"] == best


def test_what_is_fetched_meets_the_conditions(
    advisor: Advisor, saved: Callable[..., str], tmp_path: Path
) -> None:
    """And it says how many do not, and that it is a part of the market."""
    file = saved({}, {"cpu_ram": 16000}, {"gpu_ram": 12288})
    out = tmp_path / "part.json.gz"
    asked = ("--where", "cpu_ram>=48", "--min-vram", "16")
    done = advisor("fetch", "-o", str(out), "--market", file, "--json", *asked)
    assert done.document["excluded"] == {"where_cpu_ram": 1, "gpu_ram": 1}
    answer = load_snapshot(out)
    assert [one["id"] for one in answer.records] == [1]
    assert answer.complete is False


def test_a_price_is_that_of_the_jobs_disk(
    advisor: Advisor, saved: Callable[..., str]
) -> None:
    """As a live market prices it: $0.30 + 0.2 x 360 / 720 = $0.40, on a file too."""
    file = saved({})
    for words, kept in ((("--disk", "10"), {1}), (("--disk", "360"), set())):
        done = advisor(
            *("rank", *JOB, "--market", file, "--json", *words, "--where", "dph<0.39")
        )
        found = {one["offer_id"] for one in done.document["offers"]}
        assert found == kept


def test_a_live_market_is_sent_what_it_understands(
    advisor: Advisor, record: dict[str, Any]
) -> None:
    """And what it sends back is looked at again, here with one that did not listen."""
    bodies: list[dict[str, Any]] = []
    offers = [record, record | {"id": 5, "cpu_ram": 16000}]

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"offers": offers})

    done = advisor(
        *("rank", *JOB, "--market", "vast", "--json", "--datacenter"),
        *("--where", "cpu_ram>=48 gpu_name!=rtx_3060 gpu_lanes>=8 cuda_vers>=12"),
        *("--exclude-gpu", "A40", "--min-ram", "32", "--min-vram", "24"),
        transport=httpx.MockTransport(answer),
    )
    assert done.exit_code == 3
    assert done.document["excluded"] == {
        "unknown_cuda_max_good": 1,
        "where_cpu_ram": 1,
    }
    asked = {"cpu_ram", "gpu_name", "gpu_ram", "datacenter"}
    assert {name: bodies[0][name] for name in asked} == {
        "cpu_ram": {"gte": 48000},
        "gpu_name": {"neq": "RTX 3060", "notin": ["A40"]},
        "gpu_ram": {"gte": pytest.approx(24 * 1024 * 0.93)},
        "datacenter": {"eq": True},
    }
    assert not {"gpu_lanes", "cuda_max_good"} & bodies[0].keys()


CASES = {
    70000001: ("cuda_max_good>=12.4", "driver_version>=550"),
    70000002: ("cpu_ram>=32",),
    70000003: ("inet_down>=200", "inet_up>=100"),
    70000004: ("static_ip=true", "direct_port_count>=16"),
    70000005: ("datacenter=true",),
    70000006: ("geolocation notin [CN,VN]", "geolocation!=CN"),
    70000007: ("has_avx=true", "cpu_cores_effective>=4", "cpu_cores>=8"),
    70000008: ("pcie_bw>=8", "pci_gen>=3", "gpu_lanes>=8"),
    70000009: ("gpu_frac>=0.25",),
}
"""Offer of launcher_constraints.json -> clauses, each of which leaves it out alone."""

GOOD = 70000010


@pytest.fixture
def launcher_offers(cases: Path) -> Path:
    """Return the file of the offers that break one constraint each."""
    return cases / "offers" / "launcher_constraints.json"


@pytest.mark.parametrize(
    ("offer", "clause"),
    [(offer, clause) for offer, clauses in CASES.items() for clause in clauses],
)
def test_each_usual_constraint_can_be_said(
    advisor: Advisor, launcher_offers: Path, tmp_path: Path, offer: int, clause: str
) -> None:
    """One clause drops the one offer that breaks it, and no other."""
    out = tmp_path / "kept.json.gz"
    market = ("--market", str(launcher_offers))
    done = advisor("fetch", "-o", str(out), *market, "--where", clause)
    assert done.exit_code == 0, done.stderr
    kept = {record["id"] for record in load_snapshot(out).records}
    assert kept == {*CASES, GOOD} - {offer}


def test_all_of_them_together_leave_the_good_one(
    advisor: Advisor, launcher_offers: Path
) -> None:
    """Of ten offers one meets every constraint."""
    clauses = (word for first, *_ in CASES.values() for word in ("--where", first))
    done = advisor(
        *("rank", "--workload", "bert-base", "--market", str(launcher_offers), "--json"),
        *clauses,
    )
    assert [one["offer_id"] for one in done.document["offers"]] == [GOOD]
