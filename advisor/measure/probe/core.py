"""What one core does, in seconds of its own time: other processes do not count."""

from __future__ import annotations

import random
import time
import zlib

_LEVEL = 6
_PIECES = 4
_PIECE_BYTES = 256 * 1024
"""Fits the second-level cache of any server core, as a picture or a document does."""

_WORDS = 4096
_SEED = 18


def text(size: int, seed: int = _SEED) -> str:
    """Return text of made-up words, the same everywhere.

    Frequent words are frequent as in a language: the n-th has a share of 1/n (Zipf).
    """
    draw = random.Random(seed)  # noqa: S311  (no secret)
    letters = "eeeettaaooiinnsshhrrddllucmwfgypbvk"
    words = [
        "".join(
            letters[int(draw.random() * len(letters))]
            for _ in range(1 + int(draw.random() * 9))
        )
        for _ in range(_WORDS)
    ]
    parts, length = [], 0
    while length < size:
        word = words[int(_WORDS ** draw.random()) - 1]
        parts.append(word)
        length += len(word) + 1
    return " ".join(parts)[:size]


class Deflate:
    """zlib at its usual level, the micro-benchmark that every Python has."""

    name = "core.zlib"
    unit = "MB/s"

    def __init__(self) -> None:
        self._pieces = [
            text(_PIECE_BYTES, _SEED + number).encode() for number in range(_PIECES)
        ]
        self.note = f"per second of CPU time; zlib {zlib.ZLIB_RUNTIME_VERSION}"

    def rate(self) -> float:
        """Return the MB that a second of CPU time compresses."""
        began = time.process_time()
        for piece in self._pieces:
            zlib.compress(piece, _LEVEL)
        spent = time.process_time() - began
        return _PIECES * _PIECE_BYTES / 1e6 / spent if spent > 0.0 else 0.0
