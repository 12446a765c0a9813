"""Who may look and who may write: the secrets of one run of the server.

As Jupyter does: the address that the terminal prints has a token, which the browser
changes for a cookie at once. Loopback is not private, since every user of the machine
can connect to it; a token set by the first request would be handed to whoever comes
first, or to all of them. Only the terminal's owner sees the address.

A browser sends a cookie to all ports of a host, so that a page served at another port of
this machine could have it sent along. Hence what is written needs two things more: the
``Origin`` of our own pages, and a second token that stands only in their forms.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

_BYTES = 32


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True, slots=True)
class Session:
    """The secrets of one run of the server, in none of its logs.

    Attributes
    ----------
    cookie_name : each server has its own: cookies do not tell ports apart
    """

    cookie_name: str = field(default_factory=lambda: f"advisor-{secrets.token_hex(4)}")
    address_token: str = field(default_factory=_secret, repr=False)
    cookie: str = field(default_factory=_secret, repr=False)
    form_token: str = field(default_factory=_secret, repr=False)

    def opens(self, token: str) -> bool:
        """Say whether a token in an address is that of the terminal."""
        return _same(token, self.address_token)

    def knows(self, cookie: str | None) -> bool:
        """Say whether a cookie is the one that was given for the token."""
        return _same(cookie or "", self.cookie)

    def may_write(self, token: str) -> bool:
        """Say whether the token of a form is ours."""
        return _same(token, self.form_token)


def _same(given: str, ours: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), ours.encode())
