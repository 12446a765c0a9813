"""A machine's output writes on a terminal, and does nothing else to it."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.report.terminal import Plain, plain_for

ESCAPES = (
    *(
        "\x1b]52;c;cm0gLXJmIH4=\x07",
        "\x1b]0;title\x1b\\",
        "\x1b[2J",
        "\x1b[3;1H",
        "\x1bc",
    ),
    *("\x1b[?1049h", "\x1bP1$r\x1b\\", "\x1b_x\x1b\\", "\x9b2J", "\x1b(0", "\x1b[6n"),
    *("\x1b]8;;http://x\x07", "\x1b#8", "\x07", "\x08", "\x0e", "\u202e", "\x1b[1;31m"),
)


@given(
    st.lists(
        st.sampled_from(ESCAPES) | st.text("\x1b[]m;0123\\\x07\n\r\tab", max_size=9)
    ),
    st.data(),
)
@example(["\x1b\x1b[2J]52;c;x\x07"], None)
def test_nothing_but_text_and_colors_comes_through(
    parts: list[str], data: st.DataObject | None
) -> None:
    """However it is cut into pieces."""
    body, plain, shown = "".join(parts).encode(), Plain(), b""
    while body:
        at = len(body) if data is None else data.draw(st.integers(1, len(body)))
        shown += plain.feed(body[:at])
        body = body[at:]
    left = re.sub(r"\x1b\[[0-9;:]*m", "", shown.decode())
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", left)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"])), st.data())
def test_text_stays_as_it_is(text: str, data: st.DataObject) -> None:
    """In any script, with bars and colors, cut anywhere."""
    body = f"{text}\r 50%|█▌ |\t\x1b[32mok\x1b[0m\n{text}".encode()
    at = data.draw(st.integers(0, len(body)))
    plain = Plain()
    assert plain.feed(body[:at]) + plain.feed(body[at:]) == body


def test_a_sequence_that_does_not_end_hides_no_more_than_its_line() -> None:
    """Also a very long one."""
    plain = Plain()
    pieces = [b"a\x1b]52;c;" + b"x" * 1000, b"y" * 1000, b"z\nb\x1b[31", b"mc"]
    assert b"".join(map(plain.feed, pieces)) == b"a\nb\x1b[31mc"


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_a_pipe_gets_no_more_than_a_terminal(stream: io.StringIO | None) -> None:
    """It may end at one; a program reads the log, which has the bytes."""
    assert plain_for(stream)(b"\x1b[2Jok\n") == b"ok\n"
