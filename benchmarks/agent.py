"""Scripted sessions of an agent with `advisor mcp`, against the simulated market.

Each session starts the server as a client does, speaks with it over its pipes, and the
server with a market over a socket. Answers must be what the command line prints, and
nothing may be rented without caps and the user's yes. Needs the extras mcp and simulator.

    python benchmarks/agent.py [NAME ...]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parent))

from advisor.simulator.faults import Fault
from agent_parts import paying, reading
from agent_parts.stage import Check, Stage, stage

Session = Callable[[Stage, Check], Awaitable[None]]

_GONE = Fault("gone", "json", ("rent",), status=404, error="no_such_ask", times=1)
"""The first request that rents is refused: the offer is gone."""


@dataclass
class Played:
    """What came of a session.

    Attributes
    ----------
    name, told : of the session
    held : checks that held
    failed : those that did not, or the error that ended it
    seconds : it took
    """

    name: str
    told: str
    held: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def check(self, what: str, holds: bool) -> None:
        """Note whether something holds."""
        if holds:
            self.held += 1
        else:
            self.failed.append(what)


SESSIONS: Sequence[tuple[Session, Sequence[Fault]]] = (
    (reading.ranks, ()),
    (reading.ranks_within_limits, ()),
    (reading.explains, ()),
    (reading.compares, ()),
    (reading.predicts, ()),
    (reading.lists_workloads, ()),
    (reading.fails_alike, ()),
    (reading.shows_no_attack, ()),
    (reading.shows_nothing_to_spend_with, ()),
    (paying.needs_caps, ()),
    (paying.needs_a_yes, ()),
    (paying.needs_a_yes_in_the_new_era, ()),
    (paying.needs_a_client_that_asks, ()),
    (paying.needs_the_right_key, ()),
    (paying.keeps_to_the_budget, ()),
    (paying.rents_and_releases, ()),
    (paying.rents_in_the_new_era, ()),
    (paying.takes_an_answer_once, ()),
    (paying.asks_for_each_offer, (_GONE,)),
    (paying.shares_a_budget, ()),
    (paying.ends_what_nobody_waits_for, ()),
    (paying.ends_with_its_client, ()),
    (paying.ends_by_a_signal, ()),
    (paying.ends_with_an_open_question, ()),
)


def play(session: Session, faults: Sequence[Fault]) -> Played:
    """Play one session on a stage of its own."""
    told = (session.__doc__ or "").strip().splitlines()[0]
    played = Played(session.__name__, told)
    began = time.monotonic()
    try:
        with stage(faults) as opened:
            anyio.run(session, opened, played.check)
    except Exception as error:  # the next one is played all the same
        played.failed.append(f"{type(error).__name__}: {error}")
    played.seconds = time.monotonic() - began
    return played


def main() -> None:
    """Play the sessions and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names
    found = []
    for session, faults in SESSIONS:
        if names and session.__name__ not in names:
            continue
        found.append(play(session, faults))
        print(".", end="", flush=True, file=sys.stderr)
    rows = [
        (
            one.name,
            one.told,
            one.held,
            "; ".join(one.failed) or "none",
            f"{one.seconds:.1f}",
        )
        for one in found
    ]
    print()
    print(tabulate(rows, ("session", "what it shows", "held", "failed", "s")))
    failed = [one.name for one in found if one.failed]
    print(f"{len(found) - len(failed)} of {len(found)} sessions as they should be")
    if failed or not found:
        sys.exit(1)


if __name__ == "__main__":
    main()
