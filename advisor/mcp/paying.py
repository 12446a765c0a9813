"""Tools that spend money or end machines: only within caps, and only at a user's yes.

They do what `advisor rent`, `run` and `release` do, through the same ledger. What those
ask on a terminal is asked of the user of the client, never of the model.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.app.context import Context
from advisor.app.listener import Listener
from advisor.app.release import Released, release
from advisor.app.rent import DEFAULT_MARKET, RentSpec
from advisor.app.renting import rent
from advisor.app.run import RunSpec
from advisor.app.running import run
from advisor.base.errors import AdvisorError, ArgumentError, Given
from advisor.base.units import SECONDS_PER_HOUR
from advisor.mcp.arguments import Arguments, named, rent_spec, run_spec
from advisor.mcp.untrusted import Guard
from advisor.mcp.work import Document, Work
from advisor.ranking.offer import RankedOffer
from advisor.rental import arguments
from advisor.rental.jobs import JobRecord
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.release import Releasable
from advisor.rental.request import Attempt, Rental
from advisor.rental.run import Ended
from advisor.report.jobs import ended_document, not_ended_document
from advisor.report.rental import SCHEMA_VERSION, ending, not_rented, payment, rented

_LONGEST = 500
"""Characters of a text of the agent's that the user is shown."""

_RENT, _RUN, _SEND, _END = "Rent it", "Rent it and run this there", "Send it", "End it"
_SEND_SECRETS = "Send these secrets"


@dataclass(frozen=True, slots=True)
class User:
    """Who uses the client: asked before anything is paid or ended.

    Attributes
    ----------
    work : of the call, which waits for the answer
    guard : makes what is asked fit to be shown
    """

    work: Work
    guard: Guard

    def allows(self, question: str, verb: str) -> bool:
        """Return whether the user allows it; see `Work.ask`.

        One line: what an agent chose the words of cannot look like words of ours.
        """
        line = " ".join(self.guard.text(question).split())
        return self.work.ask(line, verb)


class _Asked(Listener):
    """Has each payment allowed by the user, and keeps what came of it.

    Parameters
    ----------
    user : is asked
    spec : of the rental
    verb : what a yes says
    doing : what the agent would do there; it is put last, since a text of the agent's
        must not push the price out of sight

    Attributes
    ----------
    done : document of what is had, which holds if nothing fails after it
    failed : document of why it is not
    """

    def __init__(self, user: User, spec: RentSpec, verb: str, doing: str = "") -> None:
        self._user, self._spec = user, spec
        self._verb, self._doing = verb, doing
        self.done: Document | None = None
        self.failed: Document | None = None

    def confirms(self, candidate: RankedOffer, ends_at: float) -> bool:
        """Ask whether an offer may be paid for."""
        cap = f"At most ${self._spec.budget_usd:,.2f} is spent on the job."
        image = f"Image: {candidate.image}."
        parts = (payment(candidate, ends_at), cap, image, self._doing)
        return self._user.allows(" ".join(parts), self._verb)

    def allows(self, reason: str, question: str) -> bool:
        """Ask whether something unusual may be sent."""
        return self._user.allows(f"{reason}: {question}", _SEND)

    def allows_secrets(self, reason: str) -> bool:
        """Ask whether secrets may be sent: here the agent has named them."""
        question = f"send secrets of yours to the machine? These: {reason}"
        return self._user.allows(question, _SEND_SECRETS)

    def rented(self, rental: Rental, key_file: Path) -> None:
        """Keep how to reach it."""
        self.done = rented(rental, str(key_file), self._spec.lease_s)

    def not_rented(self, error: AdvisorError, attempts: Sequence[Attempt]) -> None:
        """Keep what came of each offer."""
        self.failed = not_rented(error, attempts)

    def ended(self, ended: Ended) -> None:
        """Keep how the command has ended."""
        self.done = ended_document(ended.job, ended)

    def not_ended(self, job: JobRecord, error: AdvisorError) -> None:
        """Keep why it has not."""
        self.failed = not_ended_document(job, error)


def rent_of(context: Context, found: Arguments) -> RentSpec:
    """Return a rental, as it is asked for and may be.

    Raises
    ------
    UsageError
        if it cannot be, lacks a cap, or has one above the user's own
    """
    spec = rent_spec(found)
    _check_files_caps(context, spec)
    return spec


def run_of(context: Context, found: Arguments) -> RunSpec:
    """Return a command and its machine, as they are asked for; as `rent_of`."""
    spec = run_spec(found)
    _check_files_caps(context, spec.rent)
    # Of more than is usual it is the user who is asked, whatever the agent says.
    return replace(spec, max_sync_gb=min(spec.max_sync_gb, MAX_SYNC_GB))


def release_of(context: Context, found: Arguments) -> Released:  # noqa: ARG001  (of all)
    """Return what is to be ended.

    Raises
    ------
    UsageError
        if that is not said
    """
    number = found.get("instance_id")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise arguments.wrong("instance_id", number, "a whole number is expected")
    if number is not None and number < 0:  # on a command line it would be an option
        raise arguments.wrong("instance_id", number, "a number from 0 is expected")
    named(found, "market")
    return Released(number, arguments.text("job", found.get("job"), may_lack=True))


def rent_tool(context: Context, found: Arguments, user: User) -> Document:
    """Rent the best offer, as ``advisor rent --json``."""
    spec = rent_of(context, found)
    wait = arguments.flag("wait", found.get("wait", False)) or False
    listener = _Asked(user, spec, _RENT)
    return _came_of(listener, lambda: rent(context, spec, listener, wait_for_ssh=wait))


def _came_of(listener: _Asked, use: Callable[[], object]) -> Document:
    """Return the document of what a use case did, or of why it did not.

    Raises
    ------
    AdvisorError
        if it failed without one
    """
    try:
        use()
    except AdvisorError:
        if listener.failed is None:
            raise
        return listener.failed
    assert listener.done is not None  # noqa: S101  (who succeeds has reported it)
    return listener.done


def give_back(context: Context, market: str, document: Document) -> None:
    """Release what a document of `rent_tool` says is rented: nobody has taken it."""
    number = document.get("instance_id")
    if document.get("state") != "rented" or number is None:
        return
    try:
        release(context, market, Released(instance_id=number))
    except AdvisorError as error:
        context.notify(f"{error}; run 'advisor reconcile'")


def run_tool(context: Context, found: Arguments, user: User) -> Document:
    """Run a command on the best offer, as ``advisor run --json``."""
    spec = run_of(context, found)
    words = user.guard.text(shlex.join(spec.argv), _LONGEST)
    folder = user.guard.text(spec.folder, _LONGEST)
    also = user.guard.text(shlex.join(spec.includes), _LONGEST)
    ignored = f" (and of what it ignores: {also})" if also else ""
    doing = f"To be run there, with a copy of {folder}{ignored}: {words}"
    listener = _Asked(user, spec.rent, _RUN, doing)
    return _came_of(listener, lambda: run(context, spec, listener))


def release_tool(context: Context, found: Arguments, user: User) -> Document:
    """End rentals, as ``advisor release``; return which."""
    which = release_of(context, found)
    ended: list[Mapping[str, Any]] = []

    def confirm(chosen: Sequence[Releasable]) -> None:
        several = f"{len(chosen)} machines: " if len(chosen) > 1 else ""
        if not user.allows(f"{several}{ending(chosen)}", _END):
            message = "nothing was released: it was not confirmed"
            raise AdvisorError(message)
        ended.extend(
            {"label": one.label, "job": one.job, "instance_id": one.instance_id}
            for one in chosen
        )

    release(context, named(found, "market") or DEFAULT_MARKET, which, confirm)
    return {"schema_version": SCHEMA_VERSION, "state": "released", "released": ended}


def _check_files_caps(context: Context, spec: RentSpec) -> None:
    """Refuse caps above the user's own: a model may spend less, never more.

    On the command line the user overrules the files; here somebody else speaks.

    Raises
    ------
    ArgumentError
        if one is
    """
    settings = context.rental_settings
    budget, most = spec.budget_usd, settings.job_budget_usd
    if budget is not None and most is not None and budget > most:
        raise ArgumentError(
            Given("budget_usd", f"{budget:g}"),
            f": job_budget_usd in advisor.toml allows ${most:,.2f}",
        )
    lifetime, longest_h = spec.max_lifetime_s, settings.max_lifetime_h
    if lifetime and longest_h and lifetime > longest_h * SECONDS_PER_HOUR:
        raise ArgumentError(
            Given("max_lifetime_s", f"{lifetime:g}"),
            f": max_lifetime_h in advisor.toml allows {longest_h:g} h",
        )
