"""Workload profiles as the Python face has them."""

from __future__ import annotations

import os

from advisor.app.context import Context
from advisor.app.given import world_of
from advisor.workloads.profile import Workload


def load_workload(
    name: str | os.PathLike[str], *, context: Context | None = None
) -> Workload:
    """Load the profile of a training.

    Parameters
    ----------
    name : of a profile (of the project, the user, or built in), or the path of one
    context : the outside world; None: this process's

    Returns
    -------
    Workload
        What `rank`, `explain` and `predict` take, too, with any of its figures replaced
        by `dataclasses.replace`.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such profile, or it makes no sense

    Examples
    --------
    >>> import advisor
    >>> from dataclasses import replace
    >>> workload = advisor.load_workload("resnet50")
    >>> workload.batch_size
    256
    >>> mine = replace(workload, name="mine", batch_size=64)
    >>> advisor.predict(mine, "RTX 4090").micro_batch
    64
    """
    context = world_of(context)
    return context.library.load(os.fspath(name))
