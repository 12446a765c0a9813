"""What is known of an image from its name, its registry and its owner together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.base.errors import UsageError
from advisor.software.image import Declared, Image
from advisor.software.known import Wanted, images_of, with_config
from advisor.software.registry import ImageConfig
from advisor.software.rules import known_images
from advisor.workloads.load import load_workload

ENV = (
    "CUDA_VERSION=12.8.1",
    "PYTORCH_VERSION=2.9.1",
    "NVIDIA_VISIBLE_DEVICES=all",
    "NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=535,driver<536",
)
NVIDIA_LIST = ("NVIDIA_PYTORCH_VERSION=25.01", "TORCH_CUDA_ARCH_LIST=8.0 9.0+PTX")
BOTH = ("amd64", "arm64")


def config_of(*env: str, archs: tuple[str, ...] = ("amd64",)) -> ImageConfig:
    pairs = dict(one.split("=", 1) for one in env)
    return ImageConfig("sha256:0", archs, pairs, {}, 1.0, "2026-11-20T00:00:00Z")


def test_a_configuration_tells_what_a_name_does_not() -> None:
    """PyTorch and CUDA in it, the demand on the driver, the CPUs."""
    (named,) = known_images("me/training:3")
    image = with_config(named, config_of(*ENV))
    assert image.cuda == (12, 8)
    assert str(image.archs["amd64"]) == "7.0;7.5;8.0;8.6;9.0;10.0;12.0"
    assert str(image.requirement) == "cuda>=12.8 brand=tesla,driver>=535,driver<536"
    assert (image.vendor, image.cpu_archs) == ("nvidia", ("amd64",))


def test_nvidias_own_list_counts_and_no_other() -> None:
    """A list in any other image may be of one extension in it."""
    archs = "TORCH_CUDA_ARCH_LIST=8.0 9.0+PTX"
    theirs = with_config(Image("x"), config_of(archs, "NVIDIA_PYTORCH_VERSION=25.01"))
    assert str(theirs.archs[""]) == "8.0;9.0+PTX"
    other = with_config(Image("x"), config_of(archs, "CUDA_VERSION=12.4.1"))
    assert not other.archs
    assert other.cuda == (12, 4)


def test_a_demand_that_is_switched_off_is_none() -> None:
    """As the container runtime has it."""
    image = with_config(Image("x"), config_of(*ENV, "NVIDIA_DISABLE_REQUIRE=true"))
    assert image.requirement is None


def test_a_job_takes_what_a_registry_has_said() -> None:
    """Of an image that it names; and by default none of it matters."""
    workload = load_workload("resnet50")
    (image,) = images_of("me/training:3", workload, config_of=lambda _: config_of(*ENV))
    assert image.is_known
    assert len(images_of("", workload, config_of=lambda _: config_of(*ENV))) == 3


@pytest.mark.parametrize(
    ("name", "built_for", "cpus"),
    [
        ("pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime", BOTH, ("amd64",)),
        ("vastai/pytorch:2.1.2-cuda-12.1.1-py310", BOTH, ("amd64",)),
        ("nvidia/cuda:12.8.1-devel-ubuntu24.04", BOTH, BOTH),
        ("nvidia/cuda:12.8.1-devel-ubuntu24.04", ("amd64",), ("amd64",)),
        ("me/training:3", BOTH, BOTH),
        ("me/training:3", ("",), ()),
        ("pytorch/pytorch:2.12.1-cuda13.0-cudnn9-runtime", ("arm64",), ("arm64",)),
    ],
)
def test_a_registry_adds_no_cpu_that_a_rule_leaves_out(
    name: str, built_for: tuple[str, ...], cpus: tuple[str, ...]
) -> None:
    """An arm64 build without CUDA is one in the registry, and none for a GPU."""
    (named,) = known_images(name)
    assert with_config(named, config_of(archs=built_for)).cpu_archs == cpus


def test_what_an_image_of_nvidias_says_goes_before_the_table() -> None:
    """The table's rows are of a whole year, some of them from memory."""
    (named,) = known_images("nvcr.io/nvidia/pytorch:25.01-py3")
    image = with_config(named, config_of(*NVIDIA_LIST, "CUDA_VERSION=12.7.1.003"))
    assert (image.cuda, image.code_cuda) == ((12, 7), (12, 7))
    assert {str(archs) for archs in image.archs.values()} == {"8.0;9.0+PTX"}
    assert "registry" in image.source


def test_compatibility_libraries_are_seen() -> None:
    """By the variables of nvidia/cuda, of which an image is made."""
    plain = with_config(Image("x"), config_of("CUDA_VERSION=12.8.1"))
    made = with_config(Image("x"), config_of("NV_CUDA_CUDART_VERSION=12.8.90-1"))
    assert (plain.forward_compat, made.forward_compat) == (False, True)


def test_what_is_declared_goes_before_the_registry() -> None:
    """Its owner knows best."""
    said = Wanted("docker.io/me/training:3", Declared("12.9", "12.0"))
    (image,) = images_of("me/training:3", None, said, lambda _: config_of(*ENV))
    assert image.cuda == (12, 9)
    assert str(image.archs[""]) == "12.0"
    assert str(image.requirement).startswith("cuda>=12.8")


def test_what_is_declared_counts_for_its_image_alone() -> None:
    """Another one that is asked for is judged by its own name."""
    said = Wanted("me/training:3", Declared("12.9", "12.0"))
    for name in ("me/training:4", "other/training:3"):
        (image,) = images_of(name, None, said)
        assert not image.is_known
    profile = replace(
        load_workload("resnet50"), image="me/mine:1", image_archs="8.0", image_cuda=""
    )
    (own,) = images_of("", profile, said)
    assert (own.name, str(own.archs[""])) == ("me/mine:1", "8.0")
    (asked,) = images_of("me/training:3", profile, said)
    assert str(asked.archs[""]) == "12.0"
    unreadable = Wanted("Not An Image", Declared("12.9"))
    assert not images_of("me/training:3", None, unreadable)[0].is_known


@pytest.mark.parametrize("asked", ["", "me/training:3"])
@pytest.mark.parametrize("declared", [Declared("12.9"), Declared(archs="8.0")])
def test_what_is_declared_of_no_image_is_refused(asked: str, declared: Declared) -> None:
    """It would count for none, or for one that nobody meant."""
    with pytest.raises(UsageError, match="name it beside them with image"):
        images_of(asked, None, Wanted("", declared))
    profile = replace(
        load_workload("resnet50"), image_cuda=declared.cuda, image_archs=declared.archs
    )
    with pytest.raises(UsageError, match="name it beside them with image"):
        images_of(asked, profile)
