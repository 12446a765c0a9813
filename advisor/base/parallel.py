"""Tasks in parallel, the same results whatever the number of jobs.

`each` runs its tasks through `joblib.Parallel` without a backend or a number of jobs of
its own, as scikit-learn does: ``joblib.parallel_config`` around an evaluation decides.

Examples
--------
All cores of this machine, or the workers of a Dask cluster::

    with joblib.parallel_config(n_jobs=-1):
        evaluate_folder(models_folder())

    with Client("tcp://scheduler:8786"), joblib.parallel_config(backend="dask"):
        evaluate_folder(models_folder())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from advisor.base.progress import Progress, quiet

Result = TypeVar("Result")


def each(
    what: str,
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    progress: Progress = quiet,
    *,
    unit: str = "fits",
) -> list[Result]:
    """Return what a function gives for each task, in the order of the tasks.

    Each task runs on one thread, so that neither the number of jobs nor that of cores
    changes a bit of its result, and jobs do not wait for each other's threads.

    Parameters
    ----------
    what : is done, for `progress`
    function : of a module, so that other processes find it
    tasks : arguments of each call
    progress : is told how many tasks are done
    unit : what the tasks are called; those of an evaluation are fits, each anew without
        what it holds out
    """
    progress(what, 0, len(tasks), unit)
    found = []
    run = Parallel(return_as="generator")
    for result in run(delayed(on_one_thread)(function, *task) for task in tasks):
        found.append(result)
        progress(what, len(found), len(tasks), unit)
    return found


def on_one_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function with BLAS and OpenMP on one thread."""
    with threadpool_limits(limits=1):
        return function(*arguments)
