"""What leaves this machine, in words, and as a document for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from advisor.base.sizes import size_in_words
from advisor.rental.outgoing.decide import Outgoing
from advisor.rental.outgoing.ignored import DEFAULT
from advisor.rental.outgoing.walk import Left

_NAMED = 20
"""Names in a line of what is held back; the document has all."""

_NAMED_IGNORED = 6
_LARGEST = 3


def lines(outgoing: Outgoing, called: Callable[[str], str] = str) -> Iterator[str]:
    """Yield what is reported before anything is copied, a line each.

    Parameters
    ----------
    called : returns how the user's face calls a field; `str`: as Python does
    """
    include, exclude = called("includes"), called("excludes")
    files, size = outgoing.files, size_in_words(outgoing.bytes)
    largest = sorted(files, key=lambda path: -files[path])[:_LARGEST]
    shown = _joined((f"{one} ({size_in_words(files[one])})" for one in largest), _LARGEST)
    what = f"{len(files):,} file{'s' * (len(files) != 1)}, {size}"
    largest_ones = f"; largest: {shown}" if shown else ""
    yield f"{what}, of {outgoing.folder} go to the machine{largest_ones}"
    if outgoing.named:
        yield f"secrets that go, as {include} says: {secrets_named(outgoing)}"
    if outgoing.held_back:
        names = _joined((f"{o.path} ({o.why})" for o in outgoing.held_back), _NAMED)
        yield f"held back: {names}; {include} PATH sends one all the same"
    if outgoing.ignored:
        # What the user ignores first: a data set among them may be missed.
        ignored = sorted(outgoing.ignored, key=lambda one: one.why == DEFAULT)
        names = _joined((one.path for one in ignored), _NAMED_IGNORED)
        yield f"ignored, stays here: {names}; {include} PATH sends one all the same"
    for pattern in outgoing.unused:
        yield f"{exclude} {pattern!r} matches nothing"


def secrets_named(outgoing: Outgoing) -> str:
    """Return which secrets go since somebody named them, and what they are."""
    return _joined((f"{one} ({why})" for one, why in outgoing.named.items()), _NAMED)


def too_large(outgoing: Outgoing, most_gb: float) -> str:
    """Return that too much would go, and of what, to be ended by what may be done."""
    size = outgoing.bytes - outgoing.written_bytes
    files = outgoing.files
    by_top: dict[str, int] = {}
    for path, one in files.items():
        top = path.partition("/")[0]
        by_top[top] = by_top.get(top, 0) + one
    most = sorted(by_top, key=lambda name: -by_top[name])[:_LARGEST]
    shown = _joined((f"{one} {size_in_words(by_top[one])}" for one in most), _LARGEST)
    return (
        f"{size_in_words(size)} of {outgoing.folder} would go to the machine, more than "
        f"{most_gb:g} GB ({shown}): leave some out"
    )


def document(outgoing: Outgoing) -> dict[str, Any]:
    """Return the whole list for programs."""
    return {
        "folder": str(outgoing.folder),
        "bytes": outgoing.bytes,
        "files": [{"path": path, "bytes": size} for path, size in outgoing.files.items()],
        "folders": list(outgoing.folders),
        "secrets": [
            {"path": path, "reason": why} for path, why in outgoing.named.items()
        ],
        "held_back": [_left(one) for one in outgoing.held_back],
        "ignored": [_left(one) for one in outgoing.ignored],
    }


def printable(name: str) -> str:
    """Return a name without what a terminal obeys."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _joined(names: Iterable[str], most: int) -> str:
    """Return the first names, and how many there are beside."""
    all_names = list(map(printable, names))
    more = len(all_names) - most
    shown = ", ".join(all_names[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _left(one: Left) -> dict[str, str]:
    return {"path": one.path, "kind": one.kind, "reason": one.why}
