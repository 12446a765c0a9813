"""What is to be run on a machine, what goes there, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from advisor.app.documents import arguments_of, checked_version, document_of, needs
from advisor.app.rent import RentSpec
from advisor.app.settle import settle
from advisor.base.errors import ArgumentError, Given
from advisor.rental import arguments
from advisor.rental.incoming.copying import MAX_RESULTS_GB
from advisor.rental.machine import DEFAULT_GRACE_S
from advisor.rental.outgoing.command import check_words
from advisor.rental.outgoing.decide import MAX_SYNC_GB
from advisor.rental.preflight import inner_folder


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A command, its folder, and how its machine is rented.

    Attributes
    ----------
    rent : the machine; `RentSpec.lease_s` is how long it waits for its launcher, an hour
        if it is not said
    argv : the command
    folder : here, what is copied to the machine; a whole path
    results, checkpoints : folders in it that are copied back
    includes, excludes : patterns of what goes although it is ignored, and of what stays
    max_sync_gb : more than this is asked about before it is sent, 10^9 bytes
    max_results_gb : most that comes back, 10^9 bytes

    Raises
    ------
    UsageError
        if a value cannot be right
    """

    rent: RentSpec
    argv: tuple[str, ...]
    folder: str
    results: str = "results"
    checkpoints: str = "checkpoints"
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    max_sync_gb: float = MAX_SYNC_GB
    max_results_gb: float = MAX_RESULTS_GB

    def __post_init__(self) -> None:
        """Check all of it."""
        settle(self, _words, "argv")
        settle(self, arguments.text, "folder", "results", "checkpoints")
        settle(self, arguments.names, "includes", "excludes")
        sizes = ("max_sync_gb", "max_results_gb")
        settle(self, arguments.above_zero, *sizes, unit="gigabytes")
        check_words(self.argv)
        settle(self, _inner, "results", "checkpoints")
        if self.rent.lease_s is None:
            waits = replace(self.rent, lease_s=DEFAULT_GRACE_S)
            object.__setattr__(self, "rent", waits)
        if not Path(self.folder).is_absolute():
            raise ArgumentError(Given("folder"), ": a whole path is expected")

    @property
    def grace_s(self) -> float:
        """Seconds without a sign of its launcher after which a machine ends itself."""
        return self.rent.lease_s or DEFAULT_GRACE_S  # never None, see above

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it, versioned."""
        return document_of(self)

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Return what a document holds.

        Raises
        ------
        UsageError
            if it is torn, of a newer advisor, or says what cannot be
        """
        found = arguments_of(cls, checked_version(document))
        needs(found, "rent", "argv", "folder")
        return cls(**{**found, "rent": RentSpec.from_part(found["rent"])})


def _words(name: str, values: object) -> tuple[str, ...]:
    """Return the words of a command, of which some may be empty or long."""
    if not isinstance(values, tuple | list) or not all(
        isinstance(value, str) for value in values
    ):
        raise arguments.wrong(name, values, "a program and its arguments are expected")
    return tuple(values)


def _inner(_: str, value: str) -> str:
    return inner_folder(value)
