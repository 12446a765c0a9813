"""`advisor fetch --keep`, `history`, `hosts`: the user's own record at work."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advisor.market.offers import parse_offers
from advisor.store.database import open_store
from advisor.store.history import store_snapshot

Advisor = Callable[..., Any]


def snapshot(path: Path, at: str, *records: dict[str, Any], **more: Any) -> str:
    document = {
        "schema_version": 1,
        "market": "vast",
        "origin": "test",
        "fetched_at": at,
        "complete": True,
        "simulated": False,
        "notes": [],
        "offers": records,
        **more,
    }
    path.write_text(json.dumps(document))
    return str(path)


@pytest.fixture
def kept(advisor: Advisor, record: dict[str, Any], tmp_path: Path) -> None:
    """Keep an hour of snapshots in which the least bid rises and the offer goes."""
    for minute, bid in ((0, 0.10), (10, 0.10), (20, 0.20), (30, None)):
        records = [] if bid is None else [record | {"min_bid": bid}]
        other = record | {"machine_id": 8, "gpu_ids": [12], "id": 5, "min_bid": 0.1}
        market = snapshot(
            tmp_path / "market.json", f"2026-11-20T10:{minute:02}:00Z", *records, other
        )
        assert advisor("fetch", "--keep", "--market", market).exit_code == 0


def test_a_torn_file_of_the_users_stops_only_what_needs_it(
    advisor: Advisor, tmp_path: Path
) -> None:
    """Rankings and predictions do without it and say so once; it is not overwritten."""
    torn = tmp_path / "data" / "advisor.sqlite3"
    torn.parent.mkdir(exist_ok=True)
    torn.write_text("no database")
    for line in (
        ("rank", "--workload", "resnet50", "--top", "1"),
        ("predict", "--workload", "resnet50", "--gpu", "RTX 4090"),
    ):
        outcome = advisor(*line)
        assert outcome.exit_code == 0, outcome.stderr
        assert outcome.stderr.count("no record, block or history counts") == 1
    for line in (("records", "list"), ("hosts", "list"), ("history", "--gpu", "A100")):
        assert advisor(*line).exit_code == 2
    assert torn.read_text() == "no database"


@pytest.mark.usefixtures("kept")
def test_the_history_of_a_gpu(
    advisor: Advisor, conforms: Callable[[str, Any], None]
) -> None:
    """Prices by day, lives and bids, as a table, JSON and CSV."""
    arguments = ("history", "--gpu", "rtx_4090", "--by", "day")
    document = advisor(*arguments, "--json").document
    conforms("history", document)
    (day,) = document["prices"]
    assert day["start"] == "2026-11-20T00:00:00Z"
    assert day["listings"] == 2
    assert day["usd_per_gpu_hour_p50"] == pytest.approx(0.30)
    first = document["bids"][0]
    assert (first["outbid"], first["gone"]) == (1.0, 0.0)
    assert first["exposure_hours"] == pytest.approx((20 + 30) / 60)
    assert document["lives"]["median_hours"] is None
    text = advisor(*arguments).stdout
    assert "2026-11-20 00:00" in text
    assert "bid / min bid" in text
    (row,) = csv.DictReader(advisor(*arguments, "--format", "csv").stdout.splitlines())
    assert float(row["usd_per_gpu_hour_p50"]) == day["usd_per_gpu_hour_p50"]
    assert advisor("history", "--since", "1h").exit_code == 3


@pytest.mark.usefixtures("kept")
def test_the_history_is_drawn_beside_what_is_printed(
    advisor: Advisor, tmp_path: Path
) -> None:
    """A curve of prices and one of bids; the result is the same as without."""
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    arguments, path = ("history", "--gpu", "rtx_4090", "--json"), tmp_path / "p.svg"
    outcome = advisor(*arguments, "--plot", str(path))
    assert outcome.document == advisor(*arguments).document
    assert f"plot written to {path}" in outcome.stderr
    text = path.read_text(encoding="utf-8")
    for part in ('id="price"', 'id="least-bid"', "rtx_4090, all stored markets"):
        assert part in text
    assert advisor(*arguments, "--plot", str(path.with_suffix(".png"))).exit_code == 0
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("p.pdf", "ends neither in .png nor in .svg"),
        ("nowhere/p.png", "is no folder that can be written to"),
    ],
)
def test_a_file_that_cannot_be_drawn_is_refused(
    advisor: Advisor, tmp_path: Path, path: str, why: str
) -> None:
    """Before anything is read, evaluated or drawn."""
    for command in (("history",), ("model", "evaluate")):
        outcome = advisor(*command, "--plot", str(tmp_path / path))
        assert outcome.exit_code == 2
        assert why in outcome.stderr
        assert not list(tmp_path.iterdir())


def test_what_draws_is_asked_for_first(
    advisor: Advisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation takes minutes, and so does a card: not to fail at their end."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plot = ("--plot", str(tmp_path / "p.svg"))
    card = ("model", "card", "-o", str(tmp_path / "card.md"))
    for words in (("history", *plot), ("model", "evaluate", *plot), card):
        outcome = advisor(*words)
        assert outcome.exit_code == 2
        assert "needs matplotlib: pip install '.[plots]'" in outcome.stderr


@pytest.mark.usefixtures("kept")
def test_the_record_tells_what_bids_cost(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """With a record the hazard is estimated from it, and said to be."""
    market = snapshot(tmp_path / "now.json", "2026-11-21T11:00:00Z", record)
    arguments = ("bid", "--workload", "resnet50", "--market", market, "--json")
    told = advisor(*arguments).document
    assert told["hazard"].startswith("1 hours of one GPU in recorded snapshots")
    silent = advisor(*arguments, variables={"ADVISOR_DATA_DIR": str(tmp_path / "no")})
    assert silent.document["hazard"] == "assumption"
    rates = [
        document["bids"][0]["losses_per_hour"] for document in (told, silent.document)
    ]
    assert rates[0] > rates[1]


def test_an_empty_history_says_how_to_fill_it(advisor: Advisor) -> None:
    """Nothing kept is exit code 3 and the command that keeps."""
    outcome = advisor("history")
    assert outcome.exit_code == 3
    assert "advisor fetch --keep" in outcome.stderr


def test_a_simulated_market_is_not_kept(advisor: Advisor) -> None:
    """Prices that nobody asks never mix with real ones."""
    outcome = advisor("fetch", "--keep", "--market", "sample")
    assert outcome.exit_code == 2
    assert "no such offers exist" in outcome.stderr


def test_a_file_without_a_time_is_not_kept(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A snapshot of nobody knows when has no place in a history."""
    market = tmp_path / "market.json"
    market.write_text(json.dumps([record]))
    outcome = advisor("fetch", "--keep", "--market", str(market))
    assert outcome.exit_code == 2
    assert "when it was fetched" in outcome.stderr


def test_a_snapshot_of_the_future_is_not_kept(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """It would stand in the way of every later one."""
    market = snapshot(tmp_path / "market.json", "2027-11-21T11:00:00Z", record)
    outcome = advisor("fetch", "--keep", "-o", str(tmp_path / "o"), "--market", market)
    assert outcome.exit_code == 2
    assert "dated in the future" in outcome.stderr
    assert not (tmp_path / "o").exists()


def test_fetch_needs_a_place(advisor: Advisor) -> None:
    """Neither a file nor the record is a usage error that names both."""
    outcome = advisor("fetch", "--market", "sample")
    assert outcome.exit_code == 2
    assert "-o FILE, --keep or both" in outcome.stderr


def test_a_constrained_fetch_is_a_part_of_the_market(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """What a constraint leaves out did not go away."""
    other = record | {"id": 5, "machine_id": 8, "gpu_ids": [12], "gpu_name": "RTX 3090"}
    for minute, more in ((0, ()), (10, ("--gpu", "RTX 3090"))):
        market = snapshot(
            tmp_path / "market.json", f"2026-11-20T10:{minute:02}:00Z", record, other
        )
        advisor("fetch", "--keep", "--market", market, *more)
    document = advisor("history", "--json").document
    assert [row["gone"] for row in document["bids"]] == [0.0] * 6


def test_a_blocked_machine_is_left_out(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """Its offers are counted as blocked until it is allowed again."""
    market = snapshot(tmp_path / "market.json", "2026-11-21T11:00:00Z", record)
    rank = ("rank", "--workload", "resnet50", "--market", market, "--json")
    advisor("hosts", "block", str(record["machine_id"]), "--reason", "died  at epoch 3")
    outcome = advisor(*rank)
    assert outcome.exit_code == 3
    assert outcome.document["excluded"] == {"blocked": 1}
    (row,) = advisor("hosts", "list", "--json").document["hosts"]
    assert (row["id"], row["rule"]) == (record["machine_id"], "block")
    assert row["reason"] == "died at epoch 3"
    advisor("hosts", "allow", str(record["machine_id"]))
    assert len(advisor(*rank).document["offers"]) == 1
    advisor("hosts", "block", "--host", str(record["host_id"]))
    assert len(advisor(*rank).document["offers"]) == 1  # the machine is allowed
    other = record | {"machine_id": 9, "gpu_ids": [99]}
    market = snapshot(tmp_path / "other.json", "2026-11-21T11:00:00Z", other)
    rank = ("rank", "--workload", "resnet50", "--market", market, "--json")
    assert advisor(*rank).document["excluded"] == {"blocked": 1}


def test_a_file_of_no_named_market_is_searched_for_blocked_machines(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """What another client saved may be of the market that the block is of."""
    market = tmp_path / "market.json"
    market.write_text(json.dumps([record]))
    advisor("hosts", "block", str(record["machine_id"]))
    arguments = ("rank", "--workload", "resnet50", "--market", str(market), "--json")
    assert advisor(*arguments).document["excluded"] == {"blocked": 1}


def test_no_rules_are_an_empty_list(advisor: Advisor) -> None:
    """Nothing blocked is an empty table and an empty JSON list."""
    assert advisor("hosts", "list").exit_code == 0
    assert advisor("hosts", "list", "--json").document["hosts"] == []


@pytest.mark.usefixtures("kept")
def test_an_archive_shows_what_the_record_shows(
    advisor: Advisor, tmp_path: Path, conforms: Callable[[str, Any], None]
) -> None:
    """Exported, told file by file, and asked by the same command to the same result."""
    pytest.importorskip("duckdb", reason="the extra 'archive' is not installed")
    pytest.importorskip("pyarrow", reason="the extra 'archive' is not installed")
    folder = str(tmp_path / "archive")
    done = advisor("history", "export", folder, "--json").document
    conforms("history-export", done)
    (file,) = done["files"]
    assert (file["market"], file["month"], file["written"]) == ("vast", "2026-11", True)
    assert Path(file["file"]).stat().st_size == file["size_bytes"]
    again = advisor("history", "export", folder, "--since", "30d", "--market", "vast")
    assert again.stdout.splitlines()[-1].split()[-2:] == ["had", "all"]
    for more in (("--gpu", "rtx_4090", "--json"), ("--by", "hour", "--since", "30d")):
        own = advisor("history", *more)
        assert own.exit_code == 0
        assert advisor("history", "--archive", folder, *more).stdout == own.stdout
    for nothing in (("--market", "none"), ("--since", "1h")):
        assert advisor("history", "--archive", folder, *nothing).exit_code == 3
        assert advisor("history", "export", folder, *nothing).exit_code == 3
    assert advisor("history", "--archive", folder, "--gpu", "A100").exit_code == 3


def test_options_of_the_history_are_not_those_of_an_export(
    advisor: Advisor, tmp_path: Path
) -> None:
    """One before the command would do nothing, and is refused."""
    outcome = advisor("history", "--since", "1h", "export", str(tmp_path / "archive"))
    assert outcome.exit_code == 2
    assert "--since before 'export' does nothing" in outcome.stderr
    assert "'advisor history export -h'" in outcome.stderr


@pytest.mark.parametrize("library", ["duckdb", "pyarrow"])
@pytest.mark.parametrize("words", [("export",), ("--archive",)])
def test_an_archive_needs_its_extra(
    advisor: Advisor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    library: str,
) -> None:
    """Where one of the two is not installed, the line says what installs it."""
    monkeypatch.setitem(sys.modules, library, None)
    outcome = advisor("history", *words, str(tmp_path / "archive"))
    assert outcome.exit_code == 2
    assert "an archive needs its extra: pip install '.[archive]'" in outcome.stderr


def test_the_advised_bid_is_above_what_others_bid_all_day(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A least bid that rises by a quarter every other hour costs a low bid every time."""
    market = snapshot(tmp_path / "now.json", "2026-11-21T11:00:00Z", record)
    end, advised = datetime(2026, 11, 21, 11, tzinfo=UTC), list[float]()
    for name, high in (("calm", 0.15), ("busy", 0.19)):
        with open_store(tmp_path / name) as store:
            for step in range(2 * 24 * 2):
                bid = high if step % 4 > 1 else 0.15
                offers, _ = parse_offers([{**record, "min_bid": bid}])
                at = end - timedelta(days=2) + timedelta(minutes=30 * step)
                store_snapshot(store, offers, market="vast", at=at, whole=True)
        document = advisor(
            *("bid", "--workload", "resnet50", "--market", market, "--json"),
            variables={"ADVISOR_DATA_DIR": str(tmp_path / name)},
        ).document
        (best,) = [bid for bid in document["bids"] if bid["advised"]]
        advised.append(best["over_min_bid"])
    calm, busy = advised
    assert calm < 0.19 / 0.15 <= busy
