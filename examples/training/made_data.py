"""Data that the examples train on: made here, the same every time, and read from disk."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 8
WORDS = 400
VOCABULARY = 256


def make_jpegs(folder: Path, images: int) -> list[tuple[Path, int]]:
    """Return JPEG files, each with its class, in a folder for each class.

    Parameters
    ----------
    folder : where they are, or are put
    images : how many
    """
    listed: list[tuple[Path, int]] = []
    for index in range(images):
        label = index % CLASSES
        path = folder / f"class-{label}" / f"{index:05d}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _picture(index, label).save(path, quality=90)
        listed.append((path, label))
    return listed


def _picture(index: int, label: int) -> Image.Image:
    """Return a picture with large shapes, a fine grain and a tint of its class."""
    rng = np.random.default_rng(index)
    width, height = (int(side) for side in rng.integers(200, 320, size=2))
    shapes = rng.integers(0, 200, size=(8, 8, 3), dtype=np.uint8)
    smooth = Image.fromarray(shapes).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.integers(0, 40, size=(height, width, 3))
    tint = np.array([label & 1, label >> 1 & 1, label >> 2 & 1]) * 15
    return Image.fromarray(
        (np.asarray(smooth) + grain + tint).clip(0, 255).astype(np.uint8)
    )


def make_text(path: Path, characters: int) -> bytes:
    """Return a text of made-up words, the frequent ones short, as words are.

    Parameters
    ----------
    path : file that it is in, or is put into
    characters : length
    """
    if not path.exists():
        rng = np.random.default_rng(0)
        letters = np.frombuffer(b"etaoinshrdlu", dtype=np.uint8)
        lengths = 2 + np.log2(np.arange(WORDS) + 1).astype(int) // 2
        words = [rng.choice(letters, size=size).tobytes() for size in lengths]
        chances = 1 / np.arange(1, WORDS + 1)
        drawn = rng.choice(WORDS, size=characters // 3, p=chances / chances.sum())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b" ".join(words[word] for word in drawn)[:characters])
    return path.read_bytes()[:characters]


class Tokenizer:
    """Byte pairs, the most frequent merged first (Sennrich et al., ACL 2016), one level.

    Parameters
    ----------
    text : that the pairs are counted in
    """

    def __init__(self, text: bytes) -> None:
        letters = sorted(set(text) - {ord(" ")})
        self.ids = {bytes([letter]): place for place, letter in enumerate(letters)}
        counted = Counter(pair for word in text.split() for pair in pairwise(word))
        room = VOCABULARY - len(self.ids)
        self.ranks: dict[bytes, int] = {}
        for rank, (pair, _) in enumerate(counted.most_common(room)):
            self.ranks[bytes(pair)] = rank
            self.ids[bytes(pair)] = len(self.ids)

    def encode(self, text: bytes, length: int) -> list[int]:
        """Return the first tokens of a text, which must have as many.

        Parameters
        ----------
        length : tokens that are kept
        """
        tokens = [self.ids[part] for word in text.split() for part in self._parts(word)]
        return tokens[:length]

    def _parts(self, word: bytes) -> list[bytes]:
        parts = [bytes([letter]) for letter in word]
        while True:
            pairs = [first + second for first, second in pairwise(parts)]
            known = [pair for pair in pairs if pair in self.ranks]
            if not known:
                return parts
            best = min(known, key=self.ranks.__getitem__)
            at = pairs.index(best)
            parts[at : at + 2] = [best]


CHARACTERS_PER_TOKEN = 6
"""So many characters are enough for a token: a pair and a blank take three, a word that
is cut wrongly at both ends four."""
