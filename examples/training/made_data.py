"""Data that the examples train on: made here, the same every time, and read from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 8
WORDS = 400


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
