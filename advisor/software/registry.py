"""What a registry tells of an image: its configuration, read over HTTP and kept.

A manifest names the configuration by its digest, so that what was read once need not be
read again while the tag stands for the same image. Anonymous: no password of the user's
is sent. Protocol: OCI Distribution Specification 1.1; tokens: CNCF Distribution, "Token
Authentication Specification".
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from advisor.errors import RegistryError
from advisor.files import write_atomically
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
_CPU_ARCHS = ("amd64", "arm64")
_MOST_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 10.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a registry tells of an image.

    Attributes
    ----------
    digest : of what the name stood for, an index or a manifest
    cpu_archs : CPU architectures that it is built for
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
        """Read what `asdict` gave; raises KeyError, TypeError or ValueError else."""
        return cls(
            digest=str(document["digest"]),
            cpu_archs=tuple(map(str, document["cpu_archs"])),
            env={str(k): str(v) for k, v in document["env"].items()},
            labels={str(k): str(v) for k, v in document["labels"].items()},
            compressed_gb=float(document["compressed_gb"]),
            read_at=str(document["read_at"]),
        )


@dataclass(frozen=True, slots=True)
class ConfigCache:
    """Configurations that were read, a file for each name.

    A file that cannot be read or written is as good as none.
    """

    folder: Path

    def get(self, reference: Reference) -> ImageConfig | None:
        """Return what was last read under a name."""
        try:
            document = json.loads(self._path(reference).read_bytes())
            if document["schema_version"] != _SCHEMA_VERSION:
                return None
            return ImageConfig.from_document(document["config"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
    now: Callable[[], datetime],
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
            config = _read(client, reference, cache.get(reference), now)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        message = f"the registry {host} cannot be asked ({reason}): try again later"
        raise RegistryError(message) from error
    cache.put(reference, config)
    return config


def _read(
    client: httpx.Client,
    reference: Reference,
    kept: ImageConfig | None,
    now: Callable[[], datetime],
) -> ImageConfig:
    name = reference.digest or reference.tag
    body = _get(client, f"manifests/{name}", reference)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if reference.digest and digest != reference.digest:
        message = f"the registry sent another image than {reference.short}"
        raise RegistryError(message)
    if kept is not None and kept.digest == digest:
        return kept
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
        place = str(manifest["config"]["digest"])
        size = sum(int(layer["size"]) for layer in manifest["layers"])
        config = _json(_verified(client, "blobs", place, reference))
        inner = config.get("config") or {}
        variables = [str(one).partition("=") for one in inner.get("Env") or ()]
        labels = dict(inner.get("Labels") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"what the registry sent of {reference.short} is no image"
        raise RegistryError(message) from error
    return ImageConfig(
        digest=digest,
        cpu_archs=archs or (str(config.get("architecture", "")),),
        env={key: value for key, _, value in variables},
        labels={str(key): str(value) for key, value in labels.items()},
        compressed_gb=size / 1e9,
        read_at=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _platforms(manifests: list[Any]) -> dict[str, str]:
    """Map CPU architectures that machines for rent have to their manifests' digests."""
    found: dict[str, str] = {}
    for one in manifests:
        platform = one.get("platform") if isinstance(one, Mapping) else None
        if isinstance(platform, Mapping) and platform.get("os") == "linux":
            found.setdefault(str(platform.get("architecture")), str(one.get("digest")))
    return {name: found[name] for name in _CPU_ARCHS if name in found}


def _verified(
    client: httpx.Client, kind: str, digest: str, reference: Reference
) -> bytes:
    """Return what lies under a digest, if it is that."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        message = f"what the registry sent of {reference.short} is no image"
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
        message = f"the registry shows {reference.short} only to who may see it"
        raise RegistryError(message)
    if status == 404:
        message = f"the registry has no image {reference.short}"
        raise RegistryError(message)
    if status != 200:
        message = f"the registry answers HTTP {status} for {reference.short}"
        raise RegistryError(message)
    return body


def _fetch(client: httpx.Client, path: str) -> tuple[int, str, bytes]:
    body = bytearray()
    with client.stream("GET", path, headers={"Accept": _ACCEPT}) as response:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                message = "the registry's answer does not end: that is no image"
                raise RegistryError(message)
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status_code, challenge, bytes(body)


def _token(client: httpx.Client, challenge: str) -> str:
    """Return the anonymous token that a challenge says where to get."""
    asked = dict(_CHALLENGE.findall(challenge))
    realm = urllib.parse.urlsplit(asked.pop("realm", ""))
    if realm.scheme != "https" or not challenge.lower().startswith("bearer"):
        message = "the registry wants a password, which is not sent"
        raise RegistryError(message)
    query = {key: asked[key] for key in ("service", "scope") if key in asked}
    client.headers.pop("Authorization", None)
    answer = client.get(realm.geturl(), params=query)
    try:
        document = answer.json()
        token = document.get("token") or document.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isprintable():
        message = f"the registry gives no anonymous token (HTTP {answer.status_code})"
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
