"""What a registry tells of an image, over HTTP as the registries speak it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import RegistryError, UsageError
from advisor.software.known import with_config
from advisor.software.reference import Reference
from advisor.software.registry import ConfigCache, ImageConfig, read_config
from advisor.software.rules import known_images

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
    architecture : what its configuration says of that
    """

    def __init__(
        self,
        env: list[str] | None = None,
        archs: tuple[str, ...] = (),
        architecture: object = "amd64",
    ) -> None:
        labels = {"org.opencontainers.image.version": "22.04"}
        config = {
            "architecture": architecture,
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
        return read_config(reference, ConfigCache(folder, now), transport)


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
    assert ConfigCache(tmp_path, now).get(NAME) == moved.read(tmp_path)
    assert ConfigCache(tmp_path, now).get(Reference.parse("me/training:4")) is None


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b'{"schema_version": 1}', b"[" * 100_000),
        b'{"schema_version": 1, "config": {"digest": "x", "compressed_gb": NaN}}',
    ],
)
def test_a_torn_file_of_the_cache_is_none(tmp_path: Path, damage: bytes) -> None:
    """It is read anew and mended."""
    registry = Registry()
    config = registry.read(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert ConfigCache(tmp_path, now).get(NAME) is None
    assert registry.read(tmp_path) == config
    assert ConfigCache(tmp_path, now).get(NAME) == config


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


def torn_by(body: bytes) -> Callable[[httpx.Request], httpx.Response]:
    """Return what answers with a token, if it is asked for one, and with this body."""

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(200, content=BODIES.get(name, body))

    return answer


def image_of(size: Any) -> bytes:
    """Return a manifest with one layer of a size, whose configuration is empty."""
    layers = [{"size": size}]
    return json.dumps({"config": {"digest": EMPTY}, "layers": layers}).encode()


EMPTY = digest(b"{}")
BODIES = {EMPTY: b"{}"}


def moved_to(place: str) -> Callable[[httpx.Request], httpx.Response]:
    return answering(307, headers={"Location": place})


def wanting(realm: str) -> Callable[[httpx.Request], httpx.Response]:
    return answering(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})


def failing(_: httpx.Request) -> httpx.Response:
    message = "no route to host"
    raise httpx.ConnectError(message)


NO_SIZES = (math.inf, math.nan, 10**400, 2**63, -1, True, "1", 1.5, None)
CHALLENGE = {"WWW-Authenticate": 'Basic realm="private"'}
PLAIN = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (failing, "cannot be asked .no route.*: check its name, or try again"),
        (answering(404), "has no image"),
        (answering(403), "only after a login"),
        (answering(500), "HTTP 500"),
        (answering(401, headers=CHALLENGE), "a password, which advisor does not send"),
        (answering(401, headers=PLAIN), "a password, which advisor does not send"),
        (answering(200, content=b"<html>"), "web page or torn"),
        (answering(200, content=b"{}"), "that is no image"),
        (answering(200, content=b"x" * 5_000_000), "is too long"),
        (answering(200, json={"manifests": []}), "for no Linux"),
        (answering(200, json={"config": {"digest": "../x"}, "layers": []}), "no image"),
        (answering(200, json={"config": {"digest": 7}, "layers": []}), "no image"),
        *((torn_by(image_of(size)), "no image") for size in NO_SIZES),
        (moved_to("https://xn--a.example/"), "cannot be asked"),
        (moved_to(f"https://{'a' * 70}.example:99999/"), "cannot be asked"),
        (moved_to("https://\x1b[31mred.example/"), "cannot be asked"),
        (wanting("https://[::1"), "cannot be asked"),
        (wanting("https://xn--a.example/token"), "cannot be asked"),
    ],
)
def test_what_goes_wrong_is_one_line(
    tmp_path: Path, handler: Callable[[httpx.Request], httpx.Response], words: str
) -> None:
    """In one line; nothing is kept of it."""
    with pytest.raises(RegistryError, match=words) as caught:
        read_config(NAME, ConfigCache(tmp_path, now), httpx.MockTransport(handler))
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def config_of(*env: str, archs: tuple[str, ...] = ("amd64",)) -> ImageConfig:
    pairs = dict(one.split("=", 1) for one in env)
    return ImageConfig("sha256:0", archs, pairs, {}, 1.0, "2026-11-20T00:00:00Z")


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, EMPTY, "amd64", "x86_64", "linux", "CUDA_VERSION=12.4"]),
    st.text(st.characters(codec=None), max_size=8),
)
KEYS = st.sampled_from([
    *("config", "layers", "size", "digest", "manifests", "platform", "os"),
    *("architecture", "Env", "Labels"),
])  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


class Memory(ConfigCache):
    """A cache that keeps nothing."""

    def get(self, _: Reference) -> None:
        return None

    def put(self, _: Reference, __: ImageConfig) -> None:
        return None


NOTHING_KEPT = Memory(Path("nowhere"), now)


@given(DOCUMENTS, DOCUMENTS, st.sampled_from(["any", "image", "index"]))
def test_any_document_is_an_image_or_an_error(
    manifest: Any, config: Any, frame: str
) -> None:
    """Whatever JSON a registry sends: a configuration that can be kept, or one line."""
    body = json.dumps(config).encode()
    image = {"config": {"digest": digest(body)}, "layers": [{"size": 1}]}
    if frame == "image":
        manifest = image if not isinstance(manifest, dict) else image | manifest
    child = json.dumps(image).encode()
    if frame == "index":
        platform = {"os": "linux", "architecture": "x86_64"}
        here = {"digest": digest(child), "platform": platform}
        manifest = {"manifests": [manifest, here]}
    bodies = {digest(body): body, digest(child): child}

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(200, content=bodies.get(name, json.dumps(manifest)))

    try:
        found = read_config(NAME, NOTHING_KEPT, httpx.MockTransport(answer))
    except RegistryError:
        return
    assert set(found.cpu_archs) <= {"amd64", "arm64"}
    kept = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert ImageConfig.from_document(kept) == found
    for text in (*found.env, *found.env.values(), *found.labels, *found.labels.values()):
        text.encode()  # fails where it is no Unicode


@given(DOCUMENTS)
def test_any_document_in_the_cache_is_read_or_none(document: Any) -> None:
    """A foreign file is as good as none; one that is read is whole."""
    right = asdict(config_of(*ENV[1:])) | {"digest": EMPTY}
    for name in right:
        torn = right | {name: document}
        try:
            found = ImageConfig.from_document(torn)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            continue
        assert math.isfinite(found.compressed_gb)
        assert set(found.cpu_archs) <= {"amd64", "arm64"}
        found.is_current(NAME, now())


@pytest.mark.parametrize(
    ("named", "archs"),
    [
        ("amd64", ("amd64",)),
        ("x86_64", ("amd64",)),
        ("AMD64", ("amd64",)),
        ("aarch64", ("arm64",)),
        ("s390x", ()),
        ("", ()),
        (None, ()),
        (64, ()),
    ],
)
def test_an_architecture_is_one_for_rent_or_unknown(
    tmp_path: Path, named: object, archs: tuple[str, ...]
) -> None:
    """Linux's words are the market's; what says nothing of use says nothing."""
    registry = Registry(architecture=named)
    config = registry.read(tmp_path)
    assert config.cpu_archs == archs
    (image,) = known_images("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime")
    assert with_config(image, config).cpu_archs == (archs or ("amd64",))


def test_an_index_in_the_words_of_linux(tmp_path: Path) -> None:
    """x86_64 and aarch64 in it are what machines for rent have."""
    registry = Registry(archs=("aarch64", "x86_64", "riscv64"))
    assert registry.read(tmp_path).cpu_archs == ("amd64", "arm64")


def at(days: float) -> Callable[[], datetime]:
    return lambda: now() + timedelta(days=days)


def test_a_tag_is_believed_for_a_week(tmp_path: Path) -> None:
    """Tags move: later it is unknown what it stands for, until it is asked for again."""
    registry = Registry()
    registry.read(tmp_path)
    for days, believed in ((0, True), (6.9, True), (7.1, False), (-0.1, False)):
        cache = ConfigCache(tmp_path, at(days))
        assert (cache.current(NAME) is not None) == believed
        assert cache.get(NAME) is not None
    registry.asked.clear()
    cache = ConfigCache(tmp_path, at(30))
    again = read_config(NAME, cache, httpx.MockTransport(registry))
    assert again.read_at == "2026-12-20T00:00:00Z"
    assert cache.current(NAME) == again
    assert not any("/blobs/" in request.url.path for request in registry.asked)


def test_a_digest_is_believed_forever(tmp_path: Path) -> None:
    """It stands for one image; another image under its name is none."""
    registry = Registry()
    named = Reference.parse(f"me/training@{digest(registry.bodies['3'])}")
    config = registry.read(tmp_path, named)
    cache = ConfigCache(tmp_path, at(3000))
    assert cache.current(named) == config
    cache.put(named, replace(config, digest=EMPTY))
    assert cache.current(named) is None


@pytest.mark.parametrize(
    "host",
    ["a" * 64 + ".com", "-a.com", "a-.com", "a.com:0", "a.com:65536", "a..com", "ä.com"],
)
def test_what_can_be_no_host_is_no_image(host: str) -> None:
    """It is refused by its name, before any network is asked."""
    with pytest.raises(UsageError, match="can be no Docker image"):
        Reference.parse(f"{host}/me/x:1")
    assert Reference.parse("a-b.example:5000/me/x:1").registry == "a-b.example:5000"


def test_a_host_that_idna_does_not_know(tmp_path: Path) -> None:
    """What no name service can be asked for is told in a line."""
    reference = Reference.parse("xn--a.example/me/x:1")
    transport = httpx.MockTransport(answering(500))
    with pytest.raises(RegistryError, match="cannot be asked"):
        read_config(reference, ConfigCache(tmp_path, now), transport)
