"""What `advisor sweep` is given: a sweep's file, or a plan that was made of one."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.app.sweep import SweepJob, SweepSpec, load_sweep
from advisor.app.sweep_plan import SweepPlan
from advisor.base.errors import UsageError

_MOST_BYTES = 1 << 26
"""Of the document of a plan: 100,000 jobs are 8 MB."""


@dataclass(frozen=True, slots=True)
class SweepFile:
    """What is asked for, and the plan that was made of it.

    Attributes
    ----------
    spec : the sweep
    plan : None: it is yet to be made
    """

    spec: SweepSpec
    plan: SweepPlan | None = None

    def check(self, jobs: Sequence[SweepJob]) -> None:
        """Refuse a plan of other jobs than those of the sweep.

        Raises
        ------
        UsageError
            with a job that it lacks, has twice, or has besides
        """
        if self.plan is None:
            return
        planned = [name for one in self.plan.machines for name in one.jobs]
        odd = {*planned} ^ {one.name for one in jobs}
        odd |= {name for name, times in Counter(planned).items() if times > 1}
        if odd:
            message = (
                f"the plan is of other jobs than the sweep, such as {min(odd)[:60]}: "
                "plan it anew"
            )
            raise UsageError(message)


def read_sweep(path: str | os.PathLike[str], **replaced: Any) -> SweepFile:
    """Return what a TOML file asks for, or what ``advisor sweep plan --json`` printed.

    A plan counts as long as nothing that it rests on is replaced.

    Parameters
    ----------
    replaced : fields of the sweep that count instead of the file's

    Raises
    ------
    UsageError
        if it cannot be read, or says what cannot be
    """
    file = Path(path)
    if file.suffix.lower() != ".json":
        return SweepFile(load_sweep(file, **replaced))
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            message = f"a plan of at most {_MOST_BYTES >> 20} MiB is expected"
            raise UsageError(message)
        document = json.loads(text)
        if not isinstance(document, dict) or not {"sweep", "plan"} <= {*document}:
            message = "what 'advisor sweep plan --json' prints is expected"
            raise UsageError(message)
        spec = SweepSpec.from_document(document["sweep"])
        plan = SweepPlan.from_document(document["plan"])
        asked = replace(spec, **replaced)
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise UsageError(message) from None
    except (UsageError, ValueError, RecursionError) as error:
        message = f"{file}: {error}"
        raise UsageError(message) from None
    named = replace(asked, name=spec.name)
    return SweepFile(asked, plan if named == spec else None)
