"""The name of a Docker image, taken apart as the registries do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from advisor.base.errors import UsageError

DOCKER_HUB = "docker.io"
_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::(?P<port>[0-9]{{1,5}}))?")
_PORTS = range(1, 2**16)
_TAG = re.compile(r"[@\w][\w.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image lies.

    Attributes
    ----------
    registry : host, with its port where it is not the usual one
    repository : such as ``"pytorch/pytorch"``; Docker Hub's own are ``"library/..."``
    tag : ``""`` where a digest stands for it, else ``"latest"`` if none is named
    digest : ``"sha256:..."``, ``""`` where none is named

    Examples
    --------
    >>> Reference.parse("nvcr.io/nvidia/pytorch:25.06-py3").repository
    'nvidia/pytorch'
    >>> Reference.parse("python").short
    'python:latest'
    """

    registry: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, name: str) -> Self:
        """Take a name apart.

        Vast.ai's own ``@vastai-automatic-tag`` counts as a tag.

        Raises
        ------
        advisor.base.errors.UsageError
            if it can be no image's name
        """
        found = cls._parsed(name.strip())
        if found is not None:
            return found
        near = name.strip().lower()
        if cls._parsed(near) is not None:
            hint = f"did you mean {near}?"
        else:
            hint = "[registry/]name[:tag] is expected, such as pytorch/pytorch:latest"
        message = f"{name[:80]!r} can be no Docker image: {hint}"
        raise UsageError(message)

    @classmethod
    def _parsed(cls, name: str) -> Self | None:
        rest, _, digest = name.partition("@sha256:")
        digest = f"sha256:{digest}" if digest else ""
        first, slash, other = rest.partition("/")
        has_registry = bool(slash) and ("." in first or ":" in first)
        registry = first if has_registry or first == "localhost" else DOCKER_HUB
        path = other if registry == first else rest
        repository, colon, tag = path.partition(":")
        if registry in _HUB_NAMES:
            registry = DOCKER_HUB
            repository = repository if "/" in repository else f"library/{repository}"
        right = (
            len(name) <= _LONGEST
            and (host := _REGISTRY.fullmatch(registry))
            and (host["port"] is None or int(host["port"]) in _PORTS)
            and _REPOSITORY.fullmatch(repository)
            and (not colon or _TAG.fullmatch(tag))
            and (not digest or _DIGEST.fullmatch(digest))
        )
        if not right:
            return None
        return cls(registry, repository, tag or ("" if digest else "latest"), digest)

    @property
    def short(self) -> str:
        """The name as people write it, Docker Hub left out."""
        repository = self.repository.removeprefix("library/")
        place = "" if self.registry == DOCKER_HUB else f"{self.registry}/"
        tag = f":{self.tag}" if self.tag else ""
        return f"{place}{repository}{tag}{'@' if self.digest else ''}{self.digest}"
