"""Where results go: stdout carries the result alone, the rest goes to stderr."""

from __future__ import annotations

import sys

import click

from advisor.errors import AdvisorError

_SAID = "advisor.said"


def result(text: str) -> None:
    """Print a result, and meet a reader that has gone while nothing else is open."""
    if sys.stdout is None:  # closed by the shell: `>&-`
        message = "stdout is closed: there is nowhere to print the result"
        raise AdvisorError(message)
    click.echo(text)
    sys.stdout.flush()


def remark_once(text: str) -> None:
    """Say something that a command may come upon several times."""
    ctx = click.get_current_context(silent=True)
    said = set[str]() if ctx is None else ctx.find_root().meta.setdefault(_SAID, set())
    if text not in said:
        said.add(text)
        remark(text)


def remark(text: str) -> None:
    """Say something about the result, on stderr."""
    click.echo(" ".join(text.split()), err=True)
