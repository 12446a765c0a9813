"""What a registry tells of an image, over HTTP as the registries speak it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.errors import RegistryError
from advisor.software.reference import Reference
from advisor.software.registry import ConfigCache, ImageConfig, read_config

NAME = Reference.parse("me/training:3")
INDEX = "application/vnd.oci.image.index.v1+json"
ENV = [
    "PATH=/opt/conda/bin:/usr/bin",
    "CUDA_VERSION=12.8.1",
    "PYTORCH_VERSION=2.9.1",
    "NVIDIA_VISIBLE_DEVICES=all",
    "NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=535,driver<536",
]


def now() -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC)


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Registry:
    """A registry with one image, which wants an anonymous token.

    Parameters
    ----------
    env : variables of the image
    archs : what it is built for; empty: a manifest without an index
    """

    def __init__(self, env: list[str] | None = None, archs: tuple[str, ...] = ()) -> None:
        labels = {"org.opencontainers.image.version": "22.04"}
        config = {
            "architecture": "amd64",
            "config": {"Env": env or ENV, "Labels": labels},
        }
        self.bodies: dict[str, bytes] = {}
        self.asked: list[httpx.Request] = []
        layers = [{"digest": f"sha256:{'1' * 64}", "size": 5_000_000_000}]
        manifest = {"config": {"digest": self.add(config)}, "layers": layers}
        place = self.add(manifest)
        if archs:
            unknown = {"os": "unknown", "architecture": "unknown"}
            platforms = [{"os": "linux", "architecture": name} for name in archs]
            place = self.add({
                "mediaType": INDEX,
                "manifests": [
                    {"digest": place, "platform": one} for one in [unknown, *platforms]
                ],
            })  # fmt: skip
        self.bodies["3"] = self.bodies[place]

    def add(self, document: dict[str, Any]) -> str:
        body = json.dumps(document).encode()
        self.bodies[digest(body)] = body
        return digest(body)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.host == "auth.example":
            assert "Authorization" not in request.headers
            assert request.url.params["scope"] == "repository:me/training:pull"
            return httpx.Response(200, json={"token": "anonymous"})
        if request.url.host == "cdn.example":
            assert "Authorization" not in request.headers
            return httpx.Response(200, content=self.bodies[request.url.path[1:]])
        assert request.url.host == "registry-1.docker.io"
        if request.headers.get("Authorization") != "Bearer anonymous":
            challenge = (
                'Bearer realm="https://auth.example/token",service="registry.docker.io",'
                'scope="repository:me/training:pull"'
            )
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        kind, name = request.url.path.split("/")[-2:]
        if kind == "blobs":
            return httpx.Response(
                307, headers={"Location": f"https://cdn.example/{name}"}
            )
        assert INDEX in request.headers["Accept"]
        return httpx.Response(200, content=self.bodies[name])

    def read(self, folder: Path, reference: Reference = NAME) -> ImageConfig:
        transport = httpx.MockTransport(self)
        return read_config(reference, ConfigCache(folder), now, transport)


@pytest.mark.parametrize("archs", [(), ("amd64",), ("arm64", "amd64", "s390x")])
def test_a_configuration_is_read(tmp_path: Path, archs: tuple[str, ...]) -> None:
    """Token, index, manifest, configuration behind a redirect: labels and variables."""
    registry = Registry(archs=archs)
    config = registry.read(tmp_path)
    assert config.digest == digest(registry.bodies["3"])
    assert set(config.cpu_archs) == (set(archs) & {"amd64", "arm64"} or {"amd64"})
    assert config.env["CUDA_VERSION"] == "12.8.1"
    assert config.labels == {"org.opencontainers.image.version": "22.04"}
    assert config.compressed_gb == 5.0
    assert config.read_at == "2026-11-20T00:00:00Z"


def test_what_was_read_is_kept_by_its_digest(tmp_path: Path) -> None:
    """While the tag stands for the same image its configuration is not read again."""
    registry = Registry()
    first = registry.read(tmp_path)
    registry.asked.clear()
    assert registry.read(tmp_path) == first
    assert not any("/blobs/" in request.url.path for request in registry.asked)
    moved = Registry([*ENV, "NEW=1"])
    assert moved.read(tmp_path).env["NEW"] == "1"
    assert ConfigCache(tmp_path).get(NAME) == moved.read(tmp_path)
    assert ConfigCache(tmp_path).get(Reference.parse("me/training:4")) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema_version": 1}'])
def test_a_torn_file_of_the_cache_is_none(tmp_path: Path, damage: bytes) -> None:
    """It is read anew and mended."""
    registry = Registry()
    config = registry.read(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert ConfigCache(tmp_path).get(NAME) is None
    assert registry.read(tmp_path) == config
    assert ConfigCache(tmp_path).get(NAME) == config


def test_a_named_digest_is_checked(tmp_path: Path) -> None:
    """Another image than the one that is named is no answer."""
    registry = Registry()
    named = digest(registry.bodies["3"])
    reference = Reference.parse(f"me/training@{named}")
    assert registry.read(tmp_path, reference).digest == named
    registry.bodies[named] = b'{"config": {}}'
    with pytest.raises(RegistryError, match="another image"):
        registry.read(tmp_path, reference)


def answering(*args: Any, **more: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(*args, **more)


def failing(_: httpx.Request) -> httpx.Response:
    message = "no route to host"
    raise httpx.ConnectError(message)


CHALLENGE = {"WWW-Authenticate": 'Basic realm="private"'}
PLAIN = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (failing, "cannot be asked .no route.*: try again"),
        (answering(404), "has no image"),
        (answering(403), "only to who may see it"),
        (answering(500), "HTTP 500"),
        (answering(401, headers=CHALLENGE), "a password, which is not sent"),
        (answering(401, headers=PLAIN), "a password, which is not sent"),
        (answering(200, content=b"<html>"), "web page or torn"),
        (answering(200, content=b"{}"), "is no image"),
        (answering(200, content=b"x" * 5_000_000), "does not end"),
        (answering(200, json={"manifests": []}), "for no Linux"),
        (answering(200, json={"config": {"digest": "../x"}, "layers": []}), "no image"),
    ],
)
def test_what_goes_wrong_is_told(
    tmp_path: Path, handler: Callable[[httpx.Request], httpx.Response], words: str
) -> None:
    """In one line; nothing is kept of it."""
    with pytest.raises(RegistryError, match=words) as caught:
        read_config(NAME, ConfigCache(tmp_path), now, httpx.MockTransport(handler))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
