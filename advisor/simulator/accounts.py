"""Who rents on a simulated market: a key is an account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """An account, made when its key is first shown.

    Attributes
    ----------
    account_id : follows from the key
    credit_usd : paid in, $
    ssh_keys : public key that instances let in -> when it came, seconds since 1970
    """

    account_id: int
    credit_usd: float
    ssh_keys: dict[str, float] = field(default_factory=dict)


def account_id_of(key: str) -> int:
    """Return the id of a key's account; the key cannot be derived from it."""
    return 1 + int(hashlib.sha256(key.encode()).hexdigest()[:7], 16)
