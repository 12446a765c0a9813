"""`advisor init`: a profile and limits for a project, from five answers."""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from advisor.app.context import Context
from advisor.app.init import (
    Answers,
    Data,
    Draft,
    check_market,
    check_name,
    closest_workload,
    draft_of,
    usual_gb,
)
from advisor.base.errors import Given, UsageError
from advisor.base.units import SECONDS_PER_HOUR
from advisor.cli.options import above_zero, duration_s, no_nan
from advisor.cli.output import aside, remark, result
from advisor.cli.renting import has_terminal
from advisor.cli.session import refuse_both
from advisor.workloads.profile import Workload

_NONE = "none"


@click.command("init")
@click.argument("workload", metavar="[WORKLOAD]", required=False)
@click.option(
    "--dataset",
    "datasets",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of your data set, whose files are counted.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1, max=10**12),
    help="Samples of an epoch. Default: the workload's.",
)
@click.option(
    "--dataset-gb",
    type=click.FloatRange(min=0),
    callback=no_nan,
    metavar="GB",
    help="Size of the data set. Default: in proportion to the samples.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1, max=10**9),
    help="Epochs of a job. Default: the workload's.",
)
@click.option(
    "--budget",
    "budget_usd",
    type=float,
    callback=above_zero,
    metavar="USD",
    help="Highest cost of a job, all its rentals together. Default: no cap.",
)
@click.option(
    "--max-lifetime",
    "max_lifetime_s",
    callback=duration_s,
    metavar="TIME",
    help="A machine ends itself after this time at the latest, such as 12h or 3d. "
    "Default: from the predicted time.",
)
@click.option(
    "--market",
    metavar="NAME",
    help="Market that is asked. Default: vast with a key, else sample.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the profile. Default: that of the folder."
)
@click.option("--yes", is_flag=True, help="Take the defaults; ask nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Change an advisor.toml that is there, and hide another profile of the name.",
)
@click.pass_context
def command(ctx: click.Context, /, name: str | None, force: bool, **_: Any) -> None:
    """Set up a project: write its profile and limits to 'advisor.toml'.

    The command asks five things: what you train, how large your data set is, for how many
    epochs, what it may cost, and on which market. Answers may come from a pipe, one per
    line, or from options. No key is written. The last line is the command to type next.

    \b
    Examples:
      advisor init
      advisor init resnet50 --samples 50000 --epochs 30 --budget 20 --yes
    """  # noqa: D301  (click keeps the lines below a backspace as they are)
    context: Context = ctx.obj
    draft = draft_of(context)
    asked = _Asked(ctx)
    name = name or draft.name
    check_name(draft, name, force=force)
    answers = _answers(asked, context, draft, name)
    text = draft.with_answers(answers)
    _write(asked, draft, text, force=force)
    run = shlex.join(["advisor", "run", "--workload", name, "--sync", "."])
    remark(f"later, '{run} -- python train.py' rents a machine and runs your command")
    remark("type next:")
    result(shlex.join(["advisor", "rank", name]))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is given by options, asked on a terminal, or read from a pipe.

    Attributes
    ----------
    ctx : of the command
    """

    ctx: click.Context
    options: Mapping[str, click.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        """Look the options up by the name of what they set."""
        found = {str(one.name): one for one in self.ctx.command.params}
        object.__setattr__(self, "options", found)

    def given(self, name: str) -> Any:
        """Return the value of an option, None where it was not given."""
        return self.ctx.params[name]

    def value(
        self, name: str, question: str, default: str, *, may_lack: bool = False
    ) -> Any:
        """Return the value of an option: as given, else as answered, checked alike.

        Parameters
        ----------
        may_lack : the answer "none" is None
        """
        if self.given(name) is not None:
            return self.given(name)

        def read(text: str) -> Any:
            return None if may_lack and text == _NONE else self.read(name, text)

        return self.answer(name, question, default, read)

    def read(self, name: str, text: str) -> Any:
        """Return what a text says as an option would read it."""
        return self.options[name].process_value(self.ctx, text)

    def answer(
        self, name: str, question: str, default: str, read: Callable[[str], Any]
    ) -> Any:
        """Return what `read` makes of an answer; ask again on a terminal if it cannot.

        Parameters
        ----------
        name : of the option that would have said it
        default : answer of who gives none; ``""``: there must be one
        """
        while True:
            try:
                return read(self._line(name, question, default))
            except (click.UsageError, UsageError) as error:
                if self.given("yes") or not has_terminal():
                    raise
                told = (
                    error.format_message()
                    if isinstance(error, click.UsageError)
                    else error
                )
                remark(f"advisor: {told}")

    def _line(self, name: str, question: str, default: str) -> str:
        """Return a line of the answer."""
        option = self.options[name].get_error_hint(self.ctx).strip("'[]")
        if self.given("yes"):
            if not default:
                raise click.UsageError(f"Nothing says {option}.", self.ctx)
            return default
        shown = f"{question} [{default}]" if default else question
        if has_terminal():
            text = click.prompt(shown, default="", show_default=False, err=True)
            return str(text).strip() or default
        remark(f"{shown}:")
        line = sys.stdin.readline() if sys.stdin is not None else ""
        if not line:
            message = f"No answer: give {option}, or take the defaults with --yes."
            raise click.UsageError(message, self.ctx)
        return line.strip() or default


def _answers(asked: _Asked, context: Context, draft: Draft, name: str) -> Answers:
    """Return the answers to the five questions."""
    parent = _parent(asked, draft, name)
    before = draft.profile(name)
    is_same = before is not None and draft.extended(name) == parent.name
    base = before if is_same and before is not None else parent
    data = _data(asked, context, base)
    epochs = asked.value("epochs", "Epochs of a job", str(base.epochs))
    settings = draft.says.settings
    budget_usd = asked.value(
        "budget_usd",
        "Most that a job may cost, $ (none: no cap)",
        _or_none(settings.job_budget_usd, ""),
        may_lack=True,
    )
    lifetime_s = asked.value(
        "max_lifetime_s",
        "Longest time that a machine may run, such as 24h (none: as predicted)",
        _or_none(settings.max_lifetime_h, "h"),
        may_lack=True,
    )
    return Answers(
        name,
        parent,
        data,
        epochs,
        budget_usd,
        None if lifetime_s is None else lifetime_s / SECONDS_PER_HOUR,
        _market(asked, context, draft),
    )


def _parent(asked: _Asked, draft: Draft, name: str) -> Workload:
    """Return the profile that is extended, and say which one words have found."""

    def read(text: str) -> Workload:
        found = closest_workload(draft.library, text)
        if found.name != text:
            remark(f"closest: {found.name}, {found.description}")
        return found

    if (given := asked.given("workload")) is not None:
        return read(given)
    question = "What do you train? A workload, or words such as 'bert large'"
    usual = draft.extended(name) or ""
    found: Workload = asked.answer("workload", question, usual, read)
    return found


def _data(asked: _Asked, context: Context, base: Workload) -> Data:
    """Return the data set: counted in a folder, or as large as is said."""
    folder, samples = asked.given("datasets"), asked.given("samples")
    size_gb = asked.given("dataset_gb")
    if folder is not None:
        for name in ("samples", "dataset_gb"):
            if asked.given(name) is not None:
                refuse_both("--dataset", asked.options[name].opts[0])
        return _counted(context.folder / folder, base)

    def read(text: str) -> Data | int:
        if not text.isdecimal() and (context.folder / text).is_dir():
            return _counted(context.folder / text, base)
        return int(asked.read("samples", text))

    if samples is None:
        question = "Samples of an epoch, or the folder of your data set"
        samples = asked.answer("samples", question, f"{base.samples_per_epoch:.0f}", read)
    if isinstance(samples, Data):
        return samples
    if size_gb is None:
        usual = f"{usual_gb(samples, base):g}"
        answer = asked.value("dataset_gb", "Size of the data set, GB", usual)
        size_gb = None if f"{answer:g}" == usual else answer
    return Data.sized(samples, size_gb, base)


def _counted(folder: Path, base: Workload) -> Data:
    data = Data.of_folder(folder, base)
    remark(f"{folder}: {data.samples:,} samples, {data.gb:.3g} GB")
    return data


def _market(asked: _Asked, context: Context, draft: Draft) -> str | None:
    """Return the market if the file is to name it, and say where its key goes."""
    usual = context.market_name

    def read(text: str) -> str:
        if places := check_market(context, text):
            remark(
                f"{text} has no key of yours: put it in {places}; a search goes without"
            )
        return text

    given = asked.given("market")
    question = "Market: vast (real offers), sample (simulated), or another"
    market = read(given) if given else asked.answer("market", question, usual, read)
    is_usual = market == usual and draft.says.market is None and draft.hidden is None
    return None if is_usual else str(market)


def _write(asked: _Asked, draft: Draft, text: str, *, force: bool) -> None:
    """Write the file; one that is there is changed only if somebody says so."""
    if text == draft.text:
        remark(f"nothing changed: {draft.path} says so already")
        return
    if draft.text is not None and not force:
        if asked.given("yes"):
            raise UsageError(
                f"{draft.path} would change: ", Given("force"), " allows that"
            )
        aside(_changes(draft.text, text))
        leads = f", a link to {draft.path.resolve()}" if draft.path.is_symlink() else ""
        question = f"Change {draft.path}{leads}? (yes or no)"
        if asked.answer("force", question, "", _yes_or_no) is False:
            message = f"{draft.path} is left as it was"
            raise UsageError(message)
    if draft.hidden is not None:
        remark(f"{draft.hidden} does not count in this folder any more: its caps, too")
    draft.write(text)
    remark(f"written: {draft.path}")


def _changes(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "now", "then", lineterm="", n=1
    )
    return "\n".join(lines)


def _yes_or_no(text: str) -> bool:
    if text.lower() in {"y", "yes"}:
        return True
    if text.lower() in {"n", "no"}:
        return False
    message = f"{text!r} is neither yes nor no"
    raise UsageError(message)


def _or_none(value: float | None, unit: str) -> str:
    return _NONE if value is None else f"{value:g}{unit}"
