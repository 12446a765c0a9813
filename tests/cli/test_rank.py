"""`advisor rank`: the main job, its formats, its constraints, its contract."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

ENVELOPE = {
    "schema_version",
    "generated_at",
    "market",
    "complete",
    "workload",
    "model",
    "assumptions",
    "sort",
    "excluded",
    "answer",
    "level",
    "offers",
}
ENTRY = {
    "rank",
    "offer_id",
    "machine_id",
    "gpu_name",
    "num_gpus",
    "cpu_name",
    "cpu_cores",
    "cpu_ghz",
    "usd_per_hour",
    "bid_usd_per_hour",
    "samples_per_s",
    "samples_per_s_low",
    "samples_per_s_high",
    "bound_by",
    "limits",
    "micro_batch",
    "accumulation_steps",
    "memory_gb",
    "memory_margin_gb",
    "memory_risk",
    "epoch_hours",
    "epoch_hours_low",
    "epoch_hours_high",
    "epoch_usd",
    "epoch_usd_low",
    "epoch_usd_high",
    "epoch_rent_usd",
    "epoch_storage_usd",
    "epoch_traffic_usd",
    "epoch_next_machine_usd",
    "epoch_waiting_usd",
    "job_usd",
    "job_hours",
    "checkpoint_hours",
    "expected_failures",
    "expected_preemptions",
    "expected_moves",
    "expected_failed_starts",
    "image",
    "compute_capability",
    "cuda_max",
    "driver_version",
    "cpu_arch",
    "host_ram_gb",
    "host_ram_needed_gb",
    "host_ram_risk",
    "inet_down_mbit_s",
    "inet_up_mbit_s",
    "disk_mb_s",
    "verification",
    "hosting_type",
    "direct_port_count",
    "reliability",
    "geolocation",
    "duration_s",
    "core_speed",
    "tied_with",
    "alternatives",
    "flags",
    "epoch_usd_own_low",
    "epoch_usd_own_high",
    "first_cheaper",
}
LIMITS = {"gpu", "cpu", "launch", "handoff", "transfer", "disk", "gradients"}

Advisor = Callable[..., Any]


def save(path: Path, *records: dict[str, Any]) -> str:
    """Save offers, each with a GPU of its own."""
    own = [record | {"gpu_ids": [at]} for at, record in enumerate(records)]
    path.write_text(json.dumps({"offers": own}))
    return str(path)


def test_the_table_ranks_the_bundled_sample(advisor: Advisor) -> None:
    """Without a key the sample market is ranked, and it is called simulated."""
    outcome = advisor("rank", "--workload", "resnet50")
    assert outcome.exit_code == 0
    header, rule, *rows = outcome.stdout.splitlines()
    assert header.split()[0] == "#"
    assert set(rule) == {"-", " "}
    ranks = [row.split()[0].rstrip("~") for row in rows]
    assert ranks == [str(i) for i in range(1, 21)]
    assert "market sample" in outcome.stderr
    assert "simulated" in outcome.stderr
    assert re.search(r"[\d,]+ offers read", outcome.stderr)


def test_the_json_envelope_is_the_contract(advisor: Advisor) -> None:
    """Every key that scripts rely on is there, and no other."""
    document = advisor("rank", "--workload", "resnet50", "--json").document
    assert set(document) == ENVELOPE
    assert document["schema_version"] == 1
    assert document["generated_at"] == "2026-11-21T12:00:00Z"
    assert document["market"]["name"] == "sample"
    assert document["market"]["simulated"] is True
    assert document["workload"]["name"] == "resnet50"
    for entry in document["offers"]:
        assert set(entry) == ENTRY
        assert set(entry["limits"]) == LIMITS
        assert entry["bound_by"] in LIMITS
    read = document["market"]["offers_read"]
    assert len(document["offers"]) + sum(document["excluded"].values()) == read


def test_every_entry_is_consistent(advisor: Advisor) -> None:
    """Costs add up to their lines, waiting is in none; intervals hold their middle."""
    document = advisor("rank", "--workload", "resnet50", "--json").document
    samples = document["workload"]["samples_per_epoch"]
    epochs = document["workload"]["epochs"]
    an_hour = document["assumptions"]["waiting_usd_per_h"]["value"]
    assert document["sort"] == "epoch-cost"
    order = [
        ("start_doubtful" in one["flags"], one["epoch_usd"]) for one in document["offers"]
    ]
    assert order == sorted(order)
    for entry in document["offers"]:
        low, high = entry["samples_per_s_low"], entry["samples_per_s_high"]
        assert 0 < low < entry["samples_per_s"] < high
        gpus = entry["num_gpus"]
        dealt_out = gpus * math.ceil(samples / gpus)
        hours = dealt_out / entry["samples_per_s"] / 3600
        assert entry["epoch_hours"] == pytest.approx(hours)
        names = ("rent", "storage", "traffic", "next_machine")
        parts = (entry[f"epoch_{part}_usd"] for part in names)
        assert entry["epoch_usd"] == pytest.approx(sum(parts))
        assert entry["epoch_usd"] * epochs == pytest.approx(entry["job_usd"])
        waiting = entry["epoch_waiting_usd"] * epochs
        assert waiting == pytest.approx(an_hour * entry["job_hours"])
        assert entry["epoch_usd_low"] <= entry["epoch_usd"] <= entry["epoch_usd_high"]
        assert entry["job_hours"] > epochs * hours
        known = {k: v for k, v in entry["limits"].items() if v is not None}
        assert entry["samples_per_s"] <= min(known.values()) * (1 + 1e-9)
        # The exchange comes after the GPUs' own work: together they may be the least.
        serial = {name: known[name] for name in ("gpu", "gradients") if name in known}
        together = 1.0 / sum(1.0 / rate for rate in serial.values())
        others = {name: rate for name, rate in known.items() if name not in serial}
        least = serial if together <= min(others.values()) else others
        assert min(least, key=least.__getitem__) == entry["bound_by"]


def test_csv_and_tsv_have_the_same_rows(advisor: Advisor) -> None:
    """The delimited formats hold the JSON's entries, nested figures as columns."""
    arguments = ("rank", "--workload", "resnet50", "--top", "7", "--format")
    rows = list(csv.DictReader(advisor(*arguments, "csv").stdout.splitlines()))
    tabs = advisor(*arguments, "tsv").stdout.splitlines()
    entries = advisor(*arguments, "json").document["offers"]
    assert list(csv.DictReader(tabs, delimiter="\t")) == rows
    assert [int(row["offer_id"]) for row in rows] == [e["offer_id"] for e in entries]
    assert float(rows[0]["limits_gpu"]) == entries[0]["limits"]["gpu"]


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("epoch-cost", "epoch_usd"),
        ("epoch-time", "epoch_hours"),
        ("price", "usd_per_hour"),
    ],
)
def test_the_order_goes_by_what_was_asked(advisor: Advisor, sort: str, key: str) -> None:
    """Each sort key orders by its own figure; what may well not run comes last."""
    arguments = ("rank", "--workload", "bert-base", "--sort", sort, "--json")
    entries = advisor(*arguments).document["offers"]
    fails = ["start_doubtful" in entry["flags"] for entry in entries]
    assert any(fails)
    if sort == "price":
        fails = [False] * len(entries)
    figures = [(last, entry[key]) for last, entry in zip(fails, entries, strict=True)]
    assert figures == sorted(figures)


def test_ties_break_the_same_way_every_time(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """Offers that are equal in everything come in the order of their ids."""
    records = [record | {"id": i} for i in (5, 3, 9, 1)]
    for order in (records, records[::-1]):
        market = save(tmp_path / "market.json", *order)
        arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
        ids = [entry["offer_id"] for entry in advisor(*arguments).document["offers"]]
        assert ids == [1, 3, 5, 9]


def test_constraints_leave_out_with_their_reasons(advisor: Advisor) -> None:
    """Each offer left out is counted under a reason that names the constraint."""
    document = advisor(
        *("rank", "--workload", "resnet50", "--json", "--gpu", "rtx_4090"),
        *(
            "--num-gpus",
            "1",
            "--max-price",
            "0.42",
            "--region",
            "north-america",
            "--verified",
        ),
    ).document
    assert document["offers"]
    for entry in document["offers"]:
        assert entry["gpu_name"] == "RTX 4090"
        assert entry["num_gpus"] == 1
        assert entry["usd_per_hour"] <= 0.42
    assert {"gpu", "num_gpus", "price", "region", "not_verified"} <= set(
        document["excluded"]
    )


def test_a_disk_of_ones_own_is_priced(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """`--disk 360` adds 0.2 x 360 / 720 = $0.10 an hour."""
    market = save(tmp_path / "market.json", record)
    arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
    entry = advisor(*arguments, "--disk", "360").document["offers"][0]
    assert entry["usd_per_hour"] == pytest.approx(0.40)


def test_more_epochs_spread_the_start(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """What is paid once weighs less on each of many epochs."""
    market = save(tmp_path / "market.json", record)
    arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
    costs = [
        advisor(*arguments, "--epochs", n).document["offers"][0]["epoch_usd"]
        for n in ("1", "10", "100")
    ]
    assert costs[0] > 2 * costs[1] > 2 * costs[2]


def test_interruptible_bids(advisor: Advisor) -> None:
    """Each offer has a bid below its price on demand, and pauses are expected."""
    arguments = ("rank", "--workload", "resnet50", "--top", "9", "--json")
    document = advisor(*arguments, "--interruptible").document
    assert document["workload"]["rental"] == "interruptible"
    for entry in document["offers"]:
        assert 0 < entry["bid_usd_per_hour"] < entry["usd_per_hour"]
        assert entry["expected_preemptions"] > 0
    plain = advisor(*arguments).document
    assert {entry["bid_usd_per_hour"] for entry in plain["offers"]} == {None}
    table = advisor("rank", "--workload", "resnet50", "--interruptible").stdout
    assert f"bid {document['offers'][0]['bid_usd_per_hour']:.3f}" in table


def test_ties_are_marked(advisor: Advisor) -> None:
    """An offer that cannot be told from a better one names it; the table marks it."""
    arguments = ("rank", "--workload", "resnet50", "--top", "9")
    entries = advisor(*arguments, "--json").document["offers"]
    tied = [entry for entry in entries if entry["tied_with"] is not None]
    assert tied
    ids = [entry["offer_id"] for entry in entries]
    for entry in tied:
        assert ids.index(entry["tied_with"]) < entry["rank"] - 1
    for row, entry in zip(
        advisor(*arguments).stdout.splitlines()[2:], entries, strict=True
    ):
        assert row.split()[0].endswith("~") == (entry["tied_with"] is not None)


def test_a_missed_budget_is_exit_code_6(advisor: Advisor) -> None:
    """What fits but is too dear says so, with the nearest miss."""
    outcome = advisor("rank", "--workload", "resnet50", "--budget", "0.5", "--json")
    assert outcome.exit_code == 6
    assert "allow $" in outcome.stderr
    assert outcome.document["offers"] == []


def test_a_missed_deadline_is_exit_code_3(advisor: Advisor) -> None:
    """A deadline that nothing meets names the fastest offer."""
    outcome = advisor("rank", "--workload", "resnet50", "--deadline", "30m")
    assert outcome.exit_code == 3
    assert "the nearest is offer" in outcome.stderr


@pytest.mark.parametrize(
    "limit",
    [
        *(("--budget", "0.4"), ("--budget", "0.9"), ("--deadline", "2h")),
        ("--deadline", "5h", "--budget", "5"),
        ("--deadline", "5h", "--budget", "3", "--max-price", "0.1", "--interruptible"),
    ],
)
def test_as_many_epochs_as_a_refusal_advises_fit(
    advisor: Advisor, limit: tuple[str, ...]
) -> None:
    """The same command with them has a choice: setting up costs what it did."""
    told = advisor("rank", "resnet50", *limit).stderr
    (epochs,) = re.findall(r" or train (\d+) of 90 epochs", told)
    assert advisor("rank", "resnet50", *limit, "--epochs", epochs).exit_code == 0


def test_a_highest_price_that_refuses_is_named(advisor: Advisor) -> None:
    """Not the budget, which offers meet; the price that is told is enough."""
    asked = ("rank", "resnet50", "--interruptible", "--budget", "1000", "--max-price")
    outcome = advisor(*asked, "0.0001")
    assert outcome.exit_code == 3
    assert "no offer meets --max-price of $0.0001/h; " in outcome.stderr
    (enough,) = re.findall(r": allow \$([\d.]+)/h$", outcome.stderr.strip())
    assert advisor(*asked, enough).exit_code == 0


def test_pareto_has_no_offer_that_another_beats(advisor: Advisor) -> None:
    """Along the front the cost of the job rises and its time falls."""
    arguments = ("rank", "--workload", "resnet50", "--pareto", "--json")
    entries = advisor(*arguments).document["offers"]
    hours = [entry["job_hours"] for entry in entries]
    assert [entry["job_usd"] for entry in entries] == sorted(
        e["job_usd"] for e in entries
    )
    assert hours == sorted(hours, reverse=True)


def test_an_assumption_can_be_changed(advisor: Advisor) -> None:
    """What the user assumes counts and is told; a wrong name is refused."""
    arguments = ("rank", "--workload", "resnet50", "--top", "1", "--json", "--assume")
    document = advisor(*arguments, "delivered_share=0.05").document
    assert document["assumptions"]["delivered_share"]["value"] == 0.05
    usual = advisor(*arguments, "delivered_share=0.6").document
    assert document["offers"][0]["job_usd"] > usual["offers"][0]["job_usd"]
    outcome = advisor(*arguments, "speed=1")
    assert outcome.exit_code == 2
    assert "delivered_share" in outcome.stderr


def test_an_unknown_cpu_is_ranked_wider_and_flagged(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A host with a null CPU stays in the ranking, with less said about it."""
    nothing = {"cpu_name": None, "cpu_cores": None, "cpu_ghz": None}
    market = save(
        tmp_path / "market.json",
        record,
        record | {"id": 102, "cpu_cores_effective": 0.0} | nothing,
    )
    arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
    entries = {e["offer_id"]: e for e in advisor(*arguments).document["offers"]}
    widths = {
        offer: entry["samples_per_s_high"] / entry["samples_per_s_low"]
        for offer, entry in entries.items()
    }
    assert widths[102] > 1.05 * widths[101]
    assert {"cpu_unknown", "cores_unknown"} <= set(entries[102]["flags"])
    assert not {"cpu_unknown", "cores_unknown"} & set(entries[101]["flags"])
    assert entries[102]["cpu_cores"] is None


def test_a_gpu_too_small_leaves_with_the_reason(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A 7B fine-tune does not fit a 4 GB card, and exit code 3 says nothing fits."""
    small = record | {"gpu_name": "GTX 1650", "gpu_ram": 4096}
    market = save(tmp_path / "market.json", small)
    outcome = advisor("rank", "--workload", "llama-7b-lora", "--market", market, "--json")
    assert outcome.exit_code == 3
    assert outcome.document["excluded"] == {"gpu_memory_too_small": 1}
    assert outcome.document["offers"] == []


@pytest.mark.parametrize("workload", ["resnet50", "gpt2-124m", "yolov8n"])
def test_constraints_that_nothing_meets_leave_nothing(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path, workload: str
) -> None:
    """With not one offer left there is no crash but exit code 3, and the count why."""
    market = save(tmp_path / "market.json", record)
    outcome = advisor(
        "rank",
        "--workload",
        workload,
        "--market",
        market,
        "--max-price",
        "0.001",
        "--json",
    )
    assert outcome.exit_code == 3
    assert outcome.document["excluded"] == {"price": 1}


def test_absurd_figures_are_unknown(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """Prices and rates beyond any unit are unknown, not infinite costs or crashes."""
    absurd = [
        record | {"id": 1, "inet_down_cost": 1e308},
        record | {"id": 2, "dph_base": 1e308},
        record | {"id": 3, "dph_base": 1e308, "dph_total": 1e308},
        record | {"id": 4, "total_flops": 1e308, "cpu_cores_effective": 1e300},
        record | {"id": 5, "num_gpus": 1e18},
        record | {"id": 6, "num_gpus": 1.5},
    ]
    market = save(tmp_path / "market.json", *absurd)
    arguments = ("rank", "--workload", "resnet50", "--market", market)
    document = advisor(*arguments, "--json").document
    assert document["excluded"] == {"no_price": 1, "unknown_num_gpus": 2}
    assert {entry["offer_id"] for entry in document["offers"]} == {1, 2, 4}
    assert all(entry["epoch_usd"] < 10 for entry in document["offers"])
    assert advisor(*arguments).exit_code == 0


def test_a_simulated_offer_says_so(advisor: Advisor) -> None:
    """In a saved CSV or JSON too, each offer of the sample is called simulated."""
    document = advisor("rank", "--workload", "resnet50", "--json").document
    assert all("simulated" in entry["flags"] for entry in document["offers"])


def test_a_smaller_micro_batch_is_shown(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A card that cannot hold the batch accumulates, in the table and the JSON."""
    small = record | {"gpu_name": "RTX 2060", "gpu_ram": 6144}
    market = save(tmp_path / "market.json", small)
    arguments = ("rank", "--workload", "resnet50", "--market", market)
    entry = advisor(*arguments, "--json").document["offers"][0]
    assert entry["accumulation_steps"] > 1
    assert "batch_accumulated" in entry["flags"]
    assert f"batch {entry['micro_batch']} x" in advisor(*arguments).stdout


@pytest.mark.parametrize(
    ("score", "flag", "note"),
    [(60.0, "dlperf_low", "low DLPerf"), (3.0, "dlperf_broken", "DLPerf broken")],
)
def test_a_strange_dlperf_is_told(
    advisor: Advisor,
    record: dict[str, Any],
    tmp_path: Path,
    score: float,
    flag: str,
    note: str,
) -> None:
    """A low score costs some speed, a broken one none; JSON and table say which."""
    odd = record | {"id": 9, "dlperf": score}
    market = save(tmp_path / "market.json", record, odd)
    arguments = ("rank", "--workload", "bert-base", "--market", market)
    document = advisor(*arguments, "--json").document
    entries = {entry["offer_id"]: entry for entry in document["offers"]}
    assert flag in entries[9]["flags"]
    share = entries[9]["limits"]["gpu"] / entries[101]["limits"]["gpu"]
    if flag == "dlperf_low":
        assert 0.75 <= share < 1.0
    else:
        assert share == pytest.approx(1.0)
    assert document["assumptions"]["dlperf_exponent"]["source"].startswith("assumption")
    assert note in advisor(*arguments).stdout


def test_an_unknown_gpu_without_figures_is_left_out(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A GPU that no table knows and the market does not describe is not guessed."""
    bare = {key: record[key] for key in ("id", "num_gpus", "dph_total")}
    market = save(
        tmp_path / "market.json", bare | {"gpu_name": "Quantum 9", "gpu_ram": 24000}
    )
    outcome = advisor("rank", "--workload", "resnet50", "--market", market, "--json")
    assert outcome.exit_code == 3
    assert outcome.document["excluded"] == {"unknown_gpu": 1}


def test_an_unknown_gpu_with_figures_is_ranked_and_flagged(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """A GPU that the market describes is ranked with a wider interval and a flag."""
    market = save(
        tmp_path / "market.json", record, record | {"id": 9, "gpu_name": "RTX 9999"}
    )
    arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
    entries = {e["offer_id"]: e for e in advisor(*arguments).document["offers"]}
    assert "gpu_unknown" in entries[9]["flags"]
    width = {
        i: e["samples_per_s_high"] / e["samples_per_s_low"] for i, e in entries.items()
    }
    assert width[9] > width[101]


def test_a_gpu_that_only_the_market_knows_can_be_asked_for(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """`--gpu` takes a name that is in no table but among the offers."""
    market = save(
        tmp_path / "market.json", record, record | {"id": 9, "gpu_name": "RTX 9999"}
    )
    arguments = ("rank", "--workload", "resnet50", "--market", market, "--json")
    (entry,) = advisor(*arguments, "--gpu", "rtx 9999").document["offers"]
    assert entry["offer_id"] == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workload", "resnet-50"), "resnet50"),
        (("--workload", "resnet50", "--market", "no-such.json"), "no-such.json"),
        (("--workload", "resnet50", "--market", "vats"), "vast"),
        (("--workload", "resnet50", "--gpu", "RTX 4900"), "RTX 4090"),
        (("--workload", "resnet50", "--region", "atlantis"), "europe"),
        (("--workload", "resnet50", "--min-duration", "24"), "24h"),
        (("--workload", "resnet50", "--max-price", "nan"), "finite"),
        (("--workload", "resnet50", "--epochs", "0"), "0"),
        (("--workload", "resnet50", "--epochs", "1" + "0" * 400), "epochs"),
        (("--workload", "resnet50", "--min-reliability", "nan"), "finite"),
        (("--workload", "resnet50", "--max-age", "nan"), "finite"),
        (("--workload", "resnet50", "--min-duration", "9" * 400 + "d"), "finite"),
        (("--workload", "resnet50", "--market", ""), "PATH"),
        (("--workload", "resnet50", "--sort", "luck"), "luck"),
        ((), "--workload"),
    ],
)
def test_wrong_words_say_what_to_do(
    advisor: Advisor, arguments: tuple[str, ...], words: str
) -> None:
    """A wrong option exits with 2 and a message that names the way out."""
    outcome = advisor("rank", *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert outcome.stdout == ""


def test_a_key_chooses_the_live_market(advisor: Advisor, record: dict[str, Any]) -> None:
    """With a key the default market is the live one, and the line says so."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Authorization"])
        return httpx.Response(200, json={"offers": [record]})

    outcome = advisor(
        *("rank", "--workload", "resnet50"),
        variables={"VAST_API_KEY": "k-123"},
        transport=httpx.MockTransport(answer),
    )
    assert outcome.exit_code == 0
    assert "market vast" in outcome.stderr
    assert set(asked) == {"Bearer k-123"}
    assert "k-123" not in outcome.stdout + outcome.stderr


def test_a_refused_key_never_falls_back(advisor: Advisor) -> None:
    """A wrong key ends with exit code 4, not with another market's offers."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"success": False, "msg": "Invalid user key"})

    outcome = advisor(
        *("rank", "--workload", "resnet50"),
        variables={"VAST_API_KEY": "k-123"},
        transport=httpx.MockTransport(answer),
    )
    assert outcome.exit_code == 4
    assert outcome.stdout == ""


@pytest.mark.parametrize(
    "name",
    [
        "vast-2026-06-a100",
        "vast-2026-08-17-without-key",
        "vast-2026-08-17",
        "vast-2026-09-16-rtx4090",
        "vast-misc",
        "vast-all-fields",
    ],
)
def test_every_real_file_ranks(advisor: Advisor, real_data: Path, name: str) -> None:
    """Each real file is ranked, and every offer read is ranked or has a reason."""
    market = str(real_data / "offers" / f"{name}.json")
    outcome = advisor("rank", "--workload", "resnet50", "--market", market, "--json")
    assert outcome.exit_code == 0
    document = outcome.document
    assert document["offers"]
    left_out = sum(document["excluded"].values())
    assert len(document["offers"]) + left_out == document["market"]["offers_read"]
    assert "unknown_gpu" not in document["excluded"]
