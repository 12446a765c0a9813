"""What carrying out a job needs beside the job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.market.lifecycle import Instance
from advisor.rental.context import RentalContext
from advisor.rental.incoming.copying import Incoming
from advisor.rental.jobs import JobRecord
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.remote.ssh import Ssh
from advisor.rental.rent import Confirm
from advisor.rental.request import Rental, RentRequest


@dataclass(frozen=True, slots=True)
class Launch:
    """What carrying out a job needs beside the job.

    Attributes
    ----------
    context : where machines are rented
    request : how
    confirm : asked before each payment; None: nobody is asked
    ssh_to : connects to an instance
    predicted : what to store of a machine's prediction
    output : takes what the command prints
    grace_s : seconds that a machine waits for a sign of life of ours
    outgoing : returns what goes to the next machine of a job; called before that is
        paid for
    resuming : what the user types to go on with it
    incoming : takes what comes back from the machines
    """

    context: RentalContext
    request: RentRequest
    confirm: Confirm | None
    ssh_to: Callable[[Instance], Ssh]
    predicted: Callable[[Rental], Mapping[str, Any]]
    output: Callable[[bytes], None]
    grace_s: float
    outgoing: Callable[[JobRecord], Outgoing]
    resuming: str
    incoming: Incoming
