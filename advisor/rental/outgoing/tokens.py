"""Secrets by their text: keys that are known, and tokens by the shape their issuer gives.

`detect-secrets` was looked at (1.5.0): it took 198 s for 20,000 small files (71 MB) on
two cores, brings requests and PyYAML, guesses by entropy, which a data set of hashes
meets, and knows no key of ours. What is searched here has an issuer's own prefix.
"""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from advisor.base.units import BYTES_PER_MIB

MARKET_KEY = "your key of the market"
"""What is said of a file with the text of a key of the user's own."""

_SHORTEST_KEY = 8  # a shorter word, as a simulator takes, is in any text
_LARGEST_TEXT = 8 * BYTES_PER_MIB
"""Bytes of a file that is searched for tokens; where data are longer, keys are not
kept. A known key is searched in files of any size and kind."""

_LARGEST_NOTEBOOK = 8 * _LARGEST_TEXT
"""Keys are typed into notebooks, and what these show makes them long."""

_BINARY_WITHIN = 8000  # bytes; where git looks for a NUL, too (buffer_is_binary)
_CHUNK = BYTES_PER_MIB
_OF_WORDS = f"{string.ascii_letters}{string.digits}_-"


@dataclass(frozen=True, slots=True)
class _Token:
    """A kind of token.

    Attributes
    ----------
    marks : one of these is in any text that has one
    regex : what it looks like
    what : for people
    """

    marks: tuple[bytes, ...]
    regex: re.Pattern[bytes]
    what: str

    def place_in(self, text: bytes) -> int | None:
        """Return where the first one begins in a text, None where there is none."""
        if not any(mark in text for mark in self.marks):
            return None
        found = self.regex.search(text)
        return None if found is None else found.start()


def _token(what: str, regex: str, *marks: str) -> _Token:
    """Return a token that is a word of its own.

    In JSON one begins behind the letter of an escape, such as that of a new line, too.
    """
    # What is asked of the text before stands behind the letters that all such tokens
    # begin with, which `re` looks for fast.
    begin = regex[: len(regex) - len(regex.lstrip(_OF_WORDS))]
    alone = rf"(?:(?<![A-Za-z0-9_-]{begin})|(?<=\\[nrt]{begin}))"
    whole = begin + alone + regex.removeprefix(begin)
    return _Token(
        tuple(mark.encode() for mark in marks), re.compile(whole.encode()), what
    )


_SET_TO = r"""[\\"'\]\s]{0,8}(?:\s?:\s?str\s?)?(?:[=:,(\s]|=>)[\\"'(\s]{0,8}"""
"""Between a variable and its value: in shell and its relatives (``setx``, ``ENV`` of a
Dockerfile), YAML, JSON and code, also where that is a text in JSON, as in a notebook."""


def _assigned(name: str, value: str, what: str) -> Iterator[_Token]:
    """Yield a token that a variable is set to, its name in small or capital letters."""
    for one in (name.lower(), name.upper()):
        regex = rf"{one}{_SET_TO}(?:{value})(?![A-Za-z0-9])"
        yield _Token((one.encode(),), re.compile(regex.encode()), what)


# A header that is closed by a quote is code that looks for one.
_PRIVATE_KEY = _Token(
    (b"PRIVATE KEY",),
    re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?![\"'`)])"),
    "private key",
)
# A sequence of a version and what only keys have next: PKCS #1 (RFC 8017, A.1.2), PKCS #8
# (RFC 5208, 5) and those of elliptic curves (RFC 5915, 3), in DER.
_DER_KEY = re.compile(
    rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01]"
    rb"(?:\x02[\x41-\x82]|\x30.\x06|\x04[\x1c-\x42])",
    re.DOTALL,
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
    *_assigned("aws_secret_access_key", r"[A-Za-z0-9/+]{40}", "AWS key"),
    _token(
        "AWS key",
        rf"[Ss]ecretAccessKey{_SET_TO}[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9])",
        "ecretAccessKey",
    ),
    _token("Azure key", r"AccountKey=[A-Za-z0-9/+]{86}==", "AccountKey="),
    _token("Google API key", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", "AIza"),
    _token("Google client secret", r"GOCSPX-[A-Za-z0-9_-]{20,}", "GOCSPX-"),
    _token("Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", "xox"),
    _token(
        "Slack webhook",
        r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}",
        "hooks.slack.com",
    ),
    _token("npm token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("npm token", r"_(?:auth|authToken|password)=[^\s$(]{8,}", "_auth", "_pass"),
    _token("PyPI token", r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,}", "pypi-"),
    _token("Docker Hub token", r"dckr_[op]at_[A-Za-z0-9_-]{20,}", "dckr_"),
    _token("Replicate token", r"r8_[A-Za-z0-9]{37}", "r8_"),
    _token("Groq key", r"gsk_[A-Za-z0-9]{40,}", "gsk_"),
    _token("NVIDIA key", r"nvapi-[A-Za-z0-9_-]{40,}", "nvapi-"),
    _token("DigitalOcean token", r"do[opr]_v1_[a-f0-9]{64}", "_v1_"),
    _token("Databricks token", r"dapi[0-9a-f]{32}(?![A-Za-z0-9])", "dapi"),
    _token("SendGrid key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SG."),
    _token("RunPod key", r"rpa_[A-Z0-9]{40,}", "rpa_"),
    _token(
        "JSON web token",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
        "eyJ",
    ),
    # One with a letter and a figure: what examples show mostly is a word.
    _Token(
        (b"://",),
        re.compile(
            rb"://[^\s/:@\"'<>{}$%\\]{0,64}:(?=[^\s/:@]*[0-9])(?=[^\s/:@]*[A-Za-z])"
            rb"[^\s/:@\"'<>{}$%\\]{8,}@(?!localhost|127\.0\.0\.1|example\.)[A-Za-z0-9\[]"
        ),
        "password in an address",
    ),
    *_assigned("WANDB_API_KEY", r"[0-9a-f]{40}", "Weights & Biases key"),
    _token("Weights & Biases key", r"wandb_v1_[A-Za-z0-9_]{20,}", "wandb_v1_"),
    _token(
        "Weights & Biases key",
        r"""wandb(?:\.login\([^)]{0,120}?|\s+login\s[^\n]{0,80}?)"""
        r"""(?<=[\s"'=])[0-9a-f]{40}(?![A-Za-z0-9])""",
        "login",
    ),
    *_assigned("VAST_API_KEY", r"[A-Za-z0-9]{32,}", "key of a market"),
    _token("API key", rf"(?:set\s|--)api-key{_SET_TO}[A-Za-z0-9]{{32,}}", "api-key"),
    *_assigned("KAGGLE_KEY", r"[0-9a-f]{32}", "Kaggle token"),
    # What the site hands out, whatever name the file was given since.
    _token(
        "Kaggle token",
        rf"username{_SET_TO}[A-Za-z0-9._-]{{1,80}}[\\\"'\s]{{1,8}},[\\\"'\s]{{1,8}}"
        rf"key{_SET_TO}[0-9a-f]{{32}}(?![A-Za-z0-9])",
        "username",
    ),
    *_assigned("COMET_API_KEY", r"[A-Za-z0-9]{20,}", "Comet key"),
)


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
        is_notebook = path.suffix.lower() == ".ipynb"
        largest = _LARGEST_NOTEBOOK if is_notebook else self._largest_text
        if size > largest and not self._keys:
            return ""
        with path.open("rb", buffering=0) as file:
            head = _read(file, min(size, largest + 1))
            if self._in(head):
                return MARKET_KEY
            if len(head) <= largest:
                if _DER_KEY.match(head):
                    return _PRIVATE_KEY.what
                return _token_in(_text_of(head))
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


def _text_of(body: bytes) -> bytes:
    """Return what a file has of text, in UTF-8 or the like; nothing of binary data."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace").encode("utf-8", "replace")
    return b"" if b"\0" in body[:_BINARY_WITHIN] else body


def _token_in(text: bytes) -> str:
    """Return a kind of token that a text has, and its line."""
    for token in _TOKENS:
        place = token.place_in(text)
        if place is not None:
            line = text.count(b"\n", 0, place) + 1
            return f"{token.what} in line {line}"
    return ""
