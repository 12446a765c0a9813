"""Tools that read: what their commands print with ``--json``, the longest lists cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from advisor.app.context import Context
from advisor.app.explain import Listing
from advisor.app.markets import MAX_AGE_S, answer_of
from advisor.app.plan import rental_context_of
from advisor.app.predict import Prediction, predict
from advisor.app.rank import Ranker
from advisor.app.rent import DEFAULT_MARKET
from advisor.base.errors import (
    ArgumentError,
    Given,
    MarketError,
    NothingFitsError,
    StoreError,
    UsageError,
)
from advisor.market.types import Answer, Query
from advisor.mcp.arguments import (
    Arguments,
    job_of,
    named,
    numbers_of,
    rank_spec,
    shown,
)
from advisor.mcp.work import Document
from advisor.ranking.refused import nothing_left
from advisor.rental import arguments
from advisor.rental.seen import Seen, look_at
from advisor.report.entries import entries
from advisor.report.explained import compared_document, explained_document
from advisor.report.failure import with_error
from advisor.report.predicted import predicted_document, several_document
from advisor.report.profiles import guessed, listed_rows
from advisor.report.ranked import envelope, headline
from advisor.report.rental import (
    entry_row,
    rentals_document,
    with_history,
    with_seen,
)
from advisor.store.ledger import Entry, Ledger
from advisor.throughput.tables import load_tables

OFFERS, MOST_OFFERS = 5, 25
"""Offers that a ranking shows: where nothing is said, and at most."""

COMPARED = 5
"""Offers that are compared at most."""

GPUS, MOST_GPUS = 3, 8
"""GPUs of a family that are predicted: where nothing is said, and at most."""

WORKLOADS, MOST_WORKLOADS = 3, 10
"""Workloads that are shown in full; the names of all that match are listed."""

MATCHING = "matching"
"""Key of those names, which the tool adds to the document of its command."""

RENTALS, MOST_RENTALS = 20, 100

_SCHEMA_VERSION = 1
"""Of the documents of workloads."""


def rank(context: Context, found: Arguments) -> Document:
    """Return the best offers, as ``advisor rank --json``."""
    spec = rank_spec(found, shown(found, "top", OFFERS, MOST_OFFERS))
    ranker = Ranker.of(context, spec)
    answer = _ask(context, found, ranker.query)
    ranker.notify_slips(answer)
    ranking = ranker.rank(answer)
    listed, now = entries(ranking), context.now()
    context.notify(headline(ranking, now))
    error = None if listed else nothing_left(ranking)
    return with_error(envelope(ranking, listed, now), error)


def explain(context: Context, found: Arguments) -> Document:
    """Return the cost estimate of one offer, as ``advisor explain --json``."""
    offer_id = arguments.whole("offer_id", found.get("offer_id"), most=2**53)
    return explained_document(_listing(context, found).find(offer_id or 0))


def compare(context: Context, found: Arguments) -> Document:
    """Return the cost estimates of several offers, as ``advisor compare --json``."""
    numbers = numbers_of(found, "offer_ids")
    if not 2 <= len(numbers) <= COMPARED:
        raise ArgumentError(Given("offer_ids"), f": 2 to {COMPARED} are expected")
    listing = _listing(context, found)
    return compared_document([listing.find(number) for number in numbers])


def _listing(context: Context, found: Arguments) -> Listing:
    ranker = Ranker.of(context, rank_spec(found))
    listing = Listing.of(ranker, partial(_ask, context, found))
    context.notify(headline(listing.ranking, context.now()))
    return listing


def _ask(context: Context, found: Arguments, query: Query) -> Answer:
    """Ask the market that is named, else the default one; a file is none of them."""
    name = named(found, "market")
    return answer_of(
        context,
        None if name is None else context.open_named(name),
        query,
        max_age_s=found.get("max_age_s", MAX_AGE_S),
        stale_ok=found.get("stale_ok", False),
    )


def predict_tool(context: Context, found: Arguments) -> Document:
    """Return how fast a workload runs, as ``advisor predict --json``.

    Of a family, such as A100, the fastest GPUs.
    """
    job = job_of({key: found[key] for key in found if key not in _OF_MACHINE})
    gpu = arguments.text("gpu", found.get("gpu")) or ""
    most = shown(found, "top", GPUS, MOST_GPUS)
    tables = load_tables(context.models)
    asked = partial(
        predict,
        context.library.load(job.workload),
        num_gpus=found.get("num_gpus", 1),
        cpu=arguments.text("cpu", found.get("cpu"), may_lack=True),
        threads=found.get("threads"),
        cpu_ghz=found.get("cpu_ghz"),
        settings=dict(job.settings),
        fit_batch=job.fit_batch,
        memory_margin=job.memory_margin,
        tables=tables,
        context=context,
    )
    names = tables.gpus.meant(gpu)
    if len(names) == 1:
        return predicted_document(asked(names[0]))
    several: list[Prediction] = []
    refused: NothingFitsError | None = None
    for name in names:
        try:
            several.append(asked(name))
        except NothingFitsError as error:
            context.notify(str(error))
            refused = error
    if not several and refused is not None:
        raise refused
    several.sort(key=lambda one: -one.samples_per_s)
    if len(several) > most:
        context.notify(f"{most} of {len(several)} GPUs are shown: 'top' shows more")
    return several_document(several[:most])


_OF_MACHINE = frozenset({"gpu", "num_gpus", "cpu", "threads", "cpu_ghz", "top"})


def workloads(context: Context, found: Arguments) -> Document:
    """Return profiles, as ``advisor workloads list --json`` or ``show``.

    Besides, the names of all that match.
    """
    name = named(found, "name")
    if name is not None:
        profile = context.library.load(name)
        document = {"workload": asdict(profile), "guessed": guessed(profile)}
        return {"schema_version": _SCHEMA_VERSION, **document}
    asked = (arguments.text("query", found.get("query"), may_lack=True) or "").lower()
    most = shown(found, "top", WORKLOADS, MOST_WORKLOADS)
    library = context.library
    profiles, broken = library.all()
    for error in broken:
        context.notify(f"left out: {error}")
    rows = listed_rows(profiles, library.files())
    matching = [
        (profile, row)
        for profile, row in zip(profiles, rows, strict=True)
        if all(
            word in f"{row['name']} {row['task']} {row['description']}".lower()
            for word in asked.split()
        )
    ]
    if not matching:
        message = f"no workload has {asked!r} in its name, task or description"
        raise UsageError(message)
    return {
        "schema_version": _SCHEMA_VERSION,
        "workloads": [
            {**asdict(profile), "of": row["of"]} for profile, row in matching[:most]
        ],
        MATCHING: [
            {key: row[key] for key in ("name", "task", "description")}
            for _, row in matching
        ],
    }


def rentals(context: Context, found: Arguments) -> Document:
    """Return what is rented, as ``advisor rentals --json``, the latest ones."""
    with_closed = arguments.flag("all", found.get("all", False))
    offline = arguments.flag("offline", found.get("offline", False))
    most = shown(found, "top", RENTALS, MOST_RENTALS)
    market = named(found, "market") or DEFAULT_MARKET
    ledger = Ledger(context.data_folder)
    known: Sequence[Entry] = ()
    try:
        known = ledger.entries()
    except StoreError as error:
        context.notify(f"{error}; what the market lists is shown below")
    seen = None if offline else _seen(context, market)
    now = context.now().timestamp()
    listed = [
        one
        for one in known
        if with_closed or one.is_open or (seen is not None and seen.of(one) is not None)
    ]
    if len(listed) > most:
        context.notify(f"{most} of {len(listed)} rentals are shown: 'top' shows more")
        listed = listed[-most:]
    rows = [
        with_history(with_seen(entry_row(one), one, seen, now), ledger.history(one.label))
        for one in listed
    ]
    document: dict[str, Any] = json.loads(rentals_document(rows, seen, known))
    return document


def _seen(context: Context, market: str) -> Seen | None:
    """Return what the market shows; say so where it cannot be asked."""
    try:
        return look_at(rental_context_of(context, market))
    except MarketError as error:
        context.notify(f"this is the ledger alone: {error}")
        return None
