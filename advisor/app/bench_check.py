"""A bench judged: by machines of its kind, and by the offer that it was rented from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.market.columns import record_id
from advisor.market.offers import Offers, parse_machine
from advisor.market.types import Answer
from advisor.measure.bench import BenchResult
from advisor.measure.claimed import claimed_lines, claims, with_counts
from advisor.measure.expected import expected_lines
from advisor.measure.trained import trained_lines
from advisor.measure.verdict import Verdict, judged
from advisor.throughput.tables import load_tables


@dataclass(frozen=True, slots=True)
class Judged:
    """A bench with what is to be thought of it.

    Attributes
    ----------
    verdicts : one per line; where there is an offer, those of what can be counted first
    advertised : name of a line -> what the offer says of it, in its unit
    """

    verdicts: tuple[Verdict, ...]
    advertised: Mapping[str, float]

    @property
    def faults(self) -> tuple[Verdict, ...]:
        """The lines in which no healthy machine would show so little."""
        return tuple(one for one in self.verdicts if one.is_fault)


def judge(
    context: Context,
    result: BenchResult,
    offer: Offers | None = None,
) -> Judged:
    """Judge a bench line by line.

    Parameters
    ----------
    offer : that the machine was rented from, a table of one row; None: it is compared
        with machines of its kind alone
    """
    tables = load_tables(context.models)
    if offer is not None:
        result = with_counts(result, tables, offer)
    expected = {
        **({} if offer is None else claimed_lines(result, tables, offer)),
        **expected_lines(result, tables, offer),
        **{one.name: one for one in trained_lines(result, tables, offer)},
    }
    said = {} if offer is None else claims(offer, result)
    return Judged(judged(result, expected), said)


def offer_of(answer: Answer, offer_id: int) -> Offers:
    """Return an offer of a market, as a table of one row.

    Raises
    ------
    UsageError
        if the market does not list it
    """
    for record in answer.records:
        if record_id(record) == offer_id:
            return replace(parse_machine(record), offer_id=np.array([offer_id]))
    message = (
        f"no offer {offer_id} is listed: one that is rented no longer is; name a file "
        "that 'advisor fetch -o' saved before as the market"
    )
    raise UsageError(message)
