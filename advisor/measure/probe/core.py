"""What one core does, in seconds of its own time: other processes do not count."""

from __future__ import annotations

import contextlib
import importlib
import math
import mmap
import os
import platform
import random
import re
import time
import zlib

_LEVEL = 6
_PIECES = 4
_PIECE_BYTES = 256 * 1024
"""Fits the second-level cache of any server core, as a picture or a document does."""

_TOKENIZED_BYTES = 64 * 1024
_ENDS = (1, 2, 3, 4)
"""Letters of a piece."""

_COPIES = 8
_VOCABULARY = 2_000
_WORD = re.compile(r"\w+")

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


class WordPieces:
    """Text cut into known pieces, the longest first, by Python's own code."""

    name = "tokenize.core"
    unit = "tokens/s"

    def __init__(self) -> None:
        self._text = text(_TOKENIZED_BYTES)
        words = sorted(set(text(_PIECE_BYTES).split()))
        self._known = {
            word[:end]: number for number, word in enumerate(words) for end in _ENDS
        }
        self.note = f"per second of CPU time; Python {platform.python_version()}"

    def rate(self) -> float:
        """Return the tokens that a second of CPU time makes."""
        began = time.process_time()
        tokens = sum(len(self._pieces(word)) for word in _WORD.findall(self._text))
        spent = time.process_time() - began
        return tokens / spent if spent > 0.0 else 0.0

    def _pieces(self, word: str) -> list[int]:
        """Return the numbers of the pieces of a word; what is not known is -1."""
        pieces, at = [], 0
        while at < len(word):
            for end in range(min(len(word), at + _ENDS[-1]), at, -1):
                if (number := self._known.get(word[at:end])) is not None:
                    break
            else:
                number, end = -1, at + 1
            pieces.append(number)
            at = end
        return pieces


class HfTokenizer:
    """Byte-pair encoding by Hugging Face's library, trained on made-up text.

    Raises
    ------
    ImportError
        if it is not installed
    """

    name = "tokenize.tokenizers.core"
    unit = "tokens/s"

    def __init__(self) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core is what is asked
        library = importlib.import_module("tokenizers")
        models = importlib.import_module("tokenizers.models")
        trainers = importlib.import_module("tokenizers.trainers")
        before = importlib.import_module("tokenizers.pre_tokenizers")
        self._tokenizer = library.Tokenizer(models.BPE())
        self._tokenizer.pre_tokenizer = before.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, show_progress=False)
        self._tokenizer.train_from_iterator([text(_PIECE_BYTES)], trainer)
        self._text = text(_PIECE_BYTES, _SEED + 1)
        self.note = f"per second of CPU time; tokenizers {library.__version__}"

    def rate(self) -> float:
        """Return the tokens that a second of CPU time makes."""
        began = time.process_time()
        tokens = len(self._tokenizer.encode(self._text).ids)
        spent = time.process_time() - began
        return tokens / spent if spent > 0.0 else 0.0


def _large(size: int) -> memoryview:
    """Return memory in large pages where the system gives them, every page touched.

    How small ones lie differs from process to process, and so does the rate of copies.
    """
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(memory)
    view[:] = bytes(size)
    return view


class MemoryCopy:
    """Memory copied by one thread, more than its share of the caches holds.

    Parameters
    ----------
    size : bytes that are copied at once
    """

    name = "host.memory.copy"
    unit = "GB/s"

    def __init__(self, size: int = 1 << 27) -> None:
        self._size = size
        self.note = "copied, by one thread, per second of CPU time"

    def rate(self) -> float:
        """Return the GB that a second of CPU time copies: as much is read and written.

        The best of some tries, as STREAM has it (McCalpin, 1995): what others do on the
        same memory only slows it.
        """
        fastest = math.inf
        with _large(self._size) as source, _large(self._size) as target:
            for _ in range(_COPIES):
                began = time.process_time()
                target[:] = source
                fastest = min(fastest, time.process_time() - began)
        return self._size / 1e9 / fastest if fastest > 0.0 else 0.0
