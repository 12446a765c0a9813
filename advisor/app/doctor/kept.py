"""What the user keeps: the file with the ledger, its copies, the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from advisor.app.context import Context
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.base.errors import RentalStateUnknownError, StoreError, StoreTornError
from advisor.base.files import nearest
from advisor.base.mounts import mount_of
from advisor.base.units import BYTES_PER_MB
from advisor.rental.ordering import SETTLES_WITHIN_S
from advisor.store.entry import Entry, Torn
from advisor.store.health import StoreHealth, check_copy, copies_of, look_at

_CHECK_S = 5.0
"""Seconds for which the pages of the file are checked."""

_SHOWN = 3
_COPY = "No such job is started; a copy of the store in its folder may have them whole."
_RECONCILE = "Run 'advisor reconcile': it compares the ledger with the market."


def store(context: Context) -> Iterator[Finding]:
    """Yield how the user's file is, and the rentals in it that need attention."""
    folder = context.data_folder
    yield _place(folder)
    try:
        health = look_at(folder, _CHECK_S)
    except StoreTornError as error:
        yield wrong("store", error)
        return
    except StoreError as error:
        yield wrong("store", error, "See who may read and write it.")
        return
    if health is None:
        yield ok("store", f"none yet in {folder}: the first record or rental makes it")
        yield ok("rentals", "none is open")
        return
    yield _state_of(health)
    if health.torn_jobs:
        found = f"{len(health.torn_jobs)} rows of sweeps make no sense"
        why = f"{found}: {health.torn_jobs[0].why}"
        yield wrong("sweeps", why, _COPY, StoreTornError)
    yield from rentals(health.entries, health.torn, context.now().timestamp())


def copies(context: Context) -> Iterator[Finding]:
    """Yield whether the newest copy of the user's file could take its place."""
    found = copies_of(context.data_folder)
    if not found:
        yield ok("copies", "none: one is made before a newer advisor changes the store")
        return
    newest = found[0]
    day = datetime.fromtimestamp(newest.stat().st_mtime, UTC).date().isoformat()
    try:
        check_copy(newest)
    except StoreError as error:
        advice = "Copy the store yourself, while no advisor runs."
        yield warning("copies", f"the newest copy cannot be used: {error}", advice)
    else:
        yield ok("copies", f"{len(found)}, the newest {newest.name} of {day}")


def cache(context: Context) -> Iterator[Finding]:
    """Yield whether answers of markets can be stored."""
    folder = context.cache_folder
    if reason := _unwritable(folder):
        found = f"{folder} {reason}: each ranking asks the market anew"
        advice = "Mend its permissions, or set ADVISOR_CACHE_DIR to another folder."
        yield warning("cache", found, advice)
        return
    size = sum(one.stat().st_size for one in folder.glob("**/*") if one.is_file())
    yield ok("cache", f"{folder}, {size / BYTES_PER_MB:,.1f} MB")


def rentals(
    entries: Sequence[Entry], torn: Sequence[Torn], now: float
) -> Iterator[Finding]:
    """Yield the rentals of the ledger that need attention.

    Parameters
    ----------
    now : seconds since 1970
    """
    if torn:
        found = f"{len(torn)} rows of the ledger make no sense: {torn[0].why}"
        yield wrong("rentals", found, _RECONCILE, StoreTornError)
    unsure = {one.label: why for one in entries if (why := _unsure(one, now))}
    if unsure:
        shown = [f"{label} {why}" for label, why in list(unsure.items())[:_SHOWN]]
        more = [f"{len(unsure) - _SHOWN} more"] if len(unsure) > _SHOWN else []
        found = f"{'; '.join([*shown, *more])}; it may bill"
        yield wrong("rentals", found, _RECONCILE, RentalStateUnknownError)
        return
    left = [one for one in entries if one.state == "working" and _is_left(one, now)]
    hidden = [one for one in entries if one.state == "gone" and one.ends_at > now]
    if hidden:
        found = f"{hidden[-1].label} is not shown by its market, and nobody here ended it"
        advice = "Look for it in the market's console; 'advisor rentals' shows it."
        yield warning("rentals", found, advice)
    elif left:
        job = left[-1].job
        found = f"job {job} is on its machine, and its launcher is gone"
        advice = f"'advisor run --resume {job}' goes on; else the machine ends itself."
        yield warning("rentals", found, advice)
    elif not torn:
        rented = sum(one.is_open for one in entries)
        yield ok("rentals", f"{rented} open" if rented else "none is open")


def _unsure(entry: Entry, now: float) -> str:
    """Return why nobody can say what has become of a rental, ``""`` if that is known."""
    if entry.state == "unknown":
        return "was requested, and nobody knows the outcome"
    if entry.is_open and entry.ends_at < now:
        return "is past its end, and nobody has seen it gone"
    if entry.state == "intended" and entry.intended_at + SETTLES_WITHIN_S < now:
        return "was about to be requested when its launcher died"
    if entry.state == "held" and (entry.lease_until is None or _is_left(entry, now)):
        return "was rented by a launcher that is gone"
    return ""


def _is_left(entry: Entry, now: float) -> bool:
    """Say whether the launcher of a rental has not renewed its lease."""
    return entry.lease_until is not None and entry.lease_until < now


def _place(folder: Path) -> Finding:
    """Return whether the data folder is a place for the user's file."""
    name = "data_folder"
    if reason := _unwritable(folder):
        found = f"{folder} {reason}: nothing can be recorded or rented"
        advice = "Mend its permissions, or set ADVISOR_DATA_DIR to another folder."
        return wrong(name, found, advice, StoreError)
    mount = mount_of(folder)
    if mount is not None and mount.is_network:
        found = (
            f"{folder} is on a network file system ({mount.kind}): SQLite's locks and "
        )
        found += "its write-ahead log do not work between computers there"
        advice = "Set ADVISOR_DATA_DIR to a folder on a local disk."
        return warning(name, found, advice)
    kind = f", {mount.kind}" if mount is not None else ""
    return ok(name, f"writable: {folder}{kind}")


def _state_of(health: StoreHealth) -> Finding:
    """Return whether the user's file can be used now."""
    if not os.access(health.path, os.W_OK):
        found = f"{health.path} may not be written: nothing can be recorded or rented"
        return wrong("store", found, "Mend its permissions.", StoreError)
    if health.writer is not None:
        found = f"process {health.writer} writes {health.path} now"
        advice = (
            "Run this again; where it stays so, end that process: others wait for it."
        )
        return warning("store", found, advice)
    parts = [f"schema {health.version}"]
    if not health.is_current:
        parts.append("the next command that needs it copies it, and updates the schema")
    parts.append("every page is whole" if health.is_whole else "large: checked in part")
    return ok("store", f"{health.path.name}: {', '.join(parts)}")


def _unwritable(folder: Path) -> str:
    """Return why nothing can be written in a folder, or it be made; ``""``: it can."""
    there = nearest(folder)
    if not there.is_dir():
        return f"cannot be made: {there} is no folder"
    if os.access(there, os.W_OK | os.X_OK):
        return ""
    return (
        "may not be written"
        if there == folder.absolute()
        else f"cannot be made in {there}"
    )
