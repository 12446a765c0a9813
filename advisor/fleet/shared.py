"""What the machines of one fleet share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from advisor.app.context import Context
from advisor.app.plan import ssh_to
from advisor.fleet.scheduler import SchedulerDoor
from advisor.market.lifecycle import Instance
from advisor.rental.claims import Claims
from advisor.rental.context import RentalContext
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.remote.ssh import Ssh
from advisor.rental.rent import Confirm


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the machines of one fleet share.

    Attributes
    ----------
    context : the outside world
    rental : where they are rented
    key_file : private ssh key that they let in
    door : of the scheduler that their workers join
    lease_s : seconds without a sign of life of ours after which a machine ends its jobs
        and itself
    gpus : GPUs of one slot; 0: a machine is one slot
    outgoing : returns what each machine gets; None: they get nothing
    confirm : asked before each payment; None: nobody is asked
    claims : of offers that its machines are rented by just now
    """

    context: Context
    rental: RentalContext
    key_file: Path
    door: SchedulerDoor
    lease_s: float
    gpus: int = 0
    outgoing: Callable[[], Outgoing] | None = None
    confirm: Confirm | None = None
    claims: Claims = field(default_factory=Claims)

    def ssh_to(self, instance: Instance) -> Ssh:
        """Return the ssh connection to an instance.

        Raises
        ------
        AdvisorError
            if it has no label of ours, or the market's address of it is none
        """
        return ssh_to(self.context, self.key_file, instance)


def slots_of(num_gpus: int, gpus: int) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of the GPUs of each slot of a machine; at least one slot.

    Parameters
    ----------
    gpus : of a slot; 0: all of the machine's
    """
    each = gpus or num_gpus
    return tuple(
        tuple(range(first, first + each))
        for first in range(0, num_gpus - each + 1, each or 1)
    ) or ((),)
