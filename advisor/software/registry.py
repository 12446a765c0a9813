"""What a registry says of an image: its configuration, read over HTTP and cached.

A manifest names the configuration by its digest, so that what was read once need not be
read again while the tag stands for the same image. Anonymous: no password of the user's
is sent. Protocol: OCI Distribution Specification 1.1; tokens: CNCF Distribution, "Token
Authentication Specification".
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from advisor.base.errors import RegistryError
from advisor.base.files import write_atomically
from advisor.base.units import BYTES_PER_GB, BYTES_PER_MIB
from advisor.market.values import CPU_ARCHS, read_cpu_arch, read_text
from advisor.software.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    import httpx

_HUB_HOST = "registry-1.docker.io"
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_MOST_BYTES = 4 * BYTES_PER_MIB
_TIMEOUT_S = 10.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NO_IMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a document raises that is none of an image."""

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SCHEMA_VERSION = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NOT_UNICODE = re.compile("[\ud800-\udfff]")  # halves of a pair, which JSON lets pass

TAG_AGE = timedelta(days=7)
"""How long what a tag stands for is believed: tags move, often with each release. A
digest stands for one image forever."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a registry says of an image.

    Attributes
    ----------
    digest : of what the name stood for, an index or a manifest
    cpu_archs : CPU architectures that it is built for, of those for rent; empty where
        that is unknown
    env : environment variables of its containers
    labels : its labels
    compressed_gb : 10^9 bytes that are pulled
    read_at : when it was read (UTC), ISO 8601
    """

    digest: str
    cpu_archs: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    compressed_gb: float
    read_at: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `asdict` gave.

        Raises
        ------
        KeyError, TypeError, ValueError, OverflowError
            if it is anything else
        """
        digest, read_at = document["digest"], document["read_at"]
        if not _DIGEST.fullmatch(digest):
            message = f"{digest!r} is no digest"
            raise ValueError(message)
        datetime.strptime(read_at, _TIME)  # noqa: DTZ007  (whether it is a time)
        compressed_gb = float(document["compressed_gb"])
        if not 0.0 <= compressed_gb < math.inf:
            message = f"{compressed_gb} GB is no size"
            raise ValueError(message)
        return cls(
            digest=digest,
            cpu_archs=_archs_for_rent(document["cpu_archs"]),
            env=_texts(document["env"]),
            labels=_texts(document["labels"]),
            compressed_gb=compressed_gb,
            read_at=read_at,
        )

    def is_current(self, reference: Reference, now: datetime) -> bool:
        """Say whether a name can be taken to stand for this image still."""
        if reference.digest:
            return self.digest == reference.digest
        read_at = datetime.strptime(self.read_at, _TIME).replace(tzinfo=now.tzinfo)
        return timedelta(0) <= now - read_at <= TAG_AGE


@dataclass(frozen=True, slots=True)
class ConfigCache:
    """Configurations that were read, a file for each name.

    A file that cannot be read or written is as good as none.

    Attributes
    ----------
    folder : where they lie
    now : returns the time (UTC)
    """

    folder: Path
    now: Callable[[], datetime]

    def current(self, reference: Reference) -> ImageConfig | None:
        """Return what was read under a name, unless that is too long ago."""
        config = self.get(reference)
        if config is None or not config.is_current(reference, self.now()):
            return None
        return config

    def get(self, reference: Reference) -> ImageConfig | None:
        """Return what was last read under a name, however long ago."""
        try:
            document = json.loads(self._path(reference).read_bytes())
            if document["schema_version"] != _SCHEMA_VERSION:
                return None
            return ImageConfig.from_document(document["config"])
        except (*_NO_IMAGE, OSError, RecursionError):
            return None

    def put(self, reference: Reference, config: ImageConfig) -> None:
        """Keep what was read under a name."""
        document = {"schema_version": _SCHEMA_VERSION, "config": asdict(config)}
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path(reference), json.dumps(document).encode())
        except OSError:
            return

    def _path(self, reference: Reference) -> Path:
        name = hashlib.sha256(f"{reference.registry}/{reference.short}".encode())
        return self.folder / f"{name.hexdigest()[:32]}.json"


def read_config(
    reference: Reference,
    cache: ConfigCache,
    transport: httpx.BaseTransport | None = None,
) -> ImageConfig:
    """Return the configuration of an image, of the cache if it is the same image still.

    Parameters
    ----------
    transport : carries the requests; None for the network

    Raises
    ------
    RegistryError
        if the registry cannot be asked, has no such image, or makes no sense
    """
    import httpx  # noqa: PLC0415  (only where a registry is asked)

    host = _HUB_HOST if reference.registry == DOCKER_HUB else reference.registry
    try:
        with httpx.Client(
            base_url=f"https://{host}/v2/{reference.repository}/",
            timeout=_TIMEOUT_S,
            transport=transport,
            # To another host httpx takes no authorization along.
            follow_redirects=True,
            headers={"User-Agent": "advisor"},
        ) as client:
            config = _read(client, reference, cache)
    # ValueError: a host that its own name, or a redirect, has no right spelling of.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = read_text(str(error))[:120] or type(error).__name__
        message = (
            f"the registry {host} cannot be asked ({reason}): check its name, or try "
            "again later"
        )
        raise RegistryError(message) from error
    cache.put(reference, config)
    return config


def _read(
    client: httpx.Client,
    reference: Reference,
    cache: ConfigCache,
) -> ImageConfig:
    name = reference.digest or reference.tag
    body = _get(client, f"manifests/{name}", reference)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if reference.digest and digest != reference.digest:
        message = f"the registry sent another image than {reference.short}"
        raise RegistryError(message)
    read_at = cache.now().strftime(_TIME)
    cached = cache.get(reference)
    if cached is not None and cached.digest == digest:
        return replace(cached, read_at=read_at)
    manifest = _json(body)
    archs: tuple[str, ...] = ()
    if isinstance(manifest.get("manifests"), list):
        platforms = _platforms(manifest["manifests"])
        if not platforms:
            message = f"{reference.short} is built for no Linux that is rented"
            raise RegistryError(message)
        archs = tuple(platforms)
        manifest = _json(
            _verified(client, "manifests", next(iter(platforms.values())), reference)
        )
    try:
        place = manifest["config"]["digest"]
        size = sum(_size(layer["size"]) for layer in manifest["layers"])
        config = _json(_verified(client, "blobs", place, reference))
        inner = config.get("config") or {}
        pairs = (one.partition("=") for one in inner.get("Env") or ())
        return ImageConfig(
            digest=digest,
            cpu_archs=archs or _archs_for_rent([config.get("architecture")]),
            env=_texts({key: value for key, _, value in pairs}),
            labels=_texts(inner.get("Labels") or {}),
            compressed_gb=size / BYTES_PER_GB,
            read_at=read_at,
        )
    except _NO_IMAGE as error:
        message = f"the registry sent something that is no image for {reference.short}"
        raise RegistryError(message) from error


def _size(value: Any) -> int:
    """Return bytes that are sent of one layer; raises TypeError or ValueError else."""
    if type(value) is not int or not 0 <= value < 2**63:
        message = f"{str(value)[:40]} is no size"
        raise ValueError(message)
    return value


def _texts(values: Any) -> dict[str, str]:
    """Return names and texts, all of it Unicode; raises AttributeError or TypeError."""
    return {_text(name): _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _NOT_UNICODE.sub("\ufffd", value if isinstance(value, str) else str(value))


def _archs_for_rent(names: Any) -> tuple[str, ...]:
    """Return which of the architectures are for rent, in the market's words."""
    found = {read_cpu_arch(name) for name in names}
    return tuple(name for name in CPU_ARCHS if name in found)


def _platforms(manifests: list[Any]) -> dict[str, str]:
    """Map CPU architectures that machines for rent have to their manifests' digests."""
    found: dict[str, str] = {}
    for one in manifests:
        platform = one.get("platform") if isinstance(one, Mapping) else None
        if isinstance(platform, Mapping) and platform.get("os") == "linux":
            name = read_cpu_arch(platform.get("architecture"))
            found.setdefault(name, str(one.get("digest")))
    return {name: found[name] for name in CPU_ARCHS if name in found}


def _verified(
    client: httpx.Client, kind: str, digest: Any, reference: Reference
) -> bytes:
    """Return what lies under a digest, if it is that."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        message = f"the registry sent something that is no image for {reference.short}"
        raise RegistryError(message)
    body = _get(client, f"{kind}/{digest}", reference)
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
        message = f"the registry sent something else for {digest[:19]}: try again"
        raise RegistryError(message)
    return body


def _get(client: httpx.Client, path: str, reference: Reference) -> bytes:
    """Return a body, with an anonymous token where the registry wants one."""
    status, challenge, body = _fetch(client, path)
    if status == 401:
        client.headers["Authorization"] = f"Bearer {_token(client, challenge)}"
        status, _, body = _fetch(client, path)
    if status in (401, 403):
        message = f"the registry shows {reference.short} only after a login"
        raise RegistryError(message)
    if status == 404:
        message = f"the registry has no image {reference.short}"
        raise RegistryError(message)
    if status != 200:
        message = f"the registry answers HTTP {status} for {reference.short}"
        raise RegistryError(message)
    return body


def _fetch(
    client: httpx.Client,
    path: str,
    query: Mapping[str, str] | None = None,
    accept: str = _ACCEPT,
) -> tuple[int, str, bytes]:
    """Return status, challenge and body of one answer, which must not be endless."""
    body = bytearray()
    headers = {"Accept": accept}
    with client.stream("GET", path, params=query, headers=headers) as response:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                message = "the registry's answer is too long for an image"
                raise RegistryError(message)
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status_code, challenge, bytes(body)


def _token(client: httpx.Client, challenge: str) -> str:
    """Return the anonymous token that a challenge says where to get."""
    asked = dict(_CHALLENGE.findall(challenge))
    realm = urllib.parse.urlsplit(asked.pop("realm", ""))
    if realm.scheme != "https" or not challenge.lower().startswith("bearer"):
        message = "the registry requires a password, which advisor does not send"
        raise RegistryError(message)
    query = {key: asked[key] for key in ("service", "scope") if key in asked}
    client.headers.pop("Authorization", None)
    status, _, body = _fetch(client, realm.geturl(), query, "*/*")
    try:
        document = json.loads(body)
        token = document.get("token") or document.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        message = f"the registry gives no anonymous token (HTTP {status})"
        raise RegistryError(message)
    return token


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        message = "the registry sent a web page or torn JSON instead of an image"
        raise RegistryError(message)
    return document
