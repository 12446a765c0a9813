"""The pictures are like ImageNet's, and each library prepares them."""

from __future__ import annotations

import importlib
import io
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.measure.probe.decoders import SIDE, Finish, crop_box, decoders
from advisor.measure.probe.images import MEAN_BYTES, SIZES, jpegs


def drawing(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (no secret)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Return the pictures, or skip where what makes them is not installed."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    return jpegs()


def test_sizes_and_bytes_are_those_of_imagenet(files: list[bytes]) -> None:
    """About 400 x 350 pixels and 110 kB in the mean."""
    image = importlib.import_module("PIL.Image")
    assert [image.open(io.BytesIO(one)).size for one in files] == list(SIZES)
    mean = sum(map(len, files)) / len(files)
    assert mean == pytest.approx(MEAN_BYTES, rel=0.03)
    assert 140e3 <= sum(w * h for w, h in SIZES) / len(SIZES) <= 182e3


def test_bytes_follow_the_pixels(files: list[bytes]) -> None:
    """No picture is much easier or harder to decode than its size says."""
    for one, (width, height) in zip(files, SIZES, strict=True):
        assert 8.0 * len(one) / (width * height) == pytest.approx(5.53, rel=0.06)


@pytest.mark.slow
def test_the_pictures_are_the_same_each_time(files: list[bytes]) -> None:
    """Two benches decode the same files."""
    assert jpegs() == files


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers())
def test_a_crop_lies_within_the_picture(width: int, height: int, seed: int) -> None:
    """Of whatever shape it is."""
    left, top, wide, high = crop_box(width, height, drawing(seed))
    assert 0 <= left < left + wide <= width
    assert 0 <= top < top + high <= height


def test_each_library_prepares_what_a_net_is_given(files: list[bytes]) -> None:
    """3 x 224 x 224, normalized: about zero, nothing beyond what eight bits give."""
    numpy: Any = importlib.import_module("numpy")
    finish, out = Finish(numpy), numpy.empty((3, SIDE, SIDE), numpy.float32)
    found, missing = decoders()
    assert "pillow" in {one.name for one in found}
    assert not {one.name for one in found} & set(missing)
    for one in found:
        draw = drawing(1)
        for file in files[:4]:
            finish(one.prepared(one.decode(file), draw), out)
            assert -2.2 < out.min() < out.max() < 2.7
            assert abs(out.mean()) < 1.0


def test_libraries_agree_on_a_picture(files: list[bytes]) -> None:
    """The colors are in one order: no library's red is another's blue."""
    numpy: Any = importlib.import_module("numpy")
    means = []
    for one in decoders()[0]:
        prepared = one.prepared(one.decode(files[0]), drawing(5))
        means.append(numpy.asarray(prepared).mean(axis=(0, 1)))
    for mean in means[1:]:
        assert mean == pytest.approx(means[0], abs=2.0)


TORCHCODEC = """
import io, numpy, torch
from PIL import Image
__version__ = "0.16.0"
def decode_jpeg(source):
    values = numpy.array(Image.open(io.BytesIO(source)).convert("RGB"))
    return torch.from_numpy(values).permute(2, 0, 1)
"""


def test_torchcodec_is_used_as_its_documentation_says(
    files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It returns colors x height x width; a stand-in does, where it is not installed."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    package = tmp_path / "torchcodec"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "0.16.0"\n')
    (package / "decoders.py").write_text(TORCHCODEC)
    for name in [one for one in sys.modules if one.split(".")[0] == "torchcodec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {one.name: one for one in decoders()[0]}
    one, pillow = found["torchcodec"], found["pillow"]
    prepared = [by.prepared(by.decode(files[0]), drawing(5)) for by in (one, pillow)]
    for name in [one for one in sys.modules if one.split(".")[0] == "torchcodec"]:
        del sys.modules[name]
    assert prepared[0].shape == prepared[1].shape == (SIDE, SIDE, 3)
    assert prepared[0].mean() == pytest.approx(prepared[1].mean(), abs=1.0)
