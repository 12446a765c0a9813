"""What `-h` says: commands by section, an example of each that can be typed as it is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from advisor.cli.main import app

Advisor = Callable[..., Any]


def leaves(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from leaves(command, *words, name)


LEAVES = tuple(leaves(app))


def examples_in(text: str) -> list[str]:
    """Return the command lines below `Example:` or `Examples:`."""
    _, found, rest = text.partition("Example:")
    if not found:
        _, _, rest = text.partition("Examples:")
    block = rest.strip("\n").split("\n\n")[0]
    return [line.strip() for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_each_command_has_an_example(advisor: Advisor, words: tuple[str, ...]) -> None:
    """Each is a command line of that command, with options that it has."""
    examples = examples_in(advisor(*words, "-h").stdout)
    assert examples
    for example in examples:
        typed = shlex.split(example.replace("$$", "123"), comments=True)
        typed = typed[: next((at for at, one in enumerate(typed) if one in "&>"), None)]
        assert tuple(typed[1 : 1 + len(words)]) == words, example
        command: click.Command = app
        context = click.Context(app, **app.context_settings)
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(context, word)
            assert found is not None
            command = found
        command.make_context(typed[0], typed[1 + len(words) :], parent=context)


RUN_HERE = ("rank", "explain", "compare", "bid", "predict", "speedup", "gpus", "cpus")


@pytest.mark.parametrize("name", RUN_HERE)
def test_the_examples_work_as_they_stand(advisor: Advisor, name: str) -> None:
    """Those that need neither a live market nor a file."""
    for example in examples_in(advisor(name, "-h").stdout):
        done = advisor(*shlex.split(example)[1:])
        assert done.exit_code == 0, f"{example}: {done.stderr}"


def test_the_help_groups_every_command(advisor: Advisor) -> None:
    """No command is left out or named twice, and no line is cut short."""
    text = advisor("-h").stdout
    _, _, sections = text.partition("Start:\n")
    named = [line.split()[0] for line in sections.splitlines() if line.startswith("  ")]
    assert sorted(named) == sorted(app.list_commands(click.Context(app)))
    assert "..." not in sections


@pytest.mark.parametrize(
    "group", sorted({words[:-1] for words in LEAVES if len(words) > 1}), ids=" ".join
)
def test_no_summary_is_cut_short(advisor: Advisor, group: tuple[str, ...]) -> None:
    """What a group's help says of its commands is a whole sentence."""
    _, _, commands = advisor(*group, "-h").stdout.partition("Commands:\n")
    assert commands
    assert "..." not in commands
