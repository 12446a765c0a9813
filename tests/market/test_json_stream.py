"""JSON as a stream: every record once, whatever the cuts; what is torn is said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.market.json_stream import JsonStream

TEXTS = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ['"},{"', "}],", '\\"}', "NaN", "}\n{", "Türkiye, TR", "\ufeff"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4) | VALUES, max_size=8)
ENCODINGS = st.sampled_from(
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20) -> tuple[list[Any], JsonStream]:
    stream = JsonStream(blocks(data, size))
    return [record for chunk in stream.chunks() for record in chunk], stream


def same(one: object, other: object) -> bool:
    """Say whether two values are equal in kind and value, NaN to NaN."""
    return repr(one) == repr(other)


@given(
    records=RECORDS,
    before=st.dictionaries(TEXTS.filter(lambda key: key != "offers"), VALUES, max_size=3),
    after=st.dictionaries(TEXTS.filter(lambda key: key != "offers"), VALUES, max_size=3),
    encoding=ENCODINGS,
    indent=st.none() | st.integers(0, 2),
    plain=st.booleans(),
    size=st.integers(1, 64),
)
def test_a_document_is_read_as_the_standard_library_reads_it(
    records: list[Any],
    before: dict[str, Any],
    after: dict[str, Any],
    encoding: str,
    indent: int | None,
    plain: bool,
    size: int,
) -> None:
    """In any encoding, spacing and blocks: the same records, the same members."""
    document = {**before, "offers": records, **after}
    text = json.dumps(document, indent=indent, ensure_ascii=plain)
    found, stream = read(text.encode(encoding, "surrogatepass"), size)
    assert same(found, records)
    assert same(stream.members, {**before, **after} if before or after else {})
    assert stream.listed


@given(records=RECORDS, encoding=ENCODINGS, size=st.integers(1, 64))
def test_a_bare_list_is_read(records: list[Any], encoding: str, size: int) -> None:
    """A list without an object around it holds the same records."""
    text = json.dumps(records, ensure_ascii=False)
    assert same(read(text.encode(encoding, "surrogatepass"), size)[0], records)


@pytest.mark.slow
@given(
    records=st.lists(
        st.dictionaries(st.text(), VALUES, min_size=1, max_size=4), min_size=2, max_size=5
    ),
    between=st.sampled_from(["\n", "\r\n", "\n\n", " ", ""]),
    size=st.integers(1, 64),
)
def test_json_lines_are_read(
    records: list[dict[str, Any]], between: str, size: int
) -> None:
    """Objects one after the other are the records, with or without line ends."""
    records[0].pop("offers", None)
    text = between.join(json.dumps(record) for record in records)
    found, stream = read(text.encode(), size)
    assert same(found, records)
    assert stream.members == {}


@pytest.fixture(scope="module")
def large() -> list[dict[str, Any]]:
    """Return records of some hundred kB of text, with all that makes a cut hard."""
    return [
        {
            "id": at,
            "cpu_name": 'EPYC "},{" 7702',
            "search": {"totalHour": 0.3, "parts": [{"a": 1}, {"a": 2}]},
            "gpu_ids": [at, at + 1],
            "pad": "x" * 700,
            "tail": {"empty": {}},
        }
        for at in range(400)
    ]


@settings(max_examples=12)
@given(
    odd=st.sets(st.integers(0, 399), max_size=20),
    value=st.sampled_from([math.nan, math.inf, 10**400, "\ud800", [[]]]),
    indent=st.none() | st.just(1),
    size=st.sampled_from([1000, 1 << 16, 1 << 20]),
)
def test_pieces_that_are_no_strict_json_lose_nothing(
    large: list[dict[str, Any]],
    odd: set[int],
    value: object,
    indent: int | None,
    size: int,
) -> None:
    """A NaN here and there sends its record alone another way; none is lost or moved."""
    records = [one | {"odd": value} if at in odd else one for at, one in enumerate(large)]
    data = json.dumps(records, indent=indent).encode()
    found, _ = read(data, size)
    assert same(found, json.loads(data))


@settings(max_examples=12)
@given(odd=st.sets(st.integers(0, 399), max_size=20))
def test_large_json_lines_lose_nothing(
    large: list[dict[str, Any]], odd: set[int]
) -> None:
    """As a list of as many records."""
    records = [
        one | {"odd": math.nan} if at in odd else one for at, one in enumerate(large)
    ]
    data = "\n".join(map(json.dumps, records)).encode()
    assert same(read(data)[0], records)


def test_a_torn_document_is_an_error_wherever_it_ends() -> None:
    """No prefix of a document passes for a document."""
    document = {"a": [1, {"b": "ü"}], "offers": [{"id": 1}, {"x": [{}]}], "z": 2.5}
    data = json.dumps(document, ensure_ascii=False).encode()
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r"."):
            read(data[:end], 7)


@pytest.mark.parametrize(
    "text",
    [
        "[1,]",
        "[1 2]",
        "[{}] x",
        "[{}]]",
        "[{}}",
        '{"offers": [{}]} {"offers": [{}]}',
        '{"offers": [{}], "offers": [{}]}',
        '{"a" 1}',
        "{1: 2}",
        '{"a": 1,}',
        '{"offers": [{}],}',
        "[{}\x00]",
        "nonsense",
        "",
    ],
)
def test_what_is_no_document_is_an_error(text: str) -> None:
    """Commas, brackets, a second document, a second list: nothing is guessed."""
    with pytest.raises(ValueError, match=r"."):
        read(text.encode(), 3)


def test_half_a_character_is_an_error() -> None:
    """UTF-16 that ends within a character is torn."""
    with pytest.raises(ValueError, match="truncated"):
        read(json.dumps([1]).encode("utf-16")[:-1])


def test_nesting_without_end_is_an_error_not_a_crash() -> None:
    """A bomb of brackets within a record raises what callers already meet."""
    with pytest.raises(RecursionError):
        read(b'[{"id": 1}, ' + b"[" * 100_000)


def test_one_value_alone_is_no_list() -> None:
    """A document without records is there to be looked at."""
    for text in ("null", "3", '{"instances": [{}]}', "{}", '"offers"'):
        found, stream = read(text.encode(), 2)
        assert found == []
        assert not stream.listed
        assert stream.value == json.loads(text)


def test_records_come_before_the_end_is_read() -> None:
    """A stream is read in pieces: what follows the first records is not asked for yet."""
    asked: list[int] = []

    def endless() -> Iterator[bytes]:
        yield b'[{"id": 0}'
        for at in range(1, 10**9):
            asked.append(at)
            yield b',{"id": %d, "pad": "%s"}' % (at, b"x" * 1000)

    chunks = JsonStream(endless()).chunks()
    assert next(chunks)[0] == {"id": 0}
    assert len(asked) < 1000
