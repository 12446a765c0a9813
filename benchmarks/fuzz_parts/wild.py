"""Values that no advisor writes, and changes that no advisor makes."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

WILD: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, -0.0, 1e308, -1e308, 1e-320, 2**31, 2**62, 2**63 - 1),
    *(math.nan, math.inf, -math.inf, "", " ", "x", "nan", "1e999", "0x10", "1_000", "٣"),
    *("\x1b[2J", "\u202eabc", "a\x00b", "\ufffd", "a" * 5000, "[1", "[null]", "{}", "[]"),
    *("held", "handed", "it runs a job", "market.test/1", "2026-11-20", "../../x"),
    "[" * 2000,
)

_FINITE = [one for one in WILD if type(one) is not float or math.isfinite(one)]

WILD_JSON: Sequence[Any] = (
    *(*_FINITE, [], {}, [[]], [None], {"a": 1}, [1] * 500, "\ud800", 10**400),
    *([["a", "b"]], math.nan, math.inf),
)

WILD_TOML = (
    *("-1", "0", "nan", "inf", "1e400", '"x"', "[]", "{}", "true", "1e308", "1e-300"),
    *('"\\u001b[2J"', "2020-01-01", '""', "9" * 23, "[[1]]", "-0.0", '"resnet50"'),
    *("{a=1}", "1979-05-27T07:32:00Z", "'''a", '["a", 1]', "0x10"),
    '"' + "a" * 5000 + '"',
)


def flip(rnd: random.Random, body: bytearray) -> None:
    """Change some bytes of a file that has any."""
    for _ in range(rnd.choice((1, 3, 20, 200)) if body else 0):
        body[rnd.randrange(len(body))] = rnd.randrange(256)


def cut(rnd: random.Random, body: bytearray) -> None:
    """Cut a file off."""
    del body[rnd.randrange(len(body) + 1) :]


def wrong_document(rnd: random.Random, document: Any) -> Any:
    """Return a JSON document with some of it replaced, removed or added."""
    document = json.loads(json.dumps(document))
    for _ in range(rnd.randint(1, 4)):
        node, parent, key = document, None, None
        while isinstance(node, dict | list) and node and rnd.random() < 0.8:
            parent = node
            key = rnd.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node = node[key]
        if parent is None:
            document = document if rnd.random() < 0.9 else rnd.choice(WILD_JSON)
        elif rnd.random() < 0.7:
            parent[key] = rnd.choice(WILD_JSON)
        elif isinstance(parent, dict) and rnd.random() < 0.6:
            del parent[key]
        elif isinstance(parent, dict):
            parent[rnd.choice(("other", "", "\x1b", "version"))] = rnd.choice(WILD_JSON)
    return document


def wrong_lines(rnd: random.Random, text: str) -> bytes:
    """Return a TOML file with some of its lines wronged."""
    lines = text.splitlines()
    for _ in range(rnd.choice((1, 1, 2, 4))):
        if not lines:
            break
        at = rnd.randrange(len(lines))
        if "=" in lines[at] and rnd.random() < 0.7:
            lines[at] = f"{lines[at].split('=')[0]}= {rnd.choice(WILD_TOML)}"
        elif rnd.random() < 0.5:
            del lines[at]
        else:
            added = ("[x]", "extends = 'bert-base'", "a.b = 1", "= 1", "[[a]]")
            lines.insert(at, rnd.choice((*added, "[rental]")))
    body = bytearray("\n".join(lines).encode())
    if rnd.random() < 0.15:
        flip(rnd, body)
    return bytes(body)
