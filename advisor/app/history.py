"""What a record of a market shows: the user's own, or one that was exported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.app.context import Context
from advisor.base.errors import NothingFitsError, UsageError
from advisor.base.progress import doing
from advisor.base.resources import installing
from advisor.base.units import SECONDS_PER_DAY
from advisor.hardware.gpus import load_gpus
from advisor.store.database import open_store
from advisor.store.listing_intervals import load_intervals, stored_gpu_names
from advisor.store.market_statistics import Bucket, MarketHistory, market_history

if TYPE_CHECKING:
    from advisor.store.archive.export import Exported

_SINCE_OF_ALL_S = 7 * SECONDS_PER_DAY  # of all GPUs: a month would take seconds

_NOTHING = "nothing of this is stored yet: 'advisor fetch --keep' records a market"


@dataclass(frozen=True, slots=True)
class HistorySpec:
    """What is asked of a record.

    Attributes
    ----------
    gpus : GPUs or families; empty: all
    market : whose record; None: of all markets
    by : period that prices are summed up over
    since_s : how far back, seconds; None: all of given GPUs, seven days of all GPUs
    archive : folder of an export that is asked; None: the user's own record
    """

    gpus: tuple[str, ...] = ()
    market: str | None = None
    by: Bucket = "day"
    since_s: float | None = None
    archive: Path | None = None


def history(context: Context, spec: HistorySpec) -> MarketHistory:
    """Return prices, lifetimes and bids.

    Raises
    ------
    NothingFitsError
        if the record has nothing of what is asked for
    UsageError
        if the archive is none, or what reads it is not installed
    """
    since_s = spec.since_s
    if since_s is None and not spec.gpus:
        since_s = _SINCE_OF_ALL_S
    since = None if since_s is None else context.now() - timedelta(seconds=since_s)
    if spec.archive is not None:
        return _of_archive(context, spec, spec.archive, since)
    told = doing(context.progress, "reading your record of the market")
    with told, open_store(context.data_folder) as connection:
        names = _selected(spec, stored_gpu_names(connection))
        intervals = load_intervals(connection, names, spec.market, since)
    if not len(intervals):
        raise NothingFitsError(_NOTHING)
    with doing(context.progress, "summing up what is stored"):
        return market_history(intervals, spec.by)


def export_history(
    context: Context, folder: Path, market: str | None, since_s: float | None
) -> Exported:
    """Write the user's record into an archive; see `advisor.store.archive.export.export`.

    Parameters
    ----------
    market : whose record; None: of all markets
    since_s : how far back, seconds; None: all

    Raises
    ------
    NothingFitsError
        if nothing is stored of that
    UsageError
        if the folder is no archive or cannot be written to, or what writes it is not
        installed
    """
    _need_extra()
    from advisor.store.archive.export import export  # noqa: PLC0415  (an extra)

    since = None if since_s is None else context.now() - timedelta(seconds=since_s)
    told = doing(context.progress, "writing the archive")
    with told, open_store(context.data_folder) as connection:
        found = export(
            connection, folder, market=market, since=since, progress=context.progress
        )
    if not found.partitions:
        raise NothingFitsError(_NOTHING)
    return found


def _of_archive(
    context: Context, spec: HistorySpec, folder: Path, since: datetime | None
) -> MarketHistory:
    _need_extra()
    from advisor.store.archive.questions import open_archive  # noqa: PLC0415

    told = doing(context.progress, "reading the archive")
    with told, open_archive(folder, spec.market) as archive:
        names = _selected(spec, archive.gpu_names()) if spec.gpus else None
        found = archive.history(spec.by, names, since)
    if found is None:
        message = f"{folder} has nothing of this: ask for other GPUs, or further back"
        raise NothingFitsError(message)
    return found


def _selected(spec: HistorySpec, stored: Collection[str]) -> frozenset[str] | None:
    """Return the spellings of the GPUs that are asked for, as a market has them."""
    if not spec.gpus:
        return None
    return frozenset(load_gpus().select(spec.gpus, stored)) & frozenset(stored)


def _need_extra() -> None:
    """Refuse what needs the libraries of an archive where they are not installed."""
    if any(find_spec(library) is None for library in ("duckdb", "pyarrow")):
        message = f"an archive needs its extra: {installing('archive')}"
        raise UsageError(message)
