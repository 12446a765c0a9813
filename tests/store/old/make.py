"""Writes the data folder of an advisor before version 6 of its file (see README.md)."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from advisor.base.resources import STORE, fixtures_folder
from advisor.market.offers import parse_offers
from advisor.market.sample import SampleMarket
from advisor.market.snapshot import load_snapshot
from advisor.rental.jobs import JobRecord, job_folder, save_job
from advisor.store.database import open_store
from advisor.store.history import keep
from advisor.store.hosts import HostRule, set_rule
from advisor.store.ledger import Entry, Ledger
from advisor.store.migrations import MIGRATIONS
from advisor.store.misfits import MisfitRecord, keep_misfit
from advisor.store.runs import keep_run
from advisor.throughput.user_runs import UserRun

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MARKET, OTHER = "127.0.0.1:8799/900001", "127.0.0.1:8799/900002"

RENTALS = (
    # job, market, steps after "intended": state, seconds later, why; instance
    ("intended", MARKET, (), None),
    ("unknown", MARKET, (("unknown", 2, "no answer within 30 s"),), None),
    ("held", MARKET, (("held", 1, ""),), 21000003),
    ("mine", MARKET, (("held", 1, ""), ("handed", 100, "")), 21000004),
    ("lab", MARKET, (("held", 1, ""), ("handed", 101, "it runs a job")), 21000005),
    (
        "ending",
        MARKET,
        (("held", 1, ""), ("handed", 90, ""), ("releasing", 3000, "by hand")),
        21000006,
    ),
    (
        "ended",
        MARKET,
        (
            ("held", 1, ""),
            ("handed", 102, "it runs a job"),
            ("releasing", 2000, "its work is done"),
            ("released", 2005, "its work is done"),
        ),
        21000007,
    ),
    ("refused", MARKET, (("refused", 1, "no such offer: é\u2122"),), None),
    ("missed", MARKET, (("held", 1, ""), ("handed", 100, "")), 21000009),
    ("theirs", OTHER, (("held", 1, ""), ("handed", 100, "")), 21000010),
)

OPTIONS = {
    "workload": "resnet50",
    "epochs": 2,
    "settings": ("dataset_gb=1",),
    "yes": True,
    "name": "lab",
    "budget": 3.0,
    "gpus": ("RTX 4090", "RTX 4080"),
    "fit_batch": False,
    "memory_margin": 0.0,
    "disk": None,
    "rental": "on-demand",
    "assumed": (),
    "image": None,
    "exclude_gpus": (),
    "num_gpus": (),
    "min_reliability": None,
    "max_price": None,
    "regions": (),
    "verified": None,
    "min_duration": None,
    "min_ram": None,
    "min_vram": None,
    "datacenter": False,
    "where": (),
    "market": "vast",
    "max_epoch_cost": None,
    "deadline": None,
    "day_budget": None,
    "max_lifetime": None,
    "attempts": 5,
    "start_timeout": None,
}
"""As `advisor run` keeps them."""


def main(folder: Path) -> None:
    """Write a data folder, with whatever the advisor that is imported writes."""
    assert len(MIGRATIONS) == 5, "PYTHONPATH is to name a checkout of an older advisor"
    folder.mkdir(parents=True)
    write_ledger(folder)
    write_the_rest(folder)
    write_jobs(folder)
    with sqlite3.connect(folder / STORE) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.execute("PRAGMA journal_mode = DELETE")
        store.execute("VACUUM")
    store.close()
    for left in ("launchers", "ssh"):
        shutil.rmtree(folder / left, ignore_errors=True)


def label_of(number: int, job: str) -> str:
    ends = int(START.timestamp()) + 2 * 3600
    return f"advisor:{job}:{ends:08x}-{number:016x}"


def write_ledger(folder: Path) -> None:
    ledger = Ledger(folder)
    begun = START.timestamp()
    for number, (job, market, steps, instance) in enumerate(RENTALS, 1):
        label = label_of(number, job)
        entry = Entry(
            label=label,
            market=market,
            job=job,
            state="intended",
            offer_id=9000000 + number,
            machine_id=5500 + number,
            gpu_ids=(2 * number, 2 * number + 1),
            gpu_name="RTX 4090",
            num_gpus=2,
            usd_per_hour=0.25 + number / 8,
            traffic_usd=0.0625,
            intended_at=begun,
            ends_at=begun + 2 * 3600,
        )
        ledger.intend(entry, lambda entries: None)
        for state, after_s, why in steps:
            known = instance if state == "held" else None
            ledger.advance(label, state, begun + after_s, why, instance_id=known)
        if job == "missed":
            ledger.miss(label, begun + 200.0)


def write_the_rest(folder: Path) -> None:
    answer = load_snapshot(fixtures_folder() / "sample-market.json.gz")
    with open_store(folder) as store:
        for minutes, count in ((0, 4), (5, 3)):
            offers, _ = parse_offers(answer.records[:count])
            at = START.replace(minute=minutes)
            keep(store, offers, market=SampleMarket().name, at=at, whole=True)
        set_rule(store, HostRule("vast", "machine", 5501, True, "slow disk", START))
        set_rule(store, HostRule("vast", "host", 77, False, "well known", START))
        run = UserRun("resnet50", "RTX 4090", 1, 1268.0, None, 12.0, None, 128, "amp")
        keep_run(store, run, "given", START, {"parts": [], "marks": ["made up"]})
        keep_misfit(
            store,
            MisfitRecord(
                *("vast", "lab", "driver_too_old", 5502, "pytorch/pytorch:2.3.0"),
                *("RTX 4090", 890.0, 535.0, "amd64", 64.0, float("nan")),
                START.timestamp(),
            ),
        )


def write_jobs(folder: Path) -> None:
    job = JobRecord(
        name="lab",
        argv=("python", "train.py", "--epochs", "2"),
        folder="/home/somebody/project",
        results="results",
        checkpoints="checkpoints",
        options=OPTIONS,
        includes=("data/",),
        before={"checkpoints/last.pt": (1024, 1795186000000000000)},
        predicted={
            "workload": "resnet50",
            "gpu": "RTX 4090",
            "num_gpus": 2,
            "cpu": "AMD EPYC 7702",
            "threads": 12.0,
            "cpu_ghz": 2.5,
            "batch_size": 128,
            "precision": "amp",
            "samples_per_s": 1116.25,
        },
    )
    save_job(folder, job)
    token = label_of(5, "lab").rpartition(":")[2]
    (job_folder(folder, "lab") / f"{token}.log").write_text("epoch 1\n")
    older = JobRecord(
        name="older",
        argv=("sh", "-c", "make"),
        folder="/home/somebody/older",
        results="results",
        checkpoints="results",
        options={**OPTIONS, "name": "older"},
    )
    save_job(folder, older)
    path = job_folder(folder, "older") / "job.json"
    kept = json.loads(path.read_text())
    for name in ("before", "exit_code", "includes", "excludes"):
        del kept[name]  # as jobs were kept before there were these
    path.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
