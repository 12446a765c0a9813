"""All checks of an installation, one after another, each within its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from advisor.app.context import Context
from advisor.app.doctor import install, kept, machine, market, project
from advisor.app.doctor.finding import Finding, Status, wrong
from advisor.base.errors import AdvisorError, RentalStateUnknownError
from advisor.base.late import LateError, within

Check = Callable[[Context], Iterable[Finding]]

LIMIT_S = 15.0
"""Seconds within which a check that asks no network must end."""

_CHECKS: Sequence[tuple[str, Check]] = (
    ("python", install.python),
    ("install", install.install),
    ("model", install.model),
    ("key", partial(market.market, offline=False)),
    ("store", kept.store),
    ("copies", kept.copies),
    ("cache", kept.cache),
    ("project", project.project),
    ("profiles", project.profiles),
    ("ssh", machine.ssh),
    ("ssh_key", machine.ssh_key),
    ("rsync", machine.rsync),
    ("git", machine.git),
    ("disk", machine.disk),
    ("terminal", machine.terminal),
)

_OFFLINE: Sequence[tuple[str, Check]] = tuple(
    (name, partial(market.market, offline=True) if name == "key" else check)
    for name, check in _CHECKS
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What all checks found.

    Attributes
    ----------
    findings : in the order of the checks
    skipped : names of what was not looked at
    """

    findings: Sequence[Finding]
    skipped: Sequence[str] = ()

    def count(self, status: Status) -> int:
        """Return how many findings have a status."""
        return sum(one.status == status for one in self.findings)

    @property
    def error(self) -> AdvisorError | None:
        """What a command would fail for, None if nothing is wrong.

        A rental that may bill goes first; else it is the first finding that is wrong.
        """
        found = [one for one in self.findings if one.status == "wrong"]
        if not found:
            return None
        unsure = [one for one in found if issubclass(one.kind, RentalStateUnknownError)]
        first = (unsure or found)[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return first.kind(f"{first.title}: {first.message}{more}")


def diagnose(context: Context, *, offline: bool = False) -> Diagnosis:
    """Look at all that advisor needs; nothing is changed.

    Parameters
    ----------
    offline : no market is asked
    """
    findings: list[Finding] = []
    for name, check in _OFFLINE if offline else _CHECKS:
        limit_s = LIMIT_S + market.ANSWER_S if name == "key" else LIMIT_S
        findings += found_within(limit_s, name, partial(check, context))
    return Diagnosis(findings, ("market", "clock") if offline else ())


def found_within(
    limit_s: float, name: str, check: Callable[[], Iterable[Finding]]
) -> Sequence[Finding]:
    """Return what a check finds; one that fails, or does not end, hides no other.

    Parameters
    ----------
    limit_s : seconds after which it is not waited for
    name : of what it looks at
    """
    try:
        return within(limit_s, lambda: tuple(check()))
    except LateError:
        found = f"this check has not ended after {limit_s:.3g} s"
        return [wrong(name, found, "See whether a disk or a network folder hangs.")]
    except AdvisorError as error:
        return [wrong(name, error)]
    except OSError as error:
        return [wrong(name, str(error), "Check the disk, and who may read it.")]
    except Exception as error:  # of a plug-in, or a fault of ours: the others go on
        found = f"this check fails: {type(error).__name__}: {error}"
        return [wrong(name, found, "Report it with 'advisor doctor --json'.")]
