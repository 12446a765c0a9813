"""Servers of ours on a socket: which address is this machine's alone, who asks there.

A web page of somebody else that lets its own name stand for our address (DNS rebinding)
makes a browser send that name as ``Host``. No such page can have an address in digits.
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.parse

from advisor.base.errors import Given, UsageError

LOOPBACK = "127.0.0.1"

LOOPBACK_NAME = "localhost"
"""The one name that is loopback whatever a name server says (RFC 6761, 6.3)."""

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 for any that is free.

    Raises
    ------
    UsageError
        if it cannot
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named asyncio sends at once (TCP_NODELAY): 40 ms an answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        why = f"cannot listen at {host}: {error.strerror}; name another "
        raise UsageError(why, Given("host")) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = f"cannot listen at {host}:{port}: {error.strerror}; try "
        raise UsageError(why, Given("port"), " 0") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return where a socket listens as an address of the web, without a slash."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def called_in(host: str | None) -> str:
    """Return the name in a header ``Host``, ``""`` where there is none that makes sense.

    Examples
    --------
    >>> called_in("[::1]:8080"), called_in("LocalHost"), called_in("localhost@evil")
    ('::1', 'localhost', 'evil')
    """
    try:
        return urllib.parse.urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Say whether a name or an address is that of this machine for itself."""
    return name == LOOPBACK_NAME or (
        is_address(name) and ipaddress.ip_address(name).is_loopback
    )


def is_address(name: str) -> bool:
    """Say whether a name is an address in digits."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
