"""Where results go: stdout carries the result alone, the rest goes to stderr."""

from __future__ import annotations

import sys

import click

from advisor.app.notices import say
from advisor.errors import AdvisorError


def result(text: str) -> None:
    """Print a result, and meet a reader that has gone while nothing else is open."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        message = "stdout is closed: there is nowhere to print the result"
        raise AdvisorError(message)
    click.echo(text)
    sys.stdout.flush()


def remark(text: str) -> None:
    """Say something about the result, on stderr."""
    say(text)
