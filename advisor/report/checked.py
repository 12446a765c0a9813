"""What works of a market, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from advisor.market.check import Check
from advisor.market.types import Answer
from advisor.report.cells import clean
from advisor.report.formats import lines_of

_SKEW_S = 5.0
"""Seconds that two clocks may differ by before it is worth a word."""


def check_document(check: Check) -> dict[str, Any]:
    """Return a check as a document for programs."""
    account, answer = check.account, check.answer
    ahead, took = check.clock_ahead_s, check.latency_s
    return {
        "schema_version": 1,
        "market": check.market,
        "key": check.key_origin,
        "account": None
        if account is None
        else {"id": account.account_id, "credit_usd": account.credit_usd},
        "lists_instances": None
        if check.key_origin is None and account is None
        else check.instances is not None,
        "instances": check.instances,
        "search": None if answer is None else _search(answer),
        "latency_s": None if took is None else round(took, 3),
        "clock_ahead_s": None if ahead is None else round(ahead, 1),
        "problems": [str(problem) for problem in check.problems],
    }


def check_text(check: Check, width: int | None = None) -> str:
    """Return a check as lines for a terminal.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    return lines_of([(name, clean(text)) for name, text in _lines(check)], width)


def _lines(check: Check) -> Iterator[tuple[str, str]]:
    yield "market", check.market
    if check.key_places is not None:
        yield from _key_lines(check, check.key_places)
    yield from _account_lines(check)
    answer = check.answer
    if answer is not None:
        words = {True: "complete", False: "not all that there are", None: "maybe not all"}
        simulated = "simulated, " if answer.simulated else ""
        shown = f"{len(answer.records):,} ({simulated}{words[answer.complete]})"
        yield "offers", f"{shown} from {answer.origin}"
    if check.latency_s is not None:
        yield "latency", f"{check.latency_s:.2f} s, median of a few small answers"
    ahead = check.clock_ahead_s
    if ahead is not None:
        side = "ahead of" if ahead >= 0 else "behind"
        close = f"within a second of the market's ({ahead:+.1f} s)"
        far = f"{abs(ahead):,.1f} s {side} the market's"
        mend = ": set it right" if abs(ahead) > _SKEW_S else ""
        yield "clock", close if abs(ahead) <= 1.0 else f"{far}{mend}"


def _key_lines(check: Check, places: str) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of the key, and of what goes without one."""
    if check.key_origin is not None:
        yield "key", f"found in {check.key_origin}"
        return
    yield "key", f"none: put it in {places}"
    if check.rents:
        is_part = check.answer is None or not check.answer.complete
        part = "; without one a search shows a part of the market" if is_part else ""
        yield "renting", f"needs a key{part}"


def _account_lines(check: Check) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of the account and of what it may do."""
    account = check.account
    credit = account.credit_usd if account else None
    if account is not None:
        shown = "not stated" if credit is None else f"${credit:,.2f}"
        yield "account", f"{account.account_id}, credit {shown}"
    if check.instances is not None:
        yield "instances", f"{check.instances:,}"
    if check.instances is not None and check.rents:
        poor = credit is not None and credit <= 0
        whose = "account" if check.key_origin is None else "key"
        yield (
            "renting",
            "no: the account has no credit"
            if poor
            else f"the {whose} may list instances; whether it may rent, only a rental "
            "shows",
        )


def _search(answer: Answer) -> dict[str, Any]:
    return {
        "offers": len(answer.records),
        "complete": answer.complete,
        "simulated": answer.simulated,
        "origin": answer.origin,
        "notes": list(answer.notes),
    }
