"""What a proxy does to the exchanges between launchers and the market."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Protocol

DAY_S = 86400.0

ALL = ("account", "search", "list", "show", "rent", "destroy")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the market.

    Attributes
    ----------
    status, kind, body : of HTTP
    date : the header, None without one
    """

    status: int
    kind: str
    body: bytes
    date: str | None

    def edited(self, edit: Callable[[dict[str, Any]], None]) -> Reply:
        """Return it with its JSON object changed, if it is one."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return self
        if isinstance(document, dict):
            edit(document)
        return replace(self, body=json.dumps(document).encode())


class Exchange(Protocol):
    """A request on its way, and what may be done about it."""

    kind: str

    def forward(self, *, key: str | None = None, path: str | None = None) -> Reply:
        """Let the market have it, changed if so asked; return its answer."""

    def answer(self, reply: Reply) -> None:
        """Answer it."""

    def reset(self, sent: Reply | None = None) -> None:
        """Break the connection, after half of an answer if that is given."""

    def later(self, seconds: float) -> None:
        """Let the market have it so many simulated seconds from now."""

    def wait(self, seconds: float) -> None:
        """Let so many simulated seconds pass."""

    def known(self) -> Known:
        """Return what the proxy knows beside the exchange."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a proxy knows.

    Attributes
    ----------
    now : simulated time
    lists : bodies of lists that the account got before, the oldest first
    stranger : key of another account
    console_id : the instance that the user has from the console
    other_path : for a request that rents, the same for another offer
    pick : draws one of several
    """

    now: float
    lists: Sequence[bytes]
    stranger: str
    console_id: int
    other_path: str
    pick: Callable[[Sequence[Any]], Any]


Fault = Callable[[Exchange], None]

_EMPTY_LIST = {"success": True, "instances": [], "next_token": None, "total_instances": 0}


def _plain(status: int, body: bytes, kind: str) -> Fault:
    """Answer in the market's place; it never hears of it."""
    return lambda on: on.answer(Reply(status, kind, body, None))


def _after(status: int) -> Fault:
    """Let the market act, then answer that it failed."""

    def fault(on: Exchange) -> None:
        done = on.forward()
        page = b"<html>the gateway had enough</html>"
        on.answer(Reply(status, "text/html", page, done.date))

    return fault


def _reset(on: Exchange) -> None:
    on.reset()


def _lost(on: Exchange) -> None:
    on.forward()
    on.reset()


def _torn(on: Exchange) -> None:
    done = on.forward()
    on.answer(replace(done, body=done.body[: len(done.body) // 2]))


def _short(on: Exchange) -> None:
    on.reset(on.forward())


def _doubled(on: Exchange) -> None:
    on.forward()
    on.answer(on.forward())


def _repeated_later(seconds: float) -> Fault:
    def fault(on: Exchange) -> None:
        on.later(seconds)
        on.answer(on.forward())

    return fault


def _twin(on: Exchange) -> None:
    """Rent another offer by the same request, too: two contracts of one label."""
    done = on.forward()
    on.forward(path=on.known().other_path)
    on.answer(done)


def _late(seconds: float) -> Fault:
    def fault(on: Exchange) -> None:
        on.later(seconds)
        on.reset()

    return fault


def _slow(seconds: float) -> Fault:
    def fault(on: Exchange) -> None:
        done = on.forward()
        on.wait(seconds)
        on.answer(done)

    return fault


def _others_answer(on: Exchange) -> None:
    on.answer(on.forward(key=on.known().stranger))


def _other_id(on: Exchange) -> None:
    """Name the instance that the user has from the console in place of ours."""
    number = on.known().console_id
    if on.kind == "show":
        on.answer(on.forward(path=f"/api/v0/instances/{number}/?owner=me"))
        return

    def rename(document: dict[str, Any]) -> None:
        if "new_contract" in document:
            document["new_contract"] = number

    on.answer(on.forward().edited(rename))


def _stale(on: Exchange) -> None:
    done, before = on.forward(), on.known().lists
    on.answer(replace(done, body=on.known().pick(before)) if before else done)


def _unseen(on: Exchange) -> None:
    """Show no instance at all."""
    done = on.forward()
    document: Mapping[str, Any] = {"instances": None}
    if on.kind == "list":
        document = _EMPTY_LIST
    on.answer(replace(done, status=200, body=json.dumps(document).encode()))


def _prices(on: Exchange) -> None:
    """Show prices that are none."""
    price = on.known().pick((None, -1, float("inf"), True, "free"))

    def spoil(document: dict[str, Any]) -> None:
        rows = document.get("instances")
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, dict):
                row["dph_total"] = price

    on.answer(on.forward().edited(spoil))


def _not_ended(on: Exchange) -> None:
    """Say that an instance was ended, and leave it."""
    on.answer(Reply(200, "application/json", b'{"success": true}', None))


def _dated(error_s: float | None) -> Fault:
    def fault(on: Exchange) -> None:
        done = on.forward()
        date = error_s and formatdate(on.known().now + error_s, usegmt=True)
        on.answer(replace(done, date=date or None))

    return fault


JSON = "application/json"
FAULTS: dict[str, tuple[Sequence[str], Fault]] = {
    "reset": (ALL, _reset),
    "lost": (ALL, _lost),
    "500": (ALL, _after(500)),
    "502": (ALL, _after(502)),
    "503": (ALL, _plain(503, b"<html>later</html>", "text/html")),
    "504": (ALL, _after(504)),
    "429": (ALL, _plain(429, b"API requests too frequent", "text/plain")),
    "torn": (ALL, _torn),
    "short": (ALL, _short),
    "html": (ALL, _plain(200, b"<html>sign in</html>", "text/html")),
    "nothing": (ALL, _plain(200, b"", JSON)),
    "refused": (ALL, _plain(200, b'{"success": false, "msg": "no"}', JSON)),
    "doubled": (ALL, _doubled),
    "repeated60": (("rent",), _repeated_later(60.0)),
    "twin": (("rent",), _twin),
    "slow30": (ALL, _slow(30.0)),
    "slow90": (ALL, _slow(90.0)),
    "other-account": (("search", "list", "show"), _others_answer),
    "other-id": (("show", "rent"), _other_id),
    "stale": (("list",), _stale),
    "unseen": (("list", "show"), _unseen),
    "prices": (("list", "show"), _prices),
    "not-ended": (("destroy",), _not_ended),
    "late5": (("rent", "destroy"), _late(5.0)),
    "late30": (("rent", "destroy"), _late(30.0)),
    "late90": (("rent",), _late(90.0)),
    "late200": (("rent",), _late(200.0)),
    "late400": (("rent",), _late(400.0)),
    "day-ahead": (ALL, _dated(DAY_S)),
    "day-behind": (ALL, _dated(-DAY_S)),
    "no-date": (ALL, _dated(None)),
}
"""Name -> kinds of request that it may befall, and what it does."""

BROKEN = tuple(FAULTS)[:12]
HARD = tuple(name for name in tuple(FAULTS)[12:25])
LATE = tuple(name for name in FAULTS if name.startswith("late"))
TIME = ("day-ahead", "day-behind", "no-date")

FORGETS: Fault = _unseen
"""What a market does that has forgotten all instances for a while."""

WAITED_S = 300.0
"""Seconds after a request that its launcher watches for what may come of it: a contract
that comes later than that is told, and left to `reconcile`."""


def lateness_s(name: str) -> float:
    """Return how much later than it was sent a fault lets a request take effect, s."""
    if name.startswith(("late", "repeated")):
        return float(name.removeprefix("late").removeprefix("repeated"))
    return 0.0
