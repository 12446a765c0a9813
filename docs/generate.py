"""Write the parts of the pages that the program itself tells.

Usage: ``python docs/generate.py [--check]``

* ``docs/commands.md``: every command, from what `-h` prints
* ``docs/man/advisor.1``: the same as a man page
* ``docs/documents.md``: every key of every JSON document, from ``docs/schemas``
* ``docs/python.md``: what `advisor` exports, from `advisor.__all__`
* ``docs/llms.txt``: what each page is about, for models, from ``docs/index.md``
* the output below each ``$ advisor`` line of a ``console`` block of the tutorial and the
  README, as the command prints it

``--check`` writes nothing, and fails if a page is not as it would be written.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import click

import advisor
from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.main import app, run, sections
from advisor.cli.manual import manual
from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World as SimulatedWorld

DOCS = Path(__file__).parent
ROOT = DOCS.parent
RUN_IN = (DOCS / "tutorial.md", ROOT / "README.md")
"""Pages whose commands are run, each page in a world of its own."""

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
"""When they are run: the age of the bundled sample is part of what is printed."""

WIDTH = "100"
_NOTE = "<!-- python docs/generate.py writes this page -->\n\n"


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in pages() if _written(path) != text]
    for path, text in pages() if stale and not check else ():
        path.write_text(text, encoding="utf-8")
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"run python docs/generate.py: {names}")


def _written(path: Path) -> str:
    """Return a page as it is; nothing where it is not there yet."""
    return path.read_text("utf-8") if path.exists() else ""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with what it should be."""
    yield DOCS / "commands.md", commands()
    yield DOCS / "man" / "advisor.1", manual(app)
    yield DOCS / "documents.md", documents()
    yield DOCS / "python.md", python((DOCS / "python.md").read_text("utf-8"))
    yield DOCS / "llms.txt", for_models()
    for path in RUN_IN:
        yield path, with_output(path.read_text("utf-8"))


def commands() -> str:
    """Return the command reference."""
    parts = [
        f"{_NOTE}# Commands\n\nWhat `advisor COMMAND -h` says, on one page.\n",
    ]
    root = click.Context(app, info_name="advisor", **app.context_settings)
    for title, names in sections().items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _command(_found(app, name, root), name, root)
    return "\n".join(parts)


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """Yield the section of a command, and those of the commands below it."""
    context = click.Context(command, info_name=name, parent=parent)
    yield f"### {context.command_path}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    # Not all versions of click put it in brackets where a group goes without a command.
    usage = usage.replace("[COMMAND]", "COMMAND")
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield _markdown(inspect.cleandoc(command.help or ""))
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and record[1] and "--help" not in param.opts:
            yield f"`{record[0]}`\n: {_plain(record[1])}\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _command(_found(command, below, context), below, context)


def _found(group: click.Group, name: str, context: click.Context) -> click.Command:
    """Return a command that its group lists."""
    command = group.get_command(context, name)
    if command is None:
        raise LookupError(name)
    return command


def _markdown(help_text: str) -> str:
    """Return a command's help, its examples as code."""
    text, _, examples = help_text.partition("\b\n")
    lines = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
    shown = "\n```sh\n" + "\n".join(lines) + "\n```\n" if lines else ""
    return _plain(text.strip()) + "\n" + shown


def _plain(text: str) -> str:
    """Return text with nothing in it that Markdown takes for its own."""
    return re.sub(r"([<>*_\[\]$|])", r"\\\1", text)


def documents() -> str:
    """Return the page of every JSON document's keys."""
    parts = [
        f"{_NOTE}# JSON documents\n",
        "The keys of each document that `--json` prints: see [JSON contract](json.md).\n",
    ]
    schemas = {path.name: path for path in sorted((DOCS / "schemas").glob("*.json"))}
    common = schemas.pop("common.schema.json")
    for path in schemas.values():
        schema = json.loads(path.read_text("utf-8"))
        name = schema["title"].replace("-", " ")
        title = f"`advisor {name} --json`" if name != "error" else "A failure"
        parts.append(
            f"## {title}\n\n{schema['description']} ({{download}}`schema "
            f"<schemas/{path.name}>`)\n"
        )
        parts += map(_keys, schema.get("oneOf", [schema]))
    parts.append(
        "## Parts\n\nWhat several documents share "
        "({download}`schema <schemas/common.schema.json>`).\n"
    )
    for name, one in json.loads(common.read_text("utf-8"))["$defs"].items():
        parts.append(f"### {name.replace('_', ' ')}\n\n{_keys(one)}")
    return "\n".join(parts)


def _keys(schema: Mapping[str, Any], before: str = "") -> str:
    """Return a list of the keys of an object, those of objects in it below each."""
    if "$ref" in schema:
        return _linked(schema["$ref"]) + "\n"
    if "properties" not in schema:
        return f"{_type(schema)}\n"
    lines = []
    for name, one in schema["properties"].items():
        told = one.get("description", "")
        lines.append(
            f"{before}- `{name}` ({_type(one)}){': ' if told else ''}{_plain(told)}"
        )
        inner = one
        while "properties" not in inner and (
            isinstance(inner.get("items"), dict)
            or isinstance(inner.get("additionalProperties"), dict)
        ):
            inner = inner.get("items") or inner["additionalProperties"]
        if "properties" in inner:
            lines.append(_keys(inner, before + "  ").rstrip("\n"))
    return "\n".join(lines) + "\n"


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in words."""
    if "$ref" in schema:
        return _linked(schema["$ref"])
    if "oneOf" in schema:
        return " or ".join(map(_type, schema["oneOf"]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kinds = schema.get("type", "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = []
    for kind in kinds:
        of = schema.get("items") if kind == "array" else None
        of = schema.get("additionalProperties") if kind == "object" else of
        plain = isinstance(of, dict) and "properties" not in of
        link = {"array": "list of ", "object": "object of "}.get(kind, "")
        words.append(link + _type(of) if plain and isinstance(of, dict) else kind)
    return " or ".join(words)


def _linked(reference: str) -> str:
    """Return a link to a part that documents share, or to another document."""
    file, _, path = reference.partition("#/$defs/")
    if not path:
        name = file.removesuffix(".schema.json")
        at = "a-failure" if name == "error" else f"advisor-{name}-json"
        return f"as in [{name.replace('-', ' ')}](#{at})"
    name = path.split("/")[0].replace("_", " ")
    at = f"#{name.replace(' ', '-')}"
    return f"as in [{name}]({at})" if "/" in path else f"[{name}]({at})"


def python(text: str) -> str:
    """Return the page of the Python interface with what is exported now."""
    head, _, _ = text.partition("## Reference\n")
    listed: dict[str, list[str]] = {"Functions": [], "Classes": [], "Errors": []}
    for name in sorted(advisor.__all__, key=str.lower):
        value = getattr(advisor, name)
        if isinstance(value, type) and issubclass(value, BaseException):
            listed["Errors"].append(f".. autoexception:: advisor.{name}\n")
        elif isinstance(value, type) and name[:1].isupper():
            listed["Classes"].append(f".. autoclass:: advisor.{name}\n   :members:\n")
        elif isinstance(value, type):
            listed["Functions"].append(f".. autoclass:: advisor.{name}\n   :members:\n")
        elif callable(value):
            listed["Functions"].append(f".. autofunction:: advisor.{name}\n")
    parts = [f"{head}## Reference\n", _rst(".. automodule:: advisor\n")]
    for title, entries in listed.items():
        if entries:
            parts += [f"### {title}\n", _rst("\n".join(entries))]
    return "\n".join(parts)


_TREE = re.compile(r"```{toctree}\n:caption: (.+)\n(?::.+\n)*\n((?:.+\n)+)```")
_SENTENCE = re.compile(r"(.+?[.?!][*)\"]*)(?=\s|$)", re.DOTALL)


def for_models() -> str:
    """Return the list of pages as llmstxt.org has it, below the index's own words."""
    index = (DOCS / "index.md").read_text("utf-8")
    title, question, *words = index.partition("```{toctree}")[0].strip().split("\n\n")
    told = [" ".join(part.split()) for part in words]
    parts = [title, f"> {question}", *told]
    for caption, names in _TREE.findall(index):
        links = map(_link, names.split())
        parts.append(f"## {caption}\n\n" + "\n".join(links))
    return "\n\n".join(parts) + "\n"


def _link(name: str) -> str:
    """Return the line of a page: its title, and the sentence that it begins with."""
    text = (DOCS / f"{name}.md").read_text("utf-8").replace(_NOTE, "")
    title, first, *_ = text.strip().split("\n\n")
    is_text = not first.startswith(("|", "#")) and "\n: " not in first
    found = _SENTENCE.match(first) if is_text else None
    told = f": {_unlinked(' '.join(found[1].split()))}" if found else ""
    return f"- [{title.removeprefix('# ')}]({name}.md){told}"


def _unlinked(text: str) -> str:
    """Return a text with the words of its links alone."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)


def _rst(text: str) -> str:
    """Return directives of Sphinx as a block of a page."""
    return f"```{{eval-rst}}\n{text}```\n"


_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=\n```)", re.DOTALL)


def with_output(text: str) -> str:
    """Return a page with what its commands print, in one world from top to bottom."""
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        return _BLOCK.sub(lambda found: world.ran(found[0]), text)


class World:
    """Where a page's commands run: folders of its own, a fixed time, no network.

    A line that exports `VAST_URL` opens a simulated market, whose time passes as the
    commands wait for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._variables = {
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
            "ADVISOR_DATA_DIR": str(folder / "data"),
            "COLUMNS": WIDTH,
        }
        self._market: SimulatedWorld | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def ran(self, block: str) -> str:
        """Return a block with the output of its commands; a last line ``...`` stays."""
        made: list[str] = []
        for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
            line, *shown = part.splitlines() or [""]
            words = shlex.split(line[2:], comments=True)
            if words[:1] == ["export"]:
                self._enter_market()
            if words[:1] != ["advisor"] or words[1:2] == ["simulate"]:
                made += part.splitlines()
                continue
            output = self._same_everywhere(self.printed(words[1:]))
            if "..." in shown:
                output = [*output[: shown.index("...")], "..."]
            made += [line, *output]
        return "\n".join(made)

    def _same_everywhere(self, text: str) -> list[str]:
        """Return the lines of an output without this folder, and labels by chance."""
        text = text.replace(str(self._folder), "~")
        text = re.sub(r"-[0-9a-f]{16}\b", "-0123456789abcdef", text)
        return [one.rstrip() for one in text.splitlines()]

    def printed(self, words: Sequence[str]) -> str:
        """Return what a command line prints on stdout and stderr, in its order."""
        both = io.StringIO()
        with redirect_stdout(both), redirect_stderr(both):
            run(words, self._context())
        return both.getvalue()

    def _context(self) -> Context:
        place = {"variables": self._variables, "home": self._folder}
        if self._market is None:
            return Context(**place, folder=self._folder, clock=Clock(now=lambda: NOW))
        market = self._market
        return Context(
            **place,
            folder=self._folder,
            clock=Clock(
                now=lambda: datetime.fromtimestamp(market.clock.now(), UTC),
                monotonic=market.clock.now,
                sleep=market.advance,
            ),
        )

    def _enter_market(self) -> None:
        clock = SimClock.manual(NOW.timestamp())
        self._market = SimulatedWorld(300, 7, clock, calm=True)
        server = self._open.enter_context(serve(self._market))
        self._variables |= {"VAST_URL": server.url, "VAST_API_KEY": "any-word"}


if __name__ == "__main__":
    main()
