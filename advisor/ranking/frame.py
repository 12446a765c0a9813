"""A ranking as a pandas frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from advisor.ranking.offer import FIGURES, Identity

if TYPE_CHECKING:
    from advisor.ranking.ranking import Ranking


def frame_of(ranking: Ranking) -> pd.DataFrame:
    """Return one row per offer, the best first; see `Ranking.to_frame`."""
    order, offers = ranking.order, ranking.offers
    columns: dict[str, object] = {"rank": ranking.ranks}
    for name, figure in FIGURES.items():
        column = figure.column(ranking)
        if isinstance(figure, Identity):  # no float: an id of 18 digits would be rounded
            column = pd.Series(column, dtype="Int64")
        columns[name] = column
    for name, rate in ranking.throughput.limits.items():
        columns[f"limit_{name}_samples_per_s"] = rate[order]
    ties = [better for _, better in ranking.with_ties()]
    tied = [None if one is None else one.offer_id for one in ties]
    columns["tied_with"] = pd.Series(tied, dtype="Int64")
    ids = offers.offer_id
    columns["alternatives"] = [
        ";".join(str(ids[other]) for other in ranking.alternatives.get(at, ()))
        for at in order.tolist()
    ]
    columns["flags"] = [";".join(offer.flags) for offer in ranking]
    return pd.DataFrame(columns)
