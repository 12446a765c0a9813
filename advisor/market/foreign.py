"""What a file is that holds no offers: files of other tools are recognized."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from advisor.market.columns import record_id
from advisor.market.types import Record
from advisor.market.values import UNKNOWN_ID

_HEAD = 4096  # bytes of a text that show what it is
_TABLE_COLUMNS = 3  # a line with fewer is no head of a table

_OF_INSTANCES = frozenset({"actual_status", "intended_status", "cur_state"})
"""Fields of a rented machine that no offer has."""

_OF_OFFERS = frozenset({"dph_total", "dph_base", "gpu_name", "num_gpus"})
"""Fields that distinguish an offer from any other object with an id."""

_TOOLS: Mapping[str, frozenset[str]] = {
    "output of `dstack offer`": frozenset({"backend", "instance_type", "resources"}),
    "a catalog of gpuhunt": frozenset({"instance_name", "gpu_count", "gpu_name"}),
    "a catalog of SkyPilot": frozenset({"InstanceType", "AcceleratorName"}),
}
"""Tool -> fields that its records have, and those of the market do not."""

_TABLES: Mapping[str, re.Pattern[str]] = {
    "the table of `vastai search offers` (add --raw)": re.compile(r"ID\s+CUDA\s+N\s"),
    "the table of `dstack offer`": re.compile(r"(#\s+)?BACKEND\s+REGION\s"),
}


def is_offer(document: Any) -> bool:
    """Say whether a document is one offer alone."""
    return (
        isinstance(document, dict)
        and record_id(document) != UNKNOWN_ID
        and not _OF_OFFERS.isdisjoint(document)
    )


def wrong_text(text: bytes) -> str:
    """Say what a text is that is no JSON, from its beginning."""
    words = text[:_HEAD].decode("utf-8", "replace").strip()
    first = words.partition("\n")[0]
    if not first:
        return "an empty file"
    if first.startswith("<"):
        return "an HTML page"
    for name, pattern in _TABLES.items():
        if pattern.match(first):
            return name
    columns = frozenset(name.strip(' "\r') for name in first.split(","))
    if len(columns) >= _TABLE_COLUMNS and first[:1] not in {"[", "{"}:
        return _tool(columns) or "a table in CSV"
    return "torn or no JSON"


def wrong_records(records: Sequence[Record]) -> str:
    """Say what records are that are no offers; ``""`` where one of them is one."""
    if not records:
        return ""
    if all(not _OF_INSTANCES.isdisjoint(one) for one in records):
        return "rented machines (output of `vastai show instances`), no offers"
    if any(record_id(one) != UNKNOWN_ID for one in records):
        return ""
    tool = _tool(frozenset().union(*records))
    return f"no offers (no id){f' but {tool}' if tool else ''}"


def _tool(fields: frozenset[str]) -> str:
    """Return whose records have these fields; ``""`` where nobody's do."""
    return next((tool for tool, its in _TOOLS.items() if its <= fields), "")
