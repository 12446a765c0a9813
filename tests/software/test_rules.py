"""What the names of images tell, and what is told of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import UsageError
from advisor.software.image import Declared
from advisor.software.reference import Reference
from advisor.software.rules import AUTOMATIC_TAG, known_images


@pytest.mark.parametrize(
    ("name", "cuda", "archs", "cpus", "demand"),
    [
        (
            "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime",
            (12, 4),
            "5.0;6.0;7.0;7.5;8.0;8.6;9.0",
            ("amd64",),
            "",
        ),
        (
            "docker.io/pytorch/pytorch:2.11.0-cuda12.8-cudnn9-devel",
            (12, 8),
            "7.5;8.0;8.6;9.0;10.0;12.0",
            ("amd64",),
            "cuda>=12.8",
        ),
        (
            "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04",
            (12, 4),
            "5.0;5.2;6.0;6.1;7.0;7.5;8.0;8.6;8.9;9.0",
            ("amd64", "arm64"),
            "cuda>=12.4",
        ),
        (
            "nvcr.io/nvidia/pytorch:24.10-py3",
            (12, 6),
            "5.2;6.0;6.1;7.0;7.2;7.5;8.0;8.6;8.7;9.0+PTX",
            ("amd64", "arm64"),
            "",
        ),
        (
            "nvcr.io/nvidia/pytorch:25.09-py3",
            (13, 0),
            "7.5;8.0;8.6;9.0;10.0;12.0+PTX",
            ("amd64", "arm64"),
            "",
        ),
        (
            "vastai/pytorch:2.9.1-cu128-cuda-12.9-mini-py311-2026-08-21",
            (12, 9),
            "7.0;7.5;8.0;8.6;9.0;10.0;12.0",
            ("amd64", "arm64"),
            "",
        ),
        (
            "vastai/pytorch:2.9.1-cuda-12.1.1-mvc-cu126-py312-22.04",
            (12, 1),
            "5.0;6.0;7.0;7.5;8.0;8.6;9.0",
            ("amd64", "arm64"),
            "",
        ),
        (
            "vastai/base-image:cuda-12.8.1-cudnn-devel-ubuntu22.04-py310",
            (12, 8),
            "5.0;5.2;6.0;6.1;7.0;7.5;8.0;8.6;8.9;9.0;10.0;12.0",
            ("amd64", "arm64"),
            "",
        ),
    ],
)
def test_a_well_known_image(
    name: str,
    cuda: tuple[int, int],
    archs: str,
    cpus: tuple[str, ...],
    demand: str,
) -> None:
    """CUDA, GPU code, CPUs and the demand on the driver follow from the tag."""
    (image,) = known_images(name)
    assert image.name == name
    assert (image.cuda, image.cpu_archs, image.vendor) == (cuda, cpus, "nvidia")
    assert str(next(iter(image.archs.values()))) == archs
    assert str(image.requirement or "") == demand


@pytest.mark.parametrize(
    "name",
    ["me/training:3", "pytorch/pytorch", "pytorch/pytorch:latest", "vastai/comfy:v1",
     "nvcr.io/nvidia/pytorch:25.06-py3-igpu", "quay.io/nvidia/cuda:12.4.1-base"],
)  # fmt: skip
def test_of_other_images_no_gpu_code_is_guessed(name: str) -> None:
    """What the tag does not tell stays unknown."""
    (image,) = known_images(name)
    assert not image.archs
    assert not image.is_known


def test_a_release_that_no_table_has_keeps_its_cuda() -> None:
    """So that an old driver still shows."""
    (image,) = known_images("pytorch/pytorch:2.99.0-cuda13.0-cudnn9-runtime")
    assert image.cuda == (13, 0)
    assert not image.archs


def test_rocm_is_for_another_maker() -> None:
    """Its images serve AMD's cards."""
    for name in ("rocm/pytorch:latest", "vastai/pytorch:2.6.0-rocm-6.2.4-py312"):
        (image,) = known_images(name)
        assert image.vendor == "amd"


def test_the_markets_own_tag_is_one_of_several() -> None:
    """The newest that the driver runs: each driver meets the demand of one."""
    images = known_images(f"vastai/pytorch:{AUTOMATIC_TAG}")
    for cuda in (11.8, 12.2, 12.6, 12.8, 13.2):
        taken = [
            image
            for image in images
            if image.requirement is not None
            and image.requirement.met_by(cuda=cuda, driver=600.0, consumer=True)
        ]
        assert len(taken) == 1
        assert taken[0].cuda is not None
        assert taken[0].cuda[0] + taken[0].cuda[1] / 10.0 <= cuda


def test_what_is_declared_counts() -> None:
    """Of an image that no rule knows, and against a rule."""
    (image,) = known_images("me/training:3", Declared("12.8", "8.6;12.0"))
    assert image.is_known
    assert image.cuda == (12, 8)
    assert str(image.archs[""]) == "8.6;12.0"
    with pytest.raises(UsageError, match="image_cuda"):
        known_images("me/training:3", Declared("twelve"))
    with pytest.raises(UsageError, match="image_archs"):
        known_images("me/training:3", Declared("12.8", "Blackwell"))


@pytest.mark.parametrize(
    "name",
    ["", " ", "-x", "Foo/Bar", "a b", "x:", "x@sha256:abc", "/x", "x//y", "a" * 300,
     "pytorch/pytorch:2.5 --gpus all", "x:y:z", "$(id)", "x\ny"],
)  # fmt: skip
def test_what_can_be_no_image(name: str) -> None:
    """Such a text never reaches the market."""
    with pytest.raises(UsageError, match="can be no Docker image"):
        known_images(name)


@given(st.text(max_size=60))
def test_any_text_is_an_image_or_refused(name: str) -> None:
    """In one line, and never a traceback."""
    told = ""
    try:
        known_images(name)
    except UsageError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1


def test_names_are_taken_apart_as_the_registries_do() -> None:
    """Docker Hub is meant where no host is named."""
    parsed = Reference.parse("localhost:5000/team/app@sha256:" + "0" * 64)
    assert (parsed.registry, parsed.repository) == ("localhost:5000", "team/app")
    assert parsed.tag == ""
    assert Reference.parse("ubuntu").repository == "library/ubuntu"
    for name in (
        "ghcr.io/a/b:1",
        "localhost:5000/a/b__c.d-e/f:T_1",
        "registry.example.com:443/x:latest",
        f"a/b:latest@sha256:{'0123456789abcdef' * 4}",
    ):
        assert Reference.parse(name).short == name


def test_a_name_in_capitals_is_guessed() -> None:
    """Names of images have none."""
    with pytest.raises(UsageError, match="did you mean pytorch/pytorch"):
        Reference.parse("PyTorch/pytorch")
