"""What a folder or a data set of the user's tells."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.workloads.dataset import (
    Spent,
    fetch,
    files_of,
    prepare_files,
    recipe_of,
    with_files,
)
from advisor.workloads.load import load_workload
from advisor.workloads.pictures import prepare

RESNET, BERT = load_workload("resnet50"), load_workload("bert-base")
YOLO, SPEECH = load_workload("yolov8s"), load_workload("wav2vec2-base")


def ticks(step: float) -> Callable[[], float]:
    """Return a clock that goes on by a step whenever it is read."""
    time = iter(range(10**9))
    return lambda: next(time) * step


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures, a broken one, an empty one and a list."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for at in range(3):
        size = (320, 240) if at else (9, 400)
        image.effect_noise(size, 40).convert("L").save(tmp_path / f"{at}.JPG")
    (tmp_path / "broken.png").write_bytes(b"<html>not found</html>")
    (tmp_path / "empty.png").touch()
    (tmp_path / "labels.csv").write_text("0,cat\n" * 100)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "3.jpg").write_bytes(b"x")
    return tmp_path


def test_what_is_no_picture_is_left_out(pictures: Path) -> None:
    """Labels, empty and hidden files are no samples, and it is said."""
    files = files_of(pictures, RESNET)
    assert len(files.samples) == 4
    assert "1 files of other kinds (.csv 1)" in files.left_out
    assert "1 empty files" in files.left_out
    assert files.folder_bytes - files.sample_bytes == 600


def test_broken_pictures_are_counted(pictures: Path) -> None:
    """They are no samples, and their time is none."""
    files = files_of(pictures, RESNET)
    spent = prepare_files(files.samples, (224, 224), print, ticks(0.004))
    assert (spent.tried, spent.broken) == (4, 1)
    assert spent.milliseconds == pytest.approx(4.0)
    assert "broken.png" in spent.first
    profile = with_files(RESNET, files, spent)
    assert profile.samples_per_epoch == 3
    assert "1 broken" in profile.sources["samples_per_epoch"]


def test_only_broken_pictures_are_an_error(tmp_path: Path) -> None:
    """Nothing is measured where nothing is whole."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    for at in range(3):
        (tmp_path / f"{at}.jpg").write_bytes(b"x" * 100)
    files = files_of(tmp_path, RESNET)
    with pytest.raises(UsageError, match=r"all of 3 samples .* fail.*jpg"):
        prepare_files(files.samples, (224, 224), print)


def test_a_share_of_many_is_broken(tmp_path: Path) -> None:
    """Where not all were tried, the share of those that were is taken off."""
    for at in range(400):
        (tmp_path / f"{at}.jpg").write_bytes(b"x")
    files = files_of(tmp_path, RESNET)
    profile = with_files(RESNET, files, Spent(1.0, 200, 10, "why"))
    assert profile.samples_per_epoch == 380


def test_a_split_folder(tmp_path: Path) -> None:
    """What is under train is trained on; the disk holds all of it."""
    for part, number in (("train", 3), ("val", 2)):
        for at in range(number):
            path = tmp_path / part / "cat" / f"{at}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 10)
    files = files_of(tmp_path, RESNET)
    assert (len(files.samples), files.folder_bytes) == (3, 50)
    assert "not under train" in files.left_out


def test_sounds_are_files_too(tmp_path: Path) -> None:
    """The commonest kind of file is the sample; how they are decoded nobody knows."""
    for at in range(3):
        (tmp_path / f"{at}.flac").write_bytes(b"x" * 10)
    (tmp_path / "text.txt").write_text("words")
    assert len(files_of(tmp_path, SPEECH).samples) == 3
    assert "per sample stay as in the profile" in str(recipe_of(SPEECH))


@pytest.mark.parametrize(
    ("workload", "name", "words"),
    [
        (BERT, "all.jsonl", "no sample of bert-base"),
        (RESNET, "all.tar", "no pictures \\(.tar 1\\)"),
        (RESNET, None, "no files"),
    ],
)
def test_files_that_are_no_samples(
    tmp_path: Path, workload: Any, name: str | None, words: str
) -> None:
    """A file of many texts, an archive, nothing: refused, not counted as samples."""
    if name:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=words):
        files_of(tmp_path, workload)


def test_other_trainings_than_classification() -> None:
    """What they do to a picture is not made up."""
    assert "SCRIPT.py:FUNCTION" in str(recipe_of(YOLO))


def test_a_prepared_picture(pictures: Path) -> None:
    """Three channels of the size, about as far from nought as ImageNet's are."""
    draw = random.Random(1)  # noqa: S311  (no secret)
    values = [prepare(pictures / "1.JPG", (64, 96), draw) for _ in range(9)]
    assert {one.shape for one in values} == {(3, 64, 96)}
    assert values[0].dtype == np.float32
    assert -2.2 < min(map(np.min, values)) < max(map(np.max, values)) < 2.7
    assert not np.array_equal(values[0], values[1])


class Data:
    """A data set some of whose samples fail."""

    def __init__(self, number: int, broken: int = 0) -> None:
        self.number, self.broken = number, broken

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, at: int) -> int:
        if at < self.broken:
            message = "no such picture"
            raise OSError(message)
        return at


def test_a_data_set_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    """Its length, the mean time of a sample, and how many fail."""
    number, spent = fetch(Data(50, 5), print, ticks(0.002))
    assert number == 50
    assert spent.milliseconds == pytest.approx(2.0)
    assert (spent.tried, spent.broken) == (50, 5)
    assert "no such picture" in spent.first
    assert not capsys.readouterr().out


def test_a_slow_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told how long it takes, and that is not long."""
    _, spent = fetch(Data(10**6), print, ticks(1.5))
    assert spent.tried < 25
    assert "takes about 20 s" in capsys.readouterr().out


def test_a_data_set_that_waits() -> None:
    """What is no time of the CPU is told apart."""

    class Slow(Data):
        def __getitem__(self, at: int) -> int:
            time.sleep(0.02)
            return at

    _, spent = fetch(Slow(3), print)
    assert spent.milliseconds < 15.0 < spent.waited_ms


class Endless:
    def __iter__(self) -> Iterator[int]:
        return iter(())


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (Endless(), "__len__ and __getitem__"),
        (Data(0), "empty"),
        (Data(3, 3), "all of 3 samples.*no such picture"),
        (Data(-1), "its length fails"),
    ],
)
def test_no_data_set(dataset: Any, words: str) -> None:
    """One line says what is expected."""
    with pytest.raises(UsageError, match=words):
        fetch(dataset, print)
