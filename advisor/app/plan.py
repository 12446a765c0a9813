"""A rental that is thought through, from its spec: what is asked, ranked and checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.app.context import Context
from advisor.app.rank import Ranker
from advisor.app.rent import RentSpec
from advisor.app.verifying import Verifier
from advisor.base.errors import AdvisorError, UsageError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.cost.job import Job
from advisor.market.filters import Filters
from advisor.market.lifecycle import Instance
from advisor.market.registry import rentable
from advisor.market.types import Answer
from advisor.ranking.offer import RankedOffer
from advisor.ranking.policy import Policy
from advisor.ranking.ranking import Ranking
from advisor.rental.arguments import LONGEST_LIFETIME_S, SHORTEST_S
from advisor.rental.caps import Caps
from advisor.rental.context import RentalContext, open_rental_context
from advisor.rental.labels import job_of, read_label
from advisor.rental.misfits import misfits_of
from advisor.rental.preflight import check_programs, check_room
from advisor.rental.remote.probe import probe
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.rental.remote.watchdog import onstart_script
from advisor.rental.request import RentRequest
from advisor.software.misfit import Symptom
from advisor.throughput.tables import load_tables

if TYPE_CHECKING:
    from advisor.measure.bench import BenchResult


@dataclass(frozen=True, slots=True)
class Plan:
    """A rental that is thought through.

    Attributes
    ----------
    spec : what is asked for
    rental_context : where it is made
    request : what is rented
    job : what it is for
    key_file : private ssh key that the machine lets in
    verifier : measures a machine before it is used; None: nobody does
    """

    spec: RentSpec
    rental_context: RentalContext
    request: RentRequest
    job: Job
    key_file: Path
    verifier: Verifier | None = None

    def measured_s(self, offer: RankedOffer) -> float | None:
        """Return the seconds for which a machine is measured first; None: it is not."""
        if self.verifier is None or not self.verifier.measures(offer):
            return None
        return self.verifier.seconds


def rental_context_of(context: Context, market: str) -> RentalContext:
    """Return the rental context of the user's account on a market.

    Raises
    ------
    UsageError
        if nothing can be rented there
    """
    opened = rentable(context.open_market(market))
    return open_rental_context(
        opened,
        context.data_folder,
        context.clock,
        context.notify,
        words=context.words_of,
        progress=context.progress,
    )


def check_machine(context: Context) -> None:
    """Refuse to rent where this machine could not even write it down.

    Raises
    ------
    AdvisorError
        if a program is missing, or a disk is full
    """
    check_programs("ssh", "ssh-keygen")
    check_room(context.data_folder)


def plan(
    context: Context,
    spec: RentSpec,
    *,
    wait_for_ssh: bool,
    goes_on: bool = False,
    verified_from_h: float = math.inf,
) -> Plan:
    """Return what a spec asks for.

    Parameters
    ----------
    wait_for_ssh : the machine is ready when ssh answers, not when it runs
    goes_on : a job is resumed: what it has met still holds
    verified_from_h : hours that a job takes from which its machine is measured before it
        is used, where the spec does not say

    Raises
    ------
    AdvisorError
        if no rental can be made so, or not from this machine
    """
    check_machine(context)
    caps, longest_s = limits_of(context, spec)
    job = spec.job.job(context, is_rented=not goes_on)
    # The market rents whole gigabytes; the price is that of what is rented.
    job = replace(job, disk_gb=float(math.ceil(job.disk_gb)))
    policy = Policy(
        deadline_h=None
        if spec.deadline_s is None
        else spec.deadline_s / SECONDS_PER_HOUR,
        budget_usd=caps.job_usd,
        max_epoch_usd=spec.max_epoch_usd,
        max_usd_per_hour=spec.offers.max_usd_per_hour,
    )

    ranker = Ranker(context, spec.offers, policy, job, load_tables(context.models))
    filters: Filters | None = None

    def ranked(answer: Answer) -> Ranking:
        nonlocal filters
        if filters is None:
            ranker.notify_slips(answer)
        # One offer that is looked at again does not tell which names there are.
        if filters is None or len(answer.records) > 1:
            filters = ranker.filters(answer)
        return ranker.rank(answer, filters)

    rental_context = rental_context_of(context, spec.market)
    key_file, public_key = ensure_key(context.ssh_folder)
    own_release = rental_context.market.self_release("$CONTAINER_ID")

    def onstart(now: float, ends_at: float) -> str:
        return onstart_script(
            own_release,
            now=now,
            ends_at=ends_at,
            heartbeat_s=spec.lease_s,
            public_key=public_key,
        )

    def answers(instance: Instance) -> bool:
        return ssh_to(context, key_file, instance).answers()

    def probed(instance: Instance, num_gpus: int) -> Symptom | None:
        return probe(ssh_to(context, key_file, instance), num_gpus).symptom

    if spec.verify is not None:
        verified_from_h = 0.0 if spec.verify else math.inf
    verifier = None
    if verified_from_h < math.inf:
        wait_for_ssh = True  # it is measured over ssh
        verifier = Verifier(
            rental_context,
            lambda instance: ssh_to(context, key_file, instance),
            verified_from_h,
            spec.lease_s,
            lambda offer, found: _record(context, rental_context, offer, found),
        )
        context.notify(f"{verifier.words} ({context.called('verify')})")
    name = spec.name or job_of(job.workload.name)
    request = RentRequest(
        job=name,
        query=ranker.query,
        rank=ranked,
        disk_gb=job.disk_gb,
        onstart=onstart,
        caps=caps,
        misfits=misfits_of(rental_context, name, begins=not goes_on),
        lifetime_s=spec.max_lifetime_s,
        longest_s=longest_s,
        attempts=spec.attempts,
        start_timeout_s=spec.start_timeout_s,
        answers=answers if wait_for_ssh else None,
        probe=probed if wait_for_ssh else None,
        verify=verifier,
        interruptible=job.rental == "interruptible",
    )
    return Plan(spec, rental_context, request, job, key_file, verifier)


def _record(
    context: Context,
    rental_context: RentalContext,
    offer: RankedOffer,
    found: BenchResult,
) -> None:
    """Keep what was measured of a machine that was rented, for later predictions.

    Raises
    ------
    AdvisorError
        if it cannot be kept
    """
    from advisor.app.measured import Place, record_bench  # noqa: PLC0415  (start-up)

    market = rental_context.market.name
    record_bench(context, found, Place(market, offer.machine_id), "rental")


def limits_of(context: Context, spec: RentSpec) -> tuple[Caps, float]:
    """Return what may be spent, and the seconds that a machine is there at most.

    Each as it is asked for now, else as the user's files say. A lifetime that is asked
    for is the machine's own; that of a file bounds the one from the predicted time.

    Raises
    ------
    UsageError
        if a file is torn, or may be written by others: a cap in it would be lost
    """
    is_capped = None not in (spec.budget_usd, spec.day_budget_usd)
    settings = context.settings if is_capped else context.rental_settings
    caps = Caps(
        settings.job_budget_usd if spec.budget_usd is None else spec.budget_usd,
        settings.day_budget_usd if spec.day_budget_usd is None else spec.day_budget_usd,
    )
    longest_h = settings.max_lifetime_h or math.inf
    longest_s = min(longest_h * SECONDS_PER_HOUR, LONGEST_LIFETIME_S)
    if spec.max_lifetime_s is None and longest_s < SHORTEST_S:
        message = (
            f"max_lifetime_h = {longest_h:g} in advisor.toml ends a machine before it "
            f"has started: {SHORTEST_S / SECONDS_PER_HOUR:.2g} is the least"
        )
        raise UsageError(message)
    return caps, longest_s


def ssh_to(context: Context, key_file: Path, instance: Instance) -> Ssh:
    """Return the ssh connection to an instance; each has known hosts of its own.

    Raises
    ------
    AdvisorError
        if the instance has no label of ours
    """
    known_hosts = known_hosts_of(context, instance)
    return Ssh(instance.ssh, key_file, known_hosts, context.clock)


def known_hosts_of(context: Context, instance: Instance) -> Path:
    """Return the file of an instance's host keys.

    It is named by the part of our label that no other has: two markets may give two
    machines one id, and what a market says is no path.

    Raises
    ------
    AdvisorError
        if the instance has no label of ours
    """
    label = read_label(instance.label)
    if label is None:
        message = (
            f"instance {instance.instance_id} has the label {instance.label[:80]!r}, "
            "which is none of ours: nothing is sent to it"
        )
        raise AdvisorError(message)
    folder = context.data_folder / "known_hosts"
    # Until November 2026 the whole label named it; a label of ours holds no separator.
    before = folder / instance.label.replace(":", "+")
    now = folder / label.token
    return before if before.exists() and not now.exists() else now
