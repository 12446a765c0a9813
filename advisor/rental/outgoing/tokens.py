"""Secrets by their text: keys that are known, and tokens by the shape their issuer gives.

`detect-secrets` was looked at (1.5.0): it took 198 s for 20,000 small files (71 MB) on
two cores, brings requests and PyYAML, guesses by entropy, which a data set of hashes
meets, and knows no key of ours. What is searched here has an issuer's own prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MARKET_KEY = "your key of the market"
"""What is said of a file with the text of a key of the user's own."""

_SHORTEST_KEY = 8  # a shorter word, as a simulator takes, is in any text
_LARGEST_TEXT = 8 * 1024 * 1024
"""Bytes of a file that is searched for tokens; where data are longer, keys are not
kept. A known key is searched in files of any size and kind."""

_BINARY_WITHIN = 8000  # bytes; where git looks for a NUL, too (buffer_is_binary)
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Token:
    """A kind of token.

    Attributes
    ----------
    marks : one of these is in any text that has one
    regex : what it looks like, and what must not stand before it
    what : for people
    """

    marks: tuple[bytes, ...]
    regex: re.Pattern[bytes]
    what: str


def _token(what: str, regex: str, *marks: str) -> _Token:
    bare = rf"(?<![A-Za-z0-9_-]){regex}"
    return _Token(tuple(mark.encode() for mark in marks), re.compile(bare.encode()), what)


def _assigned(name: str, value: str, what: str) -> _Token:
    """Return a token that a variable of this name is set to, in shell, YAML, code."""
    return _token(what, rf"""{name}["']?\]?\s*[=:,]\s*["']?{value}""", name)


# A header that is closed by a quote is code that looks for one.
_PRIVATE_KEY = _Token(
    (b"PRIVATE KEY",),
    re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?![\"'`)])"),
    "private key",
)
_TOKENS = (
    _PRIVATE_KEY,
    _token("Hugging Face token", r"hf_[A-Za-z0-9]{20,}", "hf_"),
    _token("GitHub token", r"gh[oprsu]_[A-Za-z0-9]{20,}", "gh"),
    _token("GitHub token", r"github_pat_[A-Za-z0-9_]{20,}", "github_pat_"),
    _token("GitLab token", r"glpat-[A-Za-z0-9_-]{16,}", "glpat-"),
    # With a dash only if it has a capital and a figure: class names of web pages, such
    # as notebooks hold, begin so, too.
    _token(
        "API key",
        r"sk-(?:[A-Za-z0-9]{20,}"
        r"|(?=[a-z0-9_-]*[A-Z])(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,})",
        "sk-",
    ),
    _token("Stripe key", r"[rs]k_live_[A-Za-z0-9]{20,}", "k_live_"),
    _token("AWS key", r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIA", "ASIA"),
    _assigned("aws_secret_access_key", r"[A-Za-z0-9/+]{40}", "AWS key"),
    _assigned("AWS_SECRET_ACCESS_KEY", r"[A-Za-z0-9/+]{40}", "AWS key"),
    _token("Google API key", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", "AIza"),
    _token("Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _token("npm token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("npm token", r"_(?:auth|authToken|password)=[^\s$(]{8,}", "_auth", "_pass"),
    _token("PyPI token", r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,}", "pypi-"),
    _token("Docker Hub token", r"dckr_[op]at_[A-Za-z0-9_-]{20,}", "dckr_"),
    _token("Replicate token", r"r8_[A-Za-z0-9]{37}", "r8_"),
    _token("Groq key", r"gsk_[A-Za-z0-9]{40,}", "gsk_"),
    _token("NVIDIA key", r"nvapi-[A-Za-z0-9_-]{40,}", "nvapi-"),
    _token("DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}", "_v1_"),
    _assigned("WANDB_API_KEY", r"[0-9a-f]{40}", "Weights & Biases key"),
    _token("Weights & Biases key", r"wandb_v1_[A-Za-z0-9_]{20,}", "wandb_v1_"),
    _token(
        "Weights & Biases key",
        r"""wandb\.login\([^)]{0,80}["'][0-9a-f]{40}["']""",
        "wandb.login",
    ),
    _assigned("VAST_API_KEY", r"[A-Za-z0-9]{32,}", "key of a market"),
    _assigned("KAGGLE_KEY", r"[0-9a-f]{32}", "Kaggle token"),
    _assigned("COMET_API_KEY", r"[A-Za-z0-9]{20,}", "Comet key"),
)
_BY_MARK = tuple((mark, token) for token in _TOKENS for mark in token.marks)


class SecretText:
    """What a file must not hold.

    Parameters
    ----------
    keys : texts of keys that the user has
    largest_text : bytes of a file that is searched for tokens, too
    chunk : bytes that are read at once of a larger one
    """

    def __init__(
        self,
        keys: Sequence[str],
        largest_text: int = _LARGEST_TEXT,
        chunk: int = _CHUNK,
    ) -> None:
        plain = [key.encode() for key in keys if len(key) >= _SHORTEST_KEY]
        # A text of two bytes a character has it so, whichever byte comes first.
        wide = [key.decode().encode("utf-16-le")[:-1] for key in plain]
        self._keys = tuple(dict.fromkeys((*plain, *wide)))
        self._largest_text, self._chunk = largest_text, chunk
        self._overlap = max(map(len, self._keys), default=1) - 1

    def found_in(self, path: Path, size: int) -> str:
        """Return what a file has that must not be sent, ``""`` if nothing.

        It is read once, or not at all where nothing is searched in its like.

        Raises
        ------
        OSError
            if it cannot be read
        """
        if size > self._largest_text and not self._keys:
            return ""
        with path.open("rb", buffering=0) as file:
            head = _read(file, min(size, self._largest_text + 1))
            if self._in(head):
                return MARKET_KEY
            if len(head) <= self._largest_text:
                return "" if b"\0" in head[:_BINARY_WITHIN] else _token_in(head)
            rest = head[-self._overlap :]
            while chunk := file.read(self._chunk):
                if self._in(rest + chunk):
                    return MARKET_KEY
                rest = (rest + chunk)[-self._overlap :]
        return ""

    def _in(self, text: bytes) -> bool:
        return any(key in text for key in self._keys)


def _read(file: BinaryIO, most: int) -> bytes:
    """Read up to `most` bytes; one read of a file may bring fewer."""
    head = file.read(most)
    while len(head) < most and (more := file.read(most - len(head))):
        head += more
    return head


def _token_in(text: bytes) -> str:
    """Return a kind of token that a text has, and its line."""
    for mark, token in _BY_MARK:
        if mark in text and (found := token.regex.search(text)) is not None:
            line = text.count(b"\n", 0, found.start()) + 1
            return f"{token.what} in line {line}"
    return ""
