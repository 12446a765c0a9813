"""Every error that a user can meet, and the exit code of each.

The tree::

    AdvisorError                 1  something failed; the message says what to do
     +- UsageError               2  the command line, a profile or a file is wrong
     |   +- StoreTornError       2  (a StoreError too) the user's file is no file of ours
     |   +- ArgumentError        2  an argument of one of our faces cannot be right
     +- NothingFitsError         3  no offer meets the constraints
     +- MarketError              1  the market could not be asked
     |   +- KeyRefusedError      4  the market refuses the key
     |   +- RateLimitedError     5  too many requests
     |   |   +- QuotaError       5  the market's daily quota is used up
     |   +- NotSentError         1  surely nothing was sent
     |   +- BadAnswerError       1  the market's answer makes no sense
     |   +- OfferGoneError       3  the offer is no longer there
     |   +- PlacementError       1  a contract was made, and it cannot run
     |   +- CreditError          6  the account cannot pay
     +- RegistryError            1  an image's registry cannot be asked
     +- RemoteError              1  a rented machine cannot be reached, or a command fails
     |   +- UnreachableError     1  no ssh to it, or a connection that broke
     |   +- ResultsLeftError     1  (a MachineLeftError too) the results stay there
     |   +- TooMuchError         1  it sends more than may come, or than there is room for
     +- StoreError               1  the user's own file cannot be read or written
     |   +- StoreFullError       1  there is no room for it
     +- MachineLeftError         1  a launcher ends and leaves its machine as it is
     |   +- LeaseLostError       1  another process works on the rental
     |   +- NotShownError        1  the market does not show the machine any more
     +- ReleasedError            1  somebody has released the machine
     +- OverBudgetError          6  it fits, but not the budget
     +- CommandFailedError       8  the user's own command failed on its machine
     +- RentalStateUnknownError  7  a rental may exist; nobody can say

Errors are raised where they are found and caught in one place,
:func:`advisor.cli.main.run`. Each class has a stable `code`, by which programs recognize
it in the JSON of a command that failed (`advisor.cli.failure`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """What a process of ours says to the shell when it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOTHING_FITS = 3
    KEY_REFUSED = 4
    RATE_OR_QUOTA = 5
    OVER_BUDGET = 6
    RENTAL_STATE_UNKNOWN = 7
    COMMAND_FAILED = 8
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Given:
    """An argument in a message: ``budget_usd``, which the command line calls --budget.

    Attributes
    ----------
    name : of the argument, as Python has it
    value : as it was given, for a face whose user cannot see it otherwise; ``""``: not
        said
    """

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name


class AdvisorError(Exception):
    """Root of the tree; the message is one line and says what to do.

    A message never names an option of the command line: what it says of an argument is a
    `Given`, and each face writes that in its own words.

    Parameters
    ----------
    parts : the message, piece by piece
    """

    code: ClassVar[str] = "failed"
    """Stable name of the class in JSON; a subclass without its own has its parent's."""

    hint: ClassVar[str | None] = None
    """What to do, for programs and the people behind them; None: the message says it."""

    exit_status = ExitStatus.FAILED

    def __init__(self, *parts: str | Given) -> None:
        super().__init__("".join(map(str, parts)))
        self.parts = parts

    def worded(self, words: Callable[[Given], str]) -> str:
        """Return the message with the arguments as a face calls them."""
        return "".join(
            words(part) if isinstance(part, Given) else str(part) for part in self.parts
        )


class UsageError(AdvisorError):
    """The command line, a workload profile or an input file is wrong."""

    code = "usage"
    exit_status = ExitStatus.USAGE


class StoreError(AdvisorError):
    """The user's own file (ledger, history, hosts, runs) cannot be read or written.

    Whoever ends a machine goes on without it.
    """

    code = "store"


class StoreFullError(StoreError):
    """The user's own file cannot grow: the disk, or the user's share of it, is full."""

    code = "store_full"
    hint = "Free room on the disk, or raise the quota, and run the command again."


class StoreTornError(StoreError, UsageError):
    """The user's own file is torn, is something else, or a newer version's."""

    code = "store_torn"
    exit_status = ExitStatus.USAGE


class MachineLeftError(AdvisorError):
    """A launcher ends and leaves its machine as it is: it is not its own to end."""

    code = "machine_left"
    hint = "Run 'advisor rentals' to see what is still rented and what it bills."


class LeaseLostError(MachineLeftError):
    """Another process works on a rental: this one may not, or may not any more."""

    code = "lease_lost"


class NotShownError(MachineLeftError):
    """The market has not shown a machine for long, and says nothing of it.

    It may have been ended elsewhere, its work done; or it may be shown again.
    """

    code = "not_shown"


class ReleasedError(AdvisorError):
    """Somebody has released a job's machine: nobody wants another one."""

    code = "released"


class ArgumentError(UsageError):
    """An argument of one of our faces cannot be right."""

    code = "usage"


class NothingFitsError(AdvisorError):
    """No offer meets the constraints."""

    code = "nothing_fits"
    hint = "Relax a constraint, or try again: offers come and go."
    exit_status = ExitStatus.NOTHING_FITS


class MarketError(AdvisorError):
    """The market could not be asked: no connection, a time-out, a server error."""

    code = "market"
    hint = "Try again later; 'advisor market check' shows what works."


class KeyRefusedError(MarketError):
    """The market refuses the key."""

    code = "key_refused"
    hint = "Give a key of your account that is still valid."
    exit_status = ExitStatus.KEY_REFUSED


class RateLimitedError(MarketError):
    """The market asks us to slow down and waiting did not help."""

    code = "rate_limited"
    hint = "Wait a minute, then try again."
    exit_status = ExitStatus.RATE_OR_QUOTA


class QuotaError(RateLimitedError):
    """The market's daily quota is used up; the message says until when."""

    code = "quota"
    hint = "Wait until the quota is renewed; the message says when."


class BadAnswerError(MarketError):
    """The market's answer is not what its documentation promises."""

    code = "bad_answer"


class NotSentError(MarketError):
    """A request that must not be repeated was not sent: surely nothing came of it."""

    code = "not_sent"


class OfferGoneError(MarketError):
    """The offer is no longer there; the next one may be."""

    code = "offer_gone"
    hint = "Rank the market again and take another offer."
    exit_status = ExitStatus.NOTHING_FITS


class PlacementError(MarketError):
    """The market reports an error and made a contract all the same, which bills.

    Parameters
    ----------
    message : one line
    instance_id : the contract, which must be released
    """

    code = "placement"

    def __init__(self, message: str, instance_id: int) -> None:
        super().__init__(message)
        self.instance_id = instance_id


class CreditError(MarketError):
    """The account's credit or its spending limit does not allow a rental."""

    code = "no_credit"
    hint = "Add credit to the account, or raise its spending limit."
    exit_status = ExitStatus.OVER_BUDGET


class OverBudgetError(AdvisorError):
    """Offers fit, but none within the budget."""

    code = "over_budget"
    hint = "Raise the budget, release a machine, or relax a constraint."
    exit_status = ExitStatus.OVER_BUDGET


class CommandFailedError(AdvisorError):
    """The user's own command failed on the machine that was rented for it."""

    code = "command_failed"
    hint = "Read the log of the command; 'advisor run --resume JOB' starts it again."
    exit_status = ExitStatus.COMMAND_FAILED


class RentalStateUnknownError(AdvisorError):
    """A rental may or may not exist; the message says how to find out."""

    code = "rental_state_unknown"
    hint = "Run 'advisor reconcile' before you rent again."
    exit_status = ExitStatus.RENTAL_STATE_UNKNOWN


class RegistryError(AdvisorError):
    """An image's registry cannot be asked, has no such image, or makes no sense."""

    code = "registry"


class RemoteError(AdvisorError):
    """A rented machine cannot be reached, or what is run on it fails."""

    code = "remote"


class UnreachableError(RemoteError):
    """No ssh to a rented machine, or a connection that broke; it may come back."""

    code = "unreachable"


class ResultsLeftError(RemoteError, MachineLeftError):
    """What a command wrote could not be copied back and stays on its machine."""

    code = "results_left"


class TooMuchError(RemoteError):
    """A rented machine sends more than may come, or than there is room for here."""

    code = "too_much_data"
