"""Jobs that cost the same wherever they run are planned together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.app.documents import document_of
from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob

_DIGEST = 12


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs that train the same.

    Attributes
    ----------
    identity : the same for the same training, also in another process
    job : what is trained
    names : of the jobs, in their order
    """

    identity: str
    job: JobSpec
    names: tuple[str, ...]


def kinds_of(jobs: Sequence[SweepJob]) -> tuple[Kind, ...]:
    """Return the kinds of some jobs, in the order in which they first come."""
    names: dict[JobSpec, list[str]] = {}
    for one in jobs:
        names.setdefault(one.job, []).append(one.name)
    return tuple(Kind(_identity(job), job, tuple(own)) for job, own in names.items())


def _identity(job: JobSpec) -> str:
    text = json.dumps(document_of(job), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
