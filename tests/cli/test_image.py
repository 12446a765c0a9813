"""`advisor image`: what is known of a Docker image, and where it is from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

Advisor = Callable[..., Any]
KNOWN = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
ENV = [
    "PATH=/usr/bin",
    "CUDA_VERSION=12.8.1",
    "PYTORCH_VERSION=2.9.1",
    "NVIDIA_REQUIRE_CUDA=cuda>=12.8",
]


STRANGE = "\x1b[31mred\x1b[0m\nGPUs of  none\u202e \ud800"


def of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def registry(
    request: httpx.Request,
    env: list[str] = ENV,
    labels: dict[str, str] = {"maintainer": "me"},  # noqa: B006  (never changed)
) -> httpx.Response:
    """Answer as Docker Hub does for an image that needs no token."""
    inner = {"Env": env, "Labels": labels}
    config = json.dumps({"architecture": "amd64", "config": inner}).encode()
    layers = [{"digest": of(b""), "size": 3_000_000_000}]
    manifest = json.dumps({"config": {"digest": of(config)}, "layers": layers}).encode()
    bodies = {"3": manifest, of(config): config}
    assert request.url.host == "registry-1.docker.io"
    body = bodies.get(request.url.path.rsplit("/", 1)[-1])
    return httpx.Response(404) if body is None else httpx.Response(200, content=body)


@pytest.fixture
def online(advisor: Advisor) -> Advisor:
    """Return a command line with a network that has one registry."""

    def run(*words: str) -> Any:
        return advisor(*words, transport=httpx.MockTransport(registry))

    return run


def no_network(request: httpx.Request) -> httpx.Response:
    message = "no route"
    raise httpx.ConnectError(message, request=request)


def test_the_name_alone_tells_what_it_holds(advisor: Advisor) -> None:
    """Without a network: CUDA, GPU code, CPU, driver and source of a known image."""
    (image,) = advisor("image", KNOWN, "--offline", "--json").document["images"]
    assert image["cuda"] == "12.4"
    assert image["gpu_archs"] == {"amd64": "5.0;6.0;7.0;7.5;8.0;8.6;9.0"}
    assert (image["gpu_vendor"], image["cpu_archs"]) == ("nvidia", ["amd64"])
    assert image["least_driver"] == "525.60.13"
    assert image["source"]
    text = advisor("image", KNOWN, "--offline").stdout
    for words in ("PyTorch 2.5", "12.4", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", "525.60.13"):
        assert words in text


def test_without_an_image_the_default_ones_are_shown(advisor: Advisor) -> None:
    """They together have code for Pascal to Blackwell, the newest first."""
    images = advisor("image", "--json").document["images"]
    served = {arch for one in images for arch in one["gpu_archs"]["amd64"].split(";")}
    assert {"6.0", "7.0", "7.5", "8.6", "9.0", "10.0", "12.0"} <= served
    cudas = [tuple(map(int, one["cuda"].split("."))) for one in images]
    assert cudas[0] == max(cudas)


def test_a_registry_is_read_and_remembered(online: Advisor, advisor: Advisor) -> None:
    """Labels and variables are shown; later ranks know what the image needs."""
    document = online("image", "me/training:3", "--json").document
    (image,) = document["images"]
    assert (image["cuda"], image["demands"]) == ("12.8", "cuda>=12.8")
    assert "12.0" in image["gpu_archs"]["amd64"]
    told = document["registry"]
    assert told["env"]["CUDA_VERSION"] == "12.8.1"
    assert told["labels"] == {"maintainer": "me"}
    assert told["compressed_gb"] == 3.0
    text = online("image", "me/training:3").stdout
    assert "PYTORCH_VERSION" in text
    assert "PATH" not in text
    line = ("rank", "--market", "sample", "--workload", "resnet50", "--json")
    ranked = advisor(*line, "--image", "me/training:3").document
    assert ranked["excluded"]["driver_too_old"] > 0
    assert all("image_unknown" not in one["flags"] for one in ranked["offers"])


def test_without_a_network_what_is_known_is_told(advisor: Advisor) -> None:
    """A known name is answered with a remark, an unknown one is an error that says so."""
    transport = httpx.MockTransport(no_network)
    done = advisor("image", KNOWN, transport=transport)
    assert done.exit_code == 0
    assert "cannot be asked (no route)" in done.stderr
    failed = advisor("image", "me/training:3", transport=transport)
    assert failed.exit_code == 1
    assert failed.stdout == ""
    assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["UPPER/case", "a b", "me/x:", "https://me/x"])
def test_what_is_no_image(advisor: Advisor, name: str) -> None:
    """It is refused before anything is asked."""
    done = advisor("image", name)
    assert done.exit_code == 2
    assert "can be no Docker image" in done.stderr


def test_a_name_of_the_market(advisor: Advisor) -> None:
    """Which image it is depends on the driver; no registry is asked for it."""
    done = advisor("image", "vastai/pytorch:@vastai-automatic-tag", "--json")
    assert done.exit_code == 0
    demands = [one["demands"] for one in done.document["images"]]
    assert demands[0] == "cuda>=13.0"
    assert len(set(demands)) == len(demands) > 3


@pytest.mark.parametrize("tag", ["vastai/comfy", "me/training"])
def test_the_automatic_tag_of_any_image_is_the_markets(
    advisor: Advisor, tag: str
) -> None:
    """No registry is asked for it, and ranking does not say that one should be."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    name = f"{tag}:@vastai-automatic-tag"
    done = advisor("image", name, "--json", transport=httpx.MockTransport(never))
    assert done.exit_code == 0
    assert done.document["registry"] is None
    assert "Vast.ai puts one for it" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    line = ("rank", "--market", "sample", "--workload", "resnet50", "--image", name)
    said = advisor(*line).stderr
    assert "which cards run" in said
    assert "in the profile or in advisor.toml" in said
    assert "asks its registry" not in said
    assert "asks its registry" in advisor(*line[:-1], "me/training:9").stderr


def test_what_a_strange_image_says_stays_on_its_line(advisor: Advisor) -> None:
    """No escape code, forged line or half of a character reaches a terminal or JSON."""
    env = [
        f"CUDA_VERSION={STRANGE}",
        f"NVIDIA_REQUIRE_CUDA={STRANGE}",
        f"HIP_{STRANGE}=1",
    ]
    labels = {STRANGE: STRANGE, "": STRANGE}

    def answer(request: httpx.Request) -> httpx.Response:
        return registry(request, env, labels)

    transport = httpx.MockTransport(answer)
    plain = advisor("image", "me/training:3", transport=transport)
    assert plain.exit_code == 0
    lines = plain.stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("GPUs of") for line in lines) == 1
    assert "[31mred[0m GPUs of none \ufffd" in plain.stdout
    done = advisor("image", "me/training:3", "--json", transport=transport)
    assert done.stdout.isascii()
    told = json.loads(done.stdout)["registry"]["labels"]
    assert told[STRANGE.replace("\ud800", "\ufffd")].startswith("\x1b[31mred")
    json.dumps(told, ensure_ascii=False).encode()  # fails where it is no Unicode


def test_what_was_told_long_ago_counts_no_more(online: Advisor, advisor: Advisor) -> None:
    """After a week the image is unknown to rankings, and 'image' says since when."""
    told = online("image", "me/training:3", "--json").document["registry"]["read_at"]
    line = ("rank", "--market", "sample", "--workload", "resnet50")
    words = ("image", "me/training:3", "--offline")
    assert "which cards run" not in advisor(*line, "--image", "me/training:3").stderr
    assert advisor(*words).stderr == ""

    def later() -> datetime:
        return datetime.fromisoformat(told) + timedelta(days=8)

    late = advisor(*line, "--image", "me/training:3", now=later)
    assert "which cards run me/training:3 is unknown" in late.stderr
    done = advisor(*words, now=later)
    assert f"the registry's answer about me/training:3 of {told[:10]}" in done.stderr
    assert f"read {told}" in done.stdout
