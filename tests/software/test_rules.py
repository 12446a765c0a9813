"""What the names of images tell, and what is told of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.software.image import Declared
from advisor.software.reference import Reference
from advisor.software.rules import AUTOMATIC_TAG, known_images

CUDA_BASE, CUDA = "nvidia/cuda:12.8.1-base-ubuntu24.04", (12, 8)
OTHERS = "brand=tesla,driver>="  # than GeForce and Titan


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
            (
                f"cuda>=12.8 {OTHERS}470,driver<471 {OTHERS}535,driver<536 "
                f"{OTHERS}550,driver<551 {OTHERS}560,driver<561 {OTHERS}565,driver<566"
            ),
        ),
        (
            "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04",
            (12, 4),
            "5.0;5.2;6.0;6.1;7.0;7.5;8.0;8.6;8.9;9.0",
            ("amd64", "arm64"),
            (
                "cuda>=12.4 driver>=470,driver<471 driver>=525,driver<526 "
                "driver>=535,driver<536"
            ),
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
     CUDA_BASE, "nvcr.io/nvidia/cuda:13.0.1-base-ubi9",
     "nvcr.io/nvidia/pytorch:25.06-py3-igpu", "quay.io/nvidia/cuda:12.4.1-base"],
)  # fmt: skip
def test_of_other_images_no_gpu_code_is_guessed(name: str) -> None:
    """What the tag does not tell stays unknown."""
    (image,) = known_images(name)
    assert not image.archs
    assert not image.is_known


def test_a_base_image_has_no_gpu_code_of_its_own() -> None:
    """Whatever is put on it brings its own: only the driver and the CPU are told."""
    (image,) = known_images(CUDA_BASE)
    assert (image.cuda, image.code_cuda) == (CUDA, None)
    assert image.requirement is not None
    assert image.forward_compat


def test_a_demand_that_no_table_has_is_no_sure_one() -> None:
    """Images let in older drivers than those of their CUDA; of this one nobody knows."""
    (image,) = known_images("nvidia/cuda:13.9.0-devel-ubuntu24.04")
    assert str(image.requirement) == "cuda>=13.9"
    assert not image.requirement_known
    (listed,) = known_images(CUDA_BASE)
    assert listed.requirement_known


@pytest.mark.parametrize(
    ("tag", "archs"),
    [
        ("1.13.1-cuda11.6-cudnn8-runtime", "3.7+PTX;5.0;6.0;6.1;7.0;7.5;8.0;8.6"),
        ("1.12.1-cuda11.3-cudnn8-devel", "3.7+PTX;5.0;6.0;6.1;7.0;7.5;8.0;8.6"),
        ("1.10.0-cuda11.3-cudnn8-runtime", "3.7+PTX;5.0;6.0;6.1;7.0;7.5;8.0;8.6"),
        ("1.9.0-cuda10.2-cudnn7-runtime", "3.7+PTX;5.0;6.0;6.1;7.0;7.5"),
    ],
)
def test_images_of_pytorch_1_are_known(tag: str, archs: str) -> None:
    """Built with conda: compiled up to 8.6, and PTX of the oldest."""
    (image,) = known_images(f"pytorch/pytorch:{tag}")
    assert str(image.archs["amd64"]) == archs


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
