"""Shapes of a module's inputs as users write them."""

from __future__ import annotations

import pytest

from advisor.base.errors import UsageError
from advisor.workloads.inputs import Input, Inputs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3x224x224", Input((3, 224, 224))),
        ("512:long", Input((512,), "long")),
        ("scalar:long", Input((), "long")),
        ("mask=512:bool", Input((512,), "bool", "mask")),
        ("512xBx256", Input((512, 256), "float", "", 1)),
        ("t=scalar", Input((), "float", "t")),
    ],
)
def test_what_is_meant(text: str, expected: Input) -> None:
    """A name, sizes, the batch's place and a kind."""
    assert Input.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "3x", "0x3", "-1", "3:byte", "3:", "=3", "a b=3", "BxB", "1e3", "3xscalar"],
)
def test_what_is_none(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(UsageError, match=r"shapes.*3x224x224"):
        Input.parse(text)


def test_bytes_of_a_sample() -> None:
    """All inputs together: 4 bytes a float, 8 a whole number, 1 a truth."""
    assert Inputs.parse(["3x8x8", "scalar:long", "m=16:bool"]).bytes == 768 + 8 + 16


def test_a_keyword_given_twice() -> None:
    """It is named."""
    with pytest.raises(UsageError, match="ids is given twice"):
        Inputs.parse(["ids=3:long", "ids=4:long"])


@pytest.mark.parametrize(
    ("texts", "image", "tokens"),
    [
        (["3x32x64"], (32, 64), None),
        (["1x96x96x96"], None, None),
        (["365x30"], None, None),
        (["ids=128:long", "mask=128:bool"], None, 128),
        (["scalar:long"], None, None),
        (["3x32x32", "scalar:long"], None, None),
    ],
)
def test_what_a_sample_is(
    texts: list[str], image: tuple[int, int] | None, tokens: int | None
) -> None:
    """A picture of three channels alone, or nothing but whole numbers."""
    inputs = Inputs.parse(texts)
    assert (inputs.image, inputs.tokens) == (image, tokens)
