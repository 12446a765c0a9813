"""Addresses that can be downloaded from."""

from __future__ import annotations

from urllib.parse import urlsplit

_SCHEMES = ("http", "https")


def is_web(url: str) -> bool:
    """Say whether an address is one of the web that names a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname)
    except ValueError:
        return False
