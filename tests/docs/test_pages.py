"""The pages say what the program does now; `python docs/generate.py` writes them anew."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from advisor.cli.main import app
from advisor.workloads.load import list_workloads

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

ROOT = Path(__file__).parents[2]
GENERATED = ("commands.md", "documents.md")
WRITTEN_BY_HAND = [
    ROOT / "README.md",
    *sorted((ROOT / "skills").rglob("*.md")),
    *(one for one in sorted((ROOT / "docs").glob("*.md")) if one.name not in GENERATED),
]


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[Path, str]]:
    """Return each generated page with what it should be."""
    spec = importlib.util.spec_from_file_location(
        "generate", ROOT / "docs" / "generate.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return {path.name: (path, text) for path, text in module.pages()}


@pytest.mark.parametrize(
    "name",
    [
        *("commands.md", "advisor.1", "documents.md", "python.md", "llms.txt"),
        *("tutorial.md", "README.md"),
    ],
)
def test_a_page_is_as_the_program_writes_it(
    written: dict[str, tuple[Path, str]], name: str
) -> None:
    """Options, keys, names, and what the commands print; run docs/generate.py if not."""
    path, text = written[name]
    assert path.read_text(encoding="utf-8") == text
    assert "Traceback" not in text


def test_what_the_readme_shows_fits_100_columns() -> None:
    """Output that a page breaks anywhere is not what a terminal shows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    assert max(map(len, shown.splitlines())) <= 100


def test_links_between_pages_lead_somewhere() -> None:
    """Also from the README and for models, which Sphinx does not read."""
    docs = ROOT / "docs"
    for path in (ROOT / "README.md", docs / "llms.txt", *docs.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def command_named(words: list[str]) -> tuple[click.Command, str]:
    """Return the command that words name, as far as they name one, and its name."""
    command: click.Command = app
    named = ["advisor"]
    while isinstance(command, click.Group) and words:
        if command.invoke_without_command and words[0].startswith("-"):
            break  # such as `advisor bench --full`
        below = command.get_command(click.Context(command), words[0])
        assert below is not None, f"no command {' '.join([*named, words[0]])}"
        command = below
        named.append(words.pop(0))
    return command, " ".join(named)


@pytest.mark.parametrize("path", WRITTEN_BY_HAND, ids=lambda path: path.name)
def test_pages_name_only_commands_and_options_that_exist(path: Path) -> None:
    """Wherever a command line stands in code, in a block or in a sentence."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line for block in blocks for line in block.splitlines()] + spans
    for line in lines:
        for found in re.findall(r"(?:^|[ /(])advisor ((?:[a-z]|-)[^`|;#&]*)", line):
            words = found.split()
            if words[0] not in app.list_commands(click.Context(app)):
                assert words[0].startswith("-") or line.startswith("import"), line
                continue
            command, name = command_named(words)
            known = {one for param in command.params for one in param.opts} | {"-h"}
            typed = words[: words.index("--")] if "--" in words else words
            options = {one.split("=")[0] for one in typed if re.match(r"--?[a-z]", one)}
            assert options <= known, f"{name}: {options - known}"


def test_the_workloads_on_the_pages_are_built_in() -> None:
    """But for one of the reader's own, which the pages make."""
    known = {workload.name for workload in list_workloads()} | {"mine"}
    for path in WRITTEN_BY_HAND:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"--workload ([a-z0-9-]+)(?![a-z0-9.-])", text)
        assert set(named) <= known, path.name


def test_the_figures_of_trust_are_those_of_the_card() -> None:
    """Held-out errors, in the README and on the page, as the model card has them."""
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    reached = {
        f"{split} {figure}": value
        for split, figure, value in re.findall(
            r"^\| (\w+) \| (\w+) \| [^|]+ \| [^|]+ \| ([\d.]+) % \|", card, re.MULTILINE
        )
    }
    rows = {
        "a GPU on a workload": "pair",
        "a GPU": "gpu",
        "every card with a die": "family",
        "a workload, intercept from its comparison group": "model",
    }
    for path in (ROOT / "README.md", ROOT / "docs" / "trust.md"):
        text = path.read_text(encoding="utf-8")
        said = re.findall(r"^\| ([^|]+) \| ([\d.]+) / ([\d.]+) % \|", text, re.MULTILINE)
        assert len(said) >= 3
        for row, mean, median in said:
            split = rows[row]
            assert mean == reached[f"{split} mape"], f"{path.name}: {row}"
            assert median == reached[f"{split} median_ape"], f"{path.name}: {row}"


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_the_python_of_the_pages_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Block by block, in a world without records; renting has tests of its own."""
    monkeypatch.setenv("ADVISOR_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ran = [block for block in blocks if "advisor.rented" not in block]
    assert ran
    for block in ran:
        exec(compile(block, name, "exec"), {})  # noqa: S102  (it is ours)
