"""Fast JSON: the same values and the same refusals as the standard library's."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.market.fast_json import loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),  # half surrogates too
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    """Say whether two values are equal in kind and value, NaN to NaN."""
    return repr(one) == repr(other)


@given(
    VALUES,
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
)
def test_every_document_is_read_as_the_standard_library_reads_it(
    value: object, plain: bool, encoding: str
) -> None:
    """NaN, huge integers, half surrogates, any encoding: not one value differs."""
    data = json.dumps(value, ensure_ascii=plain).encode(encoding, "surrogatepass")
    assert same(loads(data), json.loads(data))


@given(st.binary())
def test_what_is_no_json_is_refused_alike(data: bytes) -> None:
    """Bytes are refused here exactly where the standard library refuses them."""
    try:
        expected = json.loads(data)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            loads(data)
    else:
        assert same(loads(data), expected)


@pytest.mark.parametrize(
    "text",
    [
        "[1e400, -1e400]",
        "-0",
        "-0.0",
        '{"a": 1, "a": 2}',
        "1" * 4300,
        "[" * 500 + "]" * 500,
        '"\\ud83d\\ude00"',
        " \n[1]\r\n",
        "0.1000000000000000055511151231257827",
    ],
)
def test_odd_but_legal_documents(text: str) -> None:
    """Overflow, a signed zero, a key that comes twice, thousands of digits, depth."""
    assert same(loads(text.encode()), json.loads(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("[1,]", "Expecting value"),
        ("[01]", "Expecting ',' delimiter"),
        ("[+1]", "Expecting value"),
        ('"a\tb"', "Invalid control character"),
        ("nan", "Expecting value"),
        ("[1] x", "Extra data"),
        ("1" * 5000, "digits"),
    ],
)
def test_what_is_not_quite_json_is_refused(text: str, words: str) -> None:
    """A trailing comma, a leading zero, a raw tab, an absurd integer: no value."""
    with pytest.raises(ValueError, match=words):
        loads(text.encode())


def test_nesting_without_end_is_an_error_not_a_crash() -> None:
    """A bomb of brackets raises what callers already meet."""
    with pytest.raises(RecursionError):
        loads(b"[" * 100_000)


def test_the_numbers_that_markets_send_are_read() -> None:
    """NaN and Infinity, which JSON does not know, are those floats."""
    nan, infinite, minus = loads(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(nan)
    assert (infinite, minus) == (math.inf, -math.inf)
