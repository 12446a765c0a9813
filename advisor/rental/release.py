"""Rentals are ended, and it is verified that they are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from advisor.errors import AdvisorError, MarketError, RentalStateUnknownError
from advisor.rental.desk import Desk
from advisor.store.ledger import Entry

_LOOKS = 10
_PAUSE_S = 3.0
_WATCH_S = 1.0


def release(desk: Desk, entry: Entry, reason: str) -> Entry:
    """End a rental whose instance is known, and return its entry once it is gone.

    Raises
    ------
    RentalStateUnknownError
        if nobody can say that it is gone: the ledger has it as being released, and
        `reconcile` goes on
    """
    if entry.instance_id is None:
        message = f"rental {entry.label} has no instance that could be released"
        raise AdvisorError(message)
    desk.ledger.advance(entry.label, "releasing", desk.now(), reason)
    gone = finish_release(desk, entry.label, entry.instance_id, reason)
    desk.told(f"instance {entry.instance_id}: released")
    return gone


@contextmanager
def released(
    desk: Desk, entry: Entry, unless: type[BaseException] | tuple[()] = ()
) -> Iterator[None]:
    """Release a rental when a block ends, however it ends but by the error `unless`."""
    try:
        yield
    except unless:
        raise
    except BaseException as error:
        release(desk, entry, " ".join(str(error).split()) or type(error).__name__)
        raise
    release(desk, entry, "its work is done")


@contextmanager
def ended_in_time(desk: Desk, entry: Entry) -> Iterator[None]:
    """End a rental when its lifetime is over, though the block may still run."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_WATCH_S):
            if desk.now() < entry.ends_at:  # by the clock: a laptop may have slept
                continue
            try:
                release(desk, entry, "its lifetime is over")
            except AdvisorError as error:  # the watchdog and `reconcile` try on
                desk.told(str(error))
            return

    thread = threading.Thread(target=watch, name="lifetime", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def finish_release(desk: Desk, label: str, instance_id: int, reason: str) -> Entry:
    """End the instance of a rental that the ledger has as being released."""
    try:
        end_instance(desk, label, instance_id)
    except MarketError as error:
        message = (
            f"instance {instance_id} may still be there and bill: {error}; "
            "run 'advisor reconcile'"
        )
        raise RentalStateUnknownError(message) from error
    return desk.ledger.advance(label, "released", desk.now(), reason)


def end_instance(desk: Desk, label: str, instance_id: int) -> None:
    """End an instance if it is the one with this label, and see that it is gone.

    An id that stands for somebody else's machine by now is left alone.

    Raises
    ------
    MarketError
        if the market cannot be asked, or still shows it after a while
    """
    for look in range(_LOOKS):
        found = desk.market.instance(instance_id)
        if found is None and look:
            return
        if found is not None and found.label not in ("", label):
            message = f"instance {instance_id} has the label {found.label!r}, not {label}"
            raise MarketError(message)
        # Also one that does not show: what was rented a moment ago may not yet.
        desk.market.release(instance_id)
        desk.sleep(_PAUSE_S)
    message = f"the market still shows instance {instance_id} after it was ended"
    raise MarketError(message)
