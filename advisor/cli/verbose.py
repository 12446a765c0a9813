"""What ``-v`` shows on stderr: our log, without any key."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from advisor.app.context import Context
from advisor.app.private import private_of
from advisor.base.errors import AdvisorError
from advisor.cli.output import remark

_HIDDEN = "[hidden]"
_SECRET = re.compile(r"(?i)(\bbearer\s+|\b(?:api_?key|token|password)[=:]\s*)[^\s&\"']+")
"""What looks like a secret, whoever's it is."""


class Redacting(logging.Filter):
    """Takes secrets out of records before anybody sees them.

    Parameters
    ----------
    secrets : texts that are not to show up, also as an address has them
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        texts = {text for secret in secrets for text in (secret, quote(secret, safe=""))}
        ordered = sorted(filter(None, texts), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the message without secrets in place of message and values."""
        text = record.getMessage()
        if self._known is not None:
            text = self._known.sub(_HIDDEN, text)
        record.msg, record.args = _SECRET.sub(rf"\g<1>{_HIDDEN}", text), ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class _Remarks(logging.Handler):
    """Says each record on stderr, which may fail at any time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        remark(self.format(record))


@contextmanager
def logged(context: Context, verbosity: int) -> Iterator[None]:
    """Show our log on stderr while a command runs.

    Parameters
    ----------
    verbosity : 1: steps; 2 or more: also details
    """
    try:
        secrets = private_of(context).keys
    except AdvisorError:  # a key that cannot be read is reported where it is needed
        secrets = ()
    handler = _Remarks()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    handler.addFilter(Redacting(secrets))
    logger = logging.getLogger("advisor")
    before = logger.level
    for earlier in list(logger.handlers):  # -v before the command and after it
        if isinstance(earlier, _Remarks):
            logger.removeHandler(earlier)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
