"""Where tasks of an evaluation run: on the cores of this computer, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from advisor import __version__
from advisor.base.errors import UsageError
from advisor.base.resources import installing
from advisor.cli.options import Command, with_options

_CONNECT_S = 10
"""How long a scheduler is waited for."""

_WORKER_S = 10
"""How long a first worker is waited for."""


def parallel_options(command: Command) -> Command:
    """Add ``--jobs`` and ``--dask``, which say where tasks run; see `in_parallel`."""
    return with_options(
        command,
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=None,
            help="Tasks that run at once. Default: one per core. The figures are the "
            "same.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS",
            help="Run the tasks on your Dask cluster instead: the address of its "
            "scheduler, such as tcp://localhost:8786. Its workers need this version of "
            "advisor.",
        ),
    )


@contextmanager
def in_parallel(jobs: int | None, dask: str | None) -> Iterator[None]:
    """Run the tasks of `advisor.base.parallel.each` side by side.

    Raises
    ------
    advisor.base.errors.UsageError
        if Dask is not installed, the cluster cannot be reached, or it has no worker with
        this version of advisor
    """
    import joblib  # noqa: PLC0415  (evaluations alone)

    if dask is None:
        with joblib.parallel_config(n_jobs=jobs or joblib.cpu_count()):
            yield
        return
    if jobs is not None:
        message = "--jobs and --dask contradict each other: leave one out"
        raise UsageError(message)
    with _client(dask), joblib.parallel_config(backend="dask"):
        yield


@contextmanager
def _client(address: str) -> Iterator[None]:
    """Connect to the scheduler of a cluster, for the block."""
    try:
        from distributed import Client  # noqa: PLC0415  (an extra)
    except ImportError:
        message = f"--dask: Dask is not installed: {installing('fleet')}"
        raise UsageError(message) from None
    connect: Any = Client
    try:
        client = connect(address, timeout=_CONNECT_S, set_as_default=True)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0]
        message = f"--dask: no Dask scheduler answers at {address}: {reason}"
        raise UsageError(message) from error
    with client:
        _check_workers(client, address)
        yield


def _check_workers(client: Any, address: str) -> None:
    """Refuse a cluster that cannot play, or would find other figures than this computer.

    A task is what makes an adaptive cluster start its first worker.
    """
    try:
        client.submit(abs, 1, pure=False).result(timeout=_WORKER_S)
    except TimeoutError:
        message = (
            f"--dask: the cluster at {address} has no worker after {_WORKER_S} s: start "
            f"one, such as with dask worker {address}"
        )
        raise UsageError(message) from None
    for worker, found in client.run(_version, on_error="return").items():
        if found != __version__:
            seen = f"advisor {found}" if isinstance(found, str) else "no advisor"
            message = (
                f"--dask: the worker {worker} has {seen}, and this is {__version__}: "
                "install this version there"
            )
            raise UsageError(message)


def _version() -> str:
    """Return the version of advisor of the worker that runs this."""
    return __version__
