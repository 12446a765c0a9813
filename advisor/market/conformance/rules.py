"""Rules for what a market answers: each yields what is wrong, in words for its author."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from advisor.market.columns import record_id
from advisor.market.fast_json import loads
from advisor.market.merging import merged
from advisor.market.offers import GB_IF_BELOW, MHZ_IF_ABOVE, NUMBERS, parse_offers
from advisor.market.types import Answer, Record
from advisor.market.values import UNKNOWN_ID

Complaints = Iterator[str]

_VERIFICATIONS = ("verified", "unverified", "deverified")
_IN_MIB = ("gpu_ram", "gpu_total_ram", "cpu_ram")
_FIGURES = tuple(chain.from_iterable(column.keys for column in NUMBERS.values()))


def is_line(text: object) -> bool:
    """Say whether a text is one plain line that says something."""
    return (
        isinstance(text, str)
        and bool(text)
        and text.isprintable()
        and text == text.strip()
    )


def of_answer(answer: object) -> Complaints:
    """Yield what is wrong with an answer, but for its records."""
    if not isinstance(answer, Answer):
        yield f"search returns {type(answer).__name__}, no advisor.market.types.Answer"
        return
    for name in ("market", "origin"):
        if not is_line(getattr(answer, name)):
            yield f"Answer.{name} is {getattr(answer, name)!r}, not one line of text"
    yield from _of_time(answer.fetched_at)
    if answer.complete is not None and not isinstance(answer.complete, bool):
        yield f"Answer.complete is {answer.complete!r}: True, False, or None if unknown"
    if not isinstance(answer.simulated, bool):
        yield f"Answer.simulated is {answer.simulated!r}, neither True nor False"
    if not isinstance(answer.notes, tuple):
        yield f"Answer.notes is a {type(answer.notes).__name__}, no tuple of lines"
    for note in answer.notes:
        if not is_line(note):
            yield f"the note {note!r} is not one line of text"
    yield from _of_bodies(answer)


def _of_time(moment: object) -> Complaints:
    if moment is None:
        return
    if not isinstance(moment, datetime):
        yield f"Answer.fetched_at is {moment!r}, no datetime"
    elif moment.utcoffset() != timedelta(0):
        yield f"Answer.fetched_at is {moment.isoformat()}, not in UTC"


def _of_bodies(answer: Answer) -> Complaints:
    """Yield where the documents as they came hold other offers than the records."""
    if not answer.bodies:
        return
    try:
        pages = [loads(body)["offers"] for body in answer.bodies]
        ids = {record_id(one) for one in merged(pages)}
    except (ValueError, LookupError, TypeError, AttributeError):
        yield "Answer.bodies are no JSON documents with a list 'offers': leave them out"
        return
    if ids != {record_id(one) for one in answer.records}:
        yield "Answer.bodies hold other offers than Answer.records: they are stored"


def of_records(records: object) -> Complaints:
    """Yield which records are no offers, or no two different ones."""
    if not isinstance(records, Sequence) or isinstance(records, str | bytes):
        yield f"Answer.records is a {type(records).__name__}, no sequence of records"
        return
    if not len(records):
        yield "there are no offers: open a market that has some"
    known: dict[int, Record] = {}
    for at, record in enumerate(records):
        if not isinstance(record, Mapping):
            yield f"record {at} is a {type(record).__name__}, no mapping of names"
            continue
        if not all(isinstance(name, str) for name in record):
            yield f"record {at} has names that are no text"
            continue
        number = record_id(record)
        if number == UNKNOWN_ID:
            given = record.get("id")
            yield f"record {at} has the id {given!r}: a whole number of 0 to 2**63 - 1"
            continue
        if not is_line(record.get("gpu_name")):
            yield f"offer {number} has the gpu_name {record.get('gpu_name')!r}, no text"
        if differing := _differing(record, known.setdefault(number, record)):
            yield f"the id {number} is of two offers, which differ in {differing}"


def _differing(record: Record, other: Record) -> str:
    """Return the names in which two records of one offer differ.

    A market may show one twice, as its ranking of it changes.
    """
    names = {*record, *other} - {"score"}
    differ = sorted(name for name in names if record.get(name) != other.get(name))
    return ", ".join(map(repr, differ))


def of_prices(records: Sequence[Record]) -> Complaints:
    """Yield which offers nobody can rank: without a price, or a number of GPUs.

    What can only be bid for (``is_bid``) has a least bid instead of a price.
    """
    parsed, excluded = parse_offers(records)
    unranked = excluded.keys() & {"no_price", "unknown_num_gpus"}
    if not unranked and not parsed.price_contradictory.any():
        return
    for record in records:
        offers, why = parse_offers([record])
        name = f"offer {record_id(record)}"
        only_bids = record.get("is_bid") is True and record.get("min_bid") is not None
        if why["unknown_num_gpus"]:
            yield f"{name} has num_gpus {record.get('num_gpus')!r}: 1 to 1024 GPUs"
        elif why["no_price"] and not only_bids:
            yield (
                f"{name} has no price: dph_total {record.get('dph_total')!r} is to be "
                "the dollars per hour of the whole offer, 0.001 to 1000 per GPU"
            )
        elif len(offers) and offers.price_contradictory[0]:
            yield (
                f"{name} has dph_total {record.get('dph_total')!r} and dph_base "
                f"{record.get('dph_base')!r}: the first includes the second, and a disk"
            )


def of_figures(records: Iterable[Record]) -> Complaints:
    """Yield which figures are no numbers, or surely in another unit than ours."""
    for record in records:
        name = f"offer {record_id(record)}"
        for key in _FIGURES:
            value = record.get(key)
            if value is not None and (wrong := _wrong_figure(key, value)):
                yield f"{name} has {key} {value!r}: {wrong}"
        verification = record.get("verification")
        if verification is not None and verification not in _VERIFICATIONS:
            words = ", ".join(_VERIFICATIONS)
            yield f"{name} has verification {verification!r}: one of {words}, or none"


def _wrong_figure(key: str, value: Any) -> str:
    """Say what is wrong with a figure, ``""`` where nothing is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "give a number, or leave it out"
    if not math.isfinite(value) or (value < 0 and key != "score"):
        return "give a number from 0 up, or leave it out"
    if key in _IN_MIB and 0 < value < GB_IF_BELOW:
        return "give MiB: 24 GiB are 24576"
    if key == "cpu_ghz" and value > MHZ_IF_ABOVE:
        return "give GHz"
    if key in ("reliability", "reliability2") and value > 1:
        return "give a part of 1"
    return ""


def of_secrets(secrets: Iterable[str], shown: Mapping[str, object]) -> Complaints:
    """Yield where a secret shows.

    Parameters
    ----------
    shown : what it is called -> what people or files get to see of it
    """
    for name, thing in shown.items():
        text = f"{thing} {thing!r}"
        if any(secret in text for secret in secrets):
            yield f"the key shows in {name}"
