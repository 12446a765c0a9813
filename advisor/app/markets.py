"""Markets as the Python face has them: opened, asked, and their answers saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.given import offers_of, world_of
from advisor.base.errors import UsageError
from advisor.market.types import Answer, Market, Query
from advisor.rental import arguments

if TYPE_CHECKING:
    from advisor.market.types import Watcher

MAX_AGE_S = 300.0
"""How old a stored answer of a live market may be, where nobody says: prices of rented
GPUs rarely change within minutes (assumption), and the market limits how often it is
asked."""

SEARCHED_DISK_GB = 5.0
"""Disk whose price `fetch` lets the market include: the market's own default. A ranking
prices the disk of its job anew."""

PART = "a part of the market: constraints were given when it was fetched"


def open_market(
    name: str | os.PathLike[str] | None = None, *, context: Context | None = None
) -> Market:
    """Open a market, to ask it several times.

    Parameters
    ----------
    name : ``"vast"``, ``"sample"``, another plug-in's, or the path of a file that
        `fetch` or ``advisor fetch`` saved; None: vast with a key, else the sample
    context : the outside world; None: this process's

    Returns
    -------
    what `rank`, `explain` and `fetch` take as their `market`

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such market or file

    Examples
    --------
    >>> import advisor
    >>> advisor.open_market("sample").name
    'sample'
    """
    context = world_of(context)
    return context.open_market(None if name is None else os.fspath(name))


def fetch(
    market: str | os.PathLike[str] | Market | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    gpus: Sequence[str] = (),
    num_gpus: Sequence[int] = (),
    min_reliability: float | None = None,
    max_usd_per_hour: float | None = None,
    regions: Sequence[str] = (),
    verified: bool | None = None,
    min_duration_s: float | None = None,
    exclude_gpus: Sequence[str] = (),
    min_ram_gb: float | None = None,
    min_vram_gb: float | None = None,
    datacenter: bool = False,
    where: str | Sequence[str] = (),
    stale_ok: bool = False,
    context: Context | None = None,
) -> Answer:
    """Ask a market for its offers now, and save them where they are to be stored.

    Parameters
    ----------
    market : as `open_market` takes or returns it
    output : file to write (gzipped JSON), which is a market of its own afterwards;
        None: none
    gpus, num_gpus, min_reliability, max_usd_per_hour, regions, verified, \
min_duration_s, exclude_gpus, min_ram_gb, min_vram_gb, datacenter, where : what an offer \
must have, see `rank`; nothing is asked for by default
    stale_ok : take the newest stored answer when the market's limit is reached
    context : the outside world; None: this process's

    Returns
    -------
    the answer, which `rank` and `explain` take as their `market`, too

    Raises
    ------
    advisor.base.errors.UsageError
        if an argument cannot be right, or the file cannot be written
    advisor.base.errors.MarketError
        if the market cannot be asked

    Examples
    --------
    >>> import advisor
    >>> answer = advisor.fetch("sample", gpus=["RTX 4090"])
    >>> {record["gpu_name"] for record in answer.records}
    {'RTX 4090'}
    >>> answer.simulated
    True
    """
    context = world_of(context)
    asked = offers_of(
        gpus=gpus,
        num_gpus=num_gpus,
        min_reliability=min_reliability,
        max_usd_per_hour=max_usd_per_hour,
        regions=regions,
        verified=verified,
        min_duration_s=min_duration_s,
        exclude_gpus=exclude_gpus,
        min_ram_gb=min_ram_gb,
        min_vram_gb=min_vram_gb,
        datacenter=datacenter,
        where=where,
    )

    def ask(query: Query) -> Answer:
        return answer_of(context, market, query, max_age_s=0.0, stale_ok=stale_ok)

    answer, _ = fetched(context, asked, ask)
    if output is not None:
        from advisor.market.snapshot import save_snapshot  # noqa: PLC0415

        save_snapshot(answer, Path(output))
    return answer


def fetched(
    context: Context, asked: Constraints, ask: Callable[[Query], Answer]
) -> tuple[Answer, Mapping[str, int]]:
    """Return what a market answers, what is not asked for left out, and why it is.

    Parameters
    ----------
    context : the outside world
    asked : which offers are asked for
    ask : asks the market

    Raises
    ------
    advisor.base.errors.UsageError
        if a GPU or a field is neither known nor among the offers
    """
    from advisor.hardware.gpus import load_gpus  # noqa: PLC0415  (start-up)
    from advisor.market.filters import Filters, matching_records  # noqa: PLC0415

    gpus = load_gpus()
    answer = ask(asked.query(gpus, SEARCHED_DISK_GB))
    filters = asked.filters(gpus, answer.records)
    for slip in asked.slips(gpus, answer.records):
        context.notify(slip)
    if filters == Filters():
        return answer, {}
    matching, left_out = matching_records(answer.records, filters, SEARCHED_DISK_GB)
    notes = (*answer.notes, PART)
    return replace(answer, records=matching, complete=False, notes=notes), left_out


def answer_of(
    context: Context,
    market: str | os.PathLike[str] | Market | Answer | None,
    query: Query,
    *,
    max_age_s: float = MAX_AGE_S,
    stale_ok: bool = False,
    watcher: Watcher | None = None,
) -> Answer:
    """Return what a market answers; an answer is its own.

    Parameters
    ----------
    context : the outside world
    market : name, file or path, as `open_market` returns it, or as `fetch` does
    query : what is asked
    max_age_s : how old a stored answer of a live market may be, seconds
    stale_ok : take the newest stored answer when the market's limit is reached
    watcher : hears how the search comes on, where the market tells

    Raises
    ------
    advisor.base.errors.UsageError
        if it is nothing that can be asked
    advisor.base.errors.MarketError
        if the market cannot be asked
    """
    if arguments.finite("max_age_s", max_age_s) < 0.0:
        raise arguments.wrong("max_age_s", max_age_s, "a number from 0 is expected")
    arguments.flag("stale_ok", stale_ok)
    if isinstance(market, Answer):
        return market
    if market is None or isinstance(market, str | os.PathLike):
        opened = open_market(market, context=context)
    elif callable(getattr(market, "search", None)):
        opened = market
    else:
        message = (
            "market: a name, a path, or what advisor.open_market or advisor.fetch "
            f"returns is expected, not {type(market).__name__}"
        )
        raise UsageError(message)
    from advisor.market.cache import AnswerCache  # noqa: PLC0415  (who asks a market)
    from advisor.market.registry import search  # noqa: PLC0415

    cache = AnswerCache(context.cache_folder, context.now)
    return search(opened, query, cache, max_age_s, stale_ok=stale_ok, watcher=watcher)
