"""Rentals as documents for programs and as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from advisor.app.rent import RentSpec
from advisor.app.renting import WouldRent
from advisor.app.run import RunSpec
from advisor.base.errors import AdvisorError, Given, RentalStateUnknownError
from advisor.base.figures import duration
from advisor.base.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.market.lifecycle import Instance
from advisor.market.values import read_text
from advisor.ranking.offer import RankedOffer
from advisor.rental.labels import read_label
from advisor.rental.reconcile import Finding
from advisor.rental.release import Releasable
from advisor.rental.request import Attempt, Rental
from advisor.rental.seen import Seen, billed_usd_per_hour
from advisor.report.cells import LONGEST, clean, cut
from advisor.report.entries import number
from advisor.report.failure import with_error
from advisor.report.formats import lines_of, to_json
from advisor.store.ledger import Entry, Step

SCHEMA_VERSION = 1


def predicted(candidate: RankedOffer) -> dict[str, Any]:
    """Return what was predicted of an offer."""
    return {
        "samples_per_s": number(candidate.samples_per_s),
        "samples_per_s_low": number(candidate.samples_per_s_low),
        "samples_per_s_high": number(candidate.samples_per_s_high),
        "epoch_usd": number(candidate.cost_usd_per_epoch),
        "epoch_usd_low": number(candidate.cost_usd_per_epoch_low),
        "epoch_usd_high": number(candidate.cost_usd_per_epoch_high),
        "job_usd": number(candidate.job_usd),
        "job_hours": number(candidate.job_h),
    }


def rented(rental: Rental, key_file: str, lease_s: float | None) -> dict[str, Any]:
    """Return the document of a rental that the user gets.

    Parameters
    ----------
    lease_s : seconds without a sign of life after which the machine ends itself
    """
    entry, instance = rental.entry, rental.instance
    ssh = [
        {"host": one.host, "port": one.port, "user": "root", "key_file": key_file}
        for one in instance.ssh
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "state": "rented",
        **_offer(rental.chosen),
        "job": entry.job,
        "label": entry.label,
        "instance_id": entry.instance_id,
        "ssh": ssh[0] if ssh else None,
        "ssh_fallbacks": ssh[1:],
        "usd_per_hour": entry.usd_per_hour,
        "interruptible": instance.is_bid,
        "ends_at": stamp(entry.ends_at),
        "lease_s": lease_s,
        "predicted": predicted(rental.chosen),
        "measured": rental.measured,
        "attempts": attempts(rental.attempts),
    }


def dry_run(would: WouldRent, spec: RentSpec | RunSpec) -> dict[str, Any]:
    """Return the document of a rental that would be made, and of what asks for it."""
    candidate, ends_at = would.candidate, would.ends_at
    return {
        "schema_version": SCHEMA_VERSION,
        "state": "dry_run",
        **_offer(candidate),
        "job": would.job,
        "instance_id": None,
        "usd_per_hour": candidate.price_usd_per_h,
        "ends_at": stamp(ends_at),
        "verify": _verification(would),
        "predicted": predicted(candidate),
        "attempts": [],
        "spec": spec.to_document(),
    }


def _verification(would: WouldRent) -> dict[str, float] | None:
    """Return what measuring the machine would cost; None where it is not measured."""
    if would.measured_s is None:
        return None
    usd = would.measured_s / SECONDS_PER_HOUR * would.candidate.price_usd_per_h
    return {"seconds": would.measured_s, "usd": usd}


def payment(candidate: RankedOffer, ends_at: float) -> str:
    """Return what a user is asked before an offer is paid for.

    Parameters
    ----------
    ends_at : when the rental ends at the latest, seconds since 1970
    """
    return (
        f"rent offer {candidate.offer_id}, {candidate.name}, for "
        f"${candidate.price_usd_per_h:.3f}/h until {stamp(ends_at)} at the latest? "
        f"(the job: about ${candidate.job_usd:.2f} and {candidate.job_h:.3g} h)"
    )


def ending(chosen: Sequence[Releasable]) -> str:
    """Return what a user is asked before rentals are ended."""
    instances = ", ".join(
        f"{one.instance_id} (job {one.job}{'' if one.entry else ', not in this ledger'})"
        for one in chosen
    )
    return f"end instance {instances} and lose its disk?"


def rental_lines(document: dict[str, Any]) -> str:
    """Return a rental for people."""
    predicted, ssh = document["predicted"], document.get("ssh")
    gpu = cut(clean(document["gpu_name"]), LONGEST)
    pairs = [
        ("offer", f"{document['offer_id']} ({document['num_gpus']} x {gpu})"),
        ("image", document["image"]),
        ("price", f"${document['usd_per_hour']:.4f}/h"),
        (
            "predicted",
            (
                f"${predicted['epoch_usd']:.4g} per epoch "
                f"({predicted['epoch_usd_low']:.4g} to "
                f"{predicted['epoch_usd_high']:.4g}), ${predicted['job_usd']:.2f} and "
                f"{predicted['job_hours']:.3g} h in all"
            ),
        ),
        ("ends at", f"{document['ends_at']} at the latest"),
    ]
    if verify := document.get("verify"):
        words = f"about {verify['seconds']:.0f} s, ${verify['usd']:.3f}"
        pairs.append(("measured first", words))
    if document.get("lease_s"):
        renewal = f"'advisor renew {document['instance_id']}'"
        pairs.append(("lease", f"{lease_words(document['lease_s'])}: {renewal}"))
    if document["instance_id"] is not None:
        pairs.insert(0, ("instance", str(document["instance_id"])))
    if ssh:
        words = f"ssh -i {ssh['key_file']} -p {ssh['port']} root@{ssh['host']}"
        pairs.append(("ssh", words))
    return lines_of(pairs)


def lease_words(seconds: float | None) -> str:
    """Return what becomes of a machine that nobody renews."""
    if seconds is None:
        return "it does not say what its lease is"
    for unit_s, unit in ((SECONDS_PER_HOUR, "h"), (SECONDS_PER_MINUTE, "min")):
        if seconds >= unit_s:
            return f"it ends itself {seconds / unit_s:.3g} {unit} after the last renewal"
    return f"it ends itself {seconds:.3g} s after the last renewal"


def not_rented(
    error: AdvisorError,
    made: Sequence[Attempt],
    words: Callable[[Given], str] = str,
) -> dict[str, Any]:
    """Return the document of attempts that led to nothing, or to nobody knows what.

    Parameters
    ----------
    words : returns what the user's face calls an argument
    """
    unknown = isinstance(error, RentalStateUnknownError)
    document = {
        "schema_version": SCHEMA_VERSION,
        "state": "unknown" if unknown else "not_rented",
        "instance_id": None,
        "reason": error.worded(words),
        "attempts": attempts(made),
    }
    return with_error(document, error, words)


def attempts(made: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Return what came of each offer."""
    return [asdict(one) for one in made]


def entry_row(entry: Entry) -> dict[str, Any]:
    """Return one rental of the ledger."""
    return {
        "label": entry.label,
        "state": entry.state,
        "instance_id": entry.instance_id,
        "gpu": f"{entry.num_gpus} x {entry.gpu_name}",
        "usd_per_hour": entry.usd_per_hour,
        "rented_at": stamp(entry.intended_at),
        "ends_at": stamp(entry.ends_at),
        "closed_at": None if entry.closed_at is None else stamp(entry.closed_at),
        "market": entry.market,
        "job": entry.job,
        "offer_id": entry.offer_id,
        "machine_id": entry.machine_id,
        "reason": entry.reason,
    }


def with_history(row: dict[str, Any], steps: Sequence[Step]) -> dict[str, Any]:
    """Return a rental with the steps that led to its state."""
    history = [
        {"at": stamp(at), "state": state, "reason": why} for at, state, why in steps
    ]
    return {**row, "history": history}


def with_seen(
    row: dict[str, Any], entry: Entry, seen: Seen | None, now: float
) -> dict[str, Any]:
    """Return a rental with what the market shows of it; None where it was not asked.

    Its status is the market's word, ``"setting up"`` before there is one, ``"absent"``
    for one that the market does not show.
    """
    asked = seen is not None and entry.market == seen.account
    instance = seen.of(entry) if seen is not None else None
    bills = 0.0 if asked and instance is None else None
    renamed = instance is not None and instance.label != entry.label
    return {
        **row,
        "ends_in_s": entry.ends_at - now if entry.is_open or instance else None,
        "status": _status(instance) if asked else None,
        "bills_usd_per_hour": bills
        if instance is None
        else billed_usd_per_hour(instance),
        "renamed_to": read_text(instance.label) if instance and renamed else None,
    }


def row_for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `with_seen` for a table."""
    left_s = row["ends_in_s"]
    if left_s is None:
        return {**row, "ends_in": ""}
    return {**row, "ends_in": duration(left_s) if left_s > 0 else "over"}


def rentals_document(
    rows: Sequence[Mapping[str, Any]], seen: Seen | None, entries: Sequence[Entry]
) -> str:
    """Return the JSON of rentals, and of what else the account has on the market.

    ``market`` is None where no market was asked. ``elsewhere`` are machines that advisor
    rented from another computer, ``others`` those that it did not rent.
    """
    market: dict[str, Any] | None = None
    if seen is not None:
        ours, others = seen.besides(entries)
        market = {
            "account": seen.account,
            "elsewhere": [_elsewhere(one) for one in ours],
            "others": {"count": len(others), **_bill(others)},
        }
    document = {"schema_version": SCHEMA_VERSION, "rentals": rows, "market": market}
    return to_json(document)


def words_of_renamed(entries: Sequence[Entry], seen: Seen) -> Iterator[str]:
    """Say of each rental that has another name on the market which one."""
    for entry in entries:
        instance = seen.of(entry)
        if instance is not None and instance.label != entry.label:
            name = cut(clean(instance.label), LONGEST)
            yield f"instance {instance.instance_id}: its label is {name!r} now"


def words_of_others(seen: Seen, entries: Sequence[Entry]) -> Iterator[str]:
    """Say in a line each what else the account has, and what that bills."""
    elsewhere, others = seen.besides(entries)
    for instances, whose in (
        (elsewhere, "that advisor rented from another computer"),
        (others, "that advisor did not rent"),
    ):
        if instances:
            bill = _bill(instances)
            least = "" if bill["is_whole"] else "at least "
            count = f"{len(instances)} machine{'s' if len(instances) > 1 else ''}"
            usd = f"${bill['bills_usd_per_hour']:.3f}/h"
            yield f"the account also has {count} {whose}: {least}{usd} now"


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return what became of one rental."""
    return asdict(finding)


def stamp(unix_s: float) -> str:
    """Return a moment as JSON has it (UTC)."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(instance: Instance | None) -> str:
    if instance is None:
        return "absent"
    return instance.status or "setting up"


def _elsewhere(instance: Instance) -> dict[str, Any]:
    """Return a machine that another computer's ledger has."""
    label = read_label(instance.label)
    return {
        "label": instance.label,
        "instance_id": instance.instance_id,
        "status": _status(instance),
        "bills_usd_per_hour": billed_usd_per_hour(instance),
        "ends_at": None if label is None else stamp(label.ends_unix_s),
    }


def _bill(instances: Sequence[Instance]) -> dict[str, Any]:
    """Return what instances bill now, and whether the market stated that of each."""
    prices = [billed_usd_per_hour(one) for one in instances]
    known = [price for price in prices if price is not None]
    return {"bills_usd_per_hour": sum(known), "is_whole": len(known) == len(prices)}


def _offer(candidate: RankedOffer) -> Mapping[str, Any]:
    return {
        "offer_id": candidate.offer_id,
        "machine_id": candidate.machine_id,
        "gpu_name": candidate.gpu_name,
        "num_gpus": candidate.num_gpus,
        "image": candidate.image,
    }
