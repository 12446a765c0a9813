"""How long the machines of a cluster may live: all of them until one moment at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from advisor.app.rent import RentSpec
from advisor.base.errors import NothingFitsError, UsageError
from advisor.rental.arguments import SHORTEST_S
from advisor.rental.presence import LAST_CHANCE_S

_SHORTEST_S = LAST_CHANCE_S + SHORTEST_S


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """The rentals that one spec may still begin.

    Attributes
    ----------
    spec : of a machine
    over_at : when every machine is gone, seconds since 1970
    """

    spec: RentSpec
    over_at: float

    @classmethod
    def until(cls, spec: RentSpec, deadline_s: float, now: float) -> Self:
        """Return those from now (seconds since 1970) to a deadline.

        Raises
        ------
        UsageError
            if no machine could do anything in its time
        """
        shortest_s = min(deadline_s, spec.max_lifetime_s or deadline_s)
        if shortest_s < _SHORTEST_S:
            message = (
                f"a machine of a cluster needs {_SHORTEST_S:.0f} s at least: of its "
                f"lifetime, {LAST_CHANCE_S:.0f} s are for winding it up"
            )
            raise UsageError(message)
        return cls(spec, now + deadline_s)

    def begun_at(self, now: float, job: str | None) -> RentSpec:
        """Return the spec of a machine that is rented now, for a job of a name.

        Raises
        ------
        NothingFitsError
            if there is no time for one
        """
        left_s = self.over_at - now
        if left_s < _SHORTEST_S:
            message = "the cluster's deadline has come: nothing more is rented"
            raise NothingFitsError(message)
        return replace(
            self.spec,
            name=job,
            deadline_s=left_s,
            max_lifetime_s=min(left_s, self.spec.max_lifetime_s or left_s),
        )
