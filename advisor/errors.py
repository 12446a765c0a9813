"""Every error that a user can meet, and the exit code of each.

The tree::

    AdvisorError                 1  something failed; the message says what to do
     +- UsageError               2  the command line, a profile or a file is wrong
     +- NothingFitsError         3  no offer meets the constraints
     +- MarketError              1  the market could not be asked
     |   +- KeyRefusedError      4  the market refuses the key
     |   +- RateLimitedError     5  too many requests
     |   |   +- QuotaError       5  the market's daily quota is used up
     |   +- BadAnswerError       1  the market's answer makes no sense
     |   +- OfferGoneError       3  the offer is no longer there
     |   +- PlacementError       1  a contract was made, and it cannot run
     |   +- CreditError          6  the account cannot pay
     +- RegistryError            1  an image's registry cannot be asked
     +- RemoteError              1  a rented machine cannot be reached, or a command fails
     |   +- UnreachableError     1  no ssh to it, or a connection that broke
     |   +- ResultsLeftError     1  the results could not be copied back, and stay there
     |   +- TooMuchError         1  it sends more than may come, or than there is room for
     +- OverBudgetError          6  it fits, but not the budget
     +- CommandFailedError       8  the user's own command failed on its machine
     +- RentalStateUnknownError  7  a rental may exist; nobody can say

Errors are raised where they are found and caught in one place,
:func:`advisor.cli.main.run`.
"""

from __future__ import annotations

from enum import IntEnum


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


class AdvisorError(Exception):
    """Root of the tree; the message is one line and says what to do."""

    exit_status = ExitStatus.FAILED


class UsageError(AdvisorError):
    """The command line, a workload profile or an input file is wrong."""

    exit_status = ExitStatus.USAGE


class NothingFitsError(AdvisorError):
    """No offer meets the constraints."""

    exit_status = ExitStatus.NOTHING_FITS


class MarketError(AdvisorError):
    """The market could not be asked: no connection, a time-out, a server error."""


class KeyRefusedError(MarketError):
    """The market refuses the key."""

    exit_status = ExitStatus.KEY_REFUSED


class RateLimitedError(MarketError):
    """The market asks us to slow down and waiting did not help."""

    exit_status = ExitStatus.RATE_OR_QUOTA


class QuotaError(RateLimitedError):
    """The market's daily quota is used up; the message says until when."""


class BadAnswerError(MarketError):
    """The market's answer is not what its documentation promises."""


class OfferGoneError(MarketError):
    """The offer is no longer there; the next one may be."""

    exit_status = ExitStatus.NOTHING_FITS


class PlacementError(MarketError):
    """The market reports an error and made a contract all the same, which bills.

    Parameters
    ----------
    message : one line
    instance_id : the contract, which must be released
    """

    def __init__(self, message: str, instance_id: int) -> None:
        super().__init__(message)
        self.instance_id = instance_id


class CreditError(MarketError):
    """The account's credit or its spending limit does not allow a rental."""

    exit_status = ExitStatus.OVER_BUDGET


class OverBudgetError(AdvisorError):
    """Offers fit, but none within the budget."""

    exit_status = ExitStatus.OVER_BUDGET


class CommandFailedError(AdvisorError):
    """The user's own command failed on the machine that was rented for it."""

    exit_status = ExitStatus.COMMAND_FAILED


class RentalStateUnknownError(AdvisorError):
    """A rental may or may not exist; the message says how to find out."""

    exit_status = ExitStatus.RENTAL_STATE_UNKNOWN


class RegistryError(AdvisorError):
    """An image's registry cannot be asked, has no such image, or makes no sense."""


class RemoteError(AdvisorError):
    """A rented machine cannot be reached, or what is run on it fails."""


class UnreachableError(RemoteError):
    """No ssh to a rented machine, or a connection that broke; it may come back."""


class ResultsLeftError(RemoteError):
    """A command has ended, what it wrote could not be copied back and stays there."""


class TooMuchError(RemoteError):
    """A rented machine sends more than may come, or than there is room for here."""
