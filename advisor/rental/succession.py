"""A machine whose launcher is gone, or hangs, is taken over by the next launcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from advisor.base.errors import (
    AdvisorError,
    MachineLeftError,
    NotShownError,
    ReleasedError,
    UnreachableError,
)
from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.hold import Hold, hangs
from advisor.rental.presence import PAUSE_S, MachineLostError, Presence
from advisor.rental.release import release
from advisor.rental.remote.beats import silent_for_s
from advisor.rental.remote.ssh import Ssh
from advisor.rental.returning import moment
from advisor.store.ledger import Entry

_HEARD_S = 180.0  # three heartbeats


@contextmanager
def succeeded(context: RentalContext, entry: Entry) -> Iterator[Hold]:
    """Work on a machine whose launcher is gone, or hangs.

    Raises
    ------
    AdvisorError
        if there is one that works, or it cannot be written that this one does
    """
    with context.work_on(entry.label) as alone:
        if not alone:
            if not hangs(context, entry.label):
                message = f"another launcher follows {entry.job}: it is not picked up"
                raise AdvisorError(message)
            context.notify(f"the launcher of {entry.job} hangs: this one takes its place")
        hold = Hold(context, entry.label)
        hold.succeed(entry)
        with hold.renewed():
            yield hold


def picked_up(presence: Presence, ssh_to: Callable[[Instance], Ssh]) -> Instance:
    """Return the instance of a job whose launcher is gone, once it is known to run.

    Raises
    ------
    MachineLostError
        if it does not, and another one is to be rented; it was released
    BaseException
        if nobody can say, or it is not ours to follow; it is left as it is
    """
    context, entry = presence.context, presence.entry
    try:
        return _looked_at(presence, ssh_to)
    except (MachineLostError, NotShownError) as error:
        release(context, entry, str(error))
        raise MachineLostError(str(error)) from error
    except ReleasedError:
        raise
    except BaseException:
        context.notify(
            f"instance {entry.instance_id} is left as it is: it may bill until its end "
            f"at {moment(entry.ends_at)}"
        )
        raise


def _looked_at(presence: Presence, ssh_to: Callable[[Instance], Ssh]) -> Instance:
    """Look at the instance of a job whose launcher is gone; as `picked_up`."""
    context, entry = presence.context, presence.entry
    while (instance := presence.instance()) is None:
        context.sleep(PAUSE_S, "waiting for the market to show the machine")
    if instance.label != entry.label:
        message = (
            f"instance {instance.instance_id} is called {instance.label!r} by now: give "
            f"it back its label {entry.label} to go on, or end it in the market's console"
        )
        raise MachineLeftError(message)
    if not context.is_here(entry.place):
        _check_unheard(entry, ssh_to(instance))
    return instance


def _check_unheard(entry: Entry, ssh: Ssh) -> None:
    """Refuse a machine of another computer unless that is known to be silent.

    Raises
    ------
    MachineLeftError
        if it is not
    """
    try:
        silence_s = silent_for_s(ssh)
    except UnreachableError as error:
        message = (
            f"job {entry.job} was begun on another computer, and its machine cannot be "
            f"reached from here: {error}"
        )
        raise MachineLeftError(message) from error
    if silence_s is not None and silence_s < _HEARD_S:
        message = (
            f"job {entry.job} is followed from another computer: end its launcher there, "
            "or release the job"
        )
        raise MachineLeftError(message)
