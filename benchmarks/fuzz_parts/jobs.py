"""Records of jobs, of this version and of the first, read where they are wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.app.jobs import load_job
from advisor.base.errors import AdvisorError
from advisor.rental.jobs import JobRecord, job_file, save_job
from fuzz_parts.tally import Tally
from fuzz_parts.wild import cut, flip, wrong_document

FIRST: Mapping[str, Any] = {
    "name": "lab",
    "argv": ["python", "train.py"],
    "folder": "/somewhere",
    "results": "results",
    "checkpoints": "checkpoints",
    "options": {
        "workload": "resnet50",
        "epochs": 2,
        "settings": ["dataset_gb=1"],
        "fit_batch": False,
        "disk": None,
        "rental": "on-demand",
        "assumed": [],
        "image": None,
        "gpus": ["A100"],
        "num_gpus": [],
        "min_reliability": None,
        "max_price": None,
        "regions": [],
        "verified": None,
        "min_duration": None,
        "market": "vast",
        "name": "lab",
        "max_epoch_cost": None,
        "deadline": None,
        "budget": 3.0,
        "day_budget": None,
        "max_lifetime": None,
        "attempts": 5,
        "start_timeout": None,
        "yes": True,
    },
    "includes": ["data/"],
    "excludes": [],
    "before": {"checkpoints/a": [3, 1795186000000000000]},
    "predicted": {},
    "exit_code": None,
}
"""A record as the first version kept it; what this one makes of it is wronged as well."""


def fuzz_jobs(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong the record of a job `count` times."""
    tally, path = Tally(), job_file(folder, "lab")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(FIRST))
    save_job(folder, _loaded(folder))
    whole = (FIRST, json.loads(path.read_bytes()))
    for _ in range(count):
        tally.tried += 1
        document = wrong_document(rnd, rnd.choice(whole))
        body = bytearray(json.dumps(document).encode("utf-8", "surrogatepass"))
        if rnd.random() < 0.3:
            rnd.choice((flip, cut))(rnd, body)
        path.write_bytes(bytes(body))
        _try(tally, folder, bytes(body), f"{document!r:.160}")
    return tally


def _loaded(folder: Path) -> JobRecord:
    return load_job(folder, "lab")[0]


def _try(tally: Tally, folder: Path, body: bytes, how: str) -> None:
    """Read a record as `run --resume` does, and keep it again."""
    job = tally.tell(f"load_job ({how})", lambda: _loaded(folder))
    if job_file(folder, "lab").read_bytes() != body:
        tally.fault(f"reading changed the record ({how})")
    if isinstance(job, AdvisorError):
        tally.refused += 1
    elif isinstance(job, JobRecord):
        tally.tell(f"asked ({how})", lambda: job.asked)
        tally.tell(f"save_job ({how})", lambda: save_job(folder, job))
        again = tally.tell(f"load_job again ({how})", lambda: _loaded(folder))
        if again != job:
            tally.fault(f"a record is another when it is kept again ({how})")
