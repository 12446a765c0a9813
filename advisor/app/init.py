"""An ``advisor.toml`` for a project: a profile, limits, a market, from a few answers.

What is as in the profile that is extended is not repeated, so that each figure keeps its
source; whatever else is in the file stays.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.app.context import Context
from advisor.base.errors import Given, UsageError
from advisor.base.files import write_atomically
from advisor.base.units import BYTES_PER_GB
from advisor.market.capabilities import KeyedMarket
from advisor.workloads import dataset, saved
from advisor.workloads.load import (
    PROJECT_FILE,
    Library,
    library_of,
    looks_like_path,
    project_files,
    read_text,
)
from advisor.workloads.parse import EXTENDS, WORKLOADS
from advisor.workloads.profile import Workload
from advisor.workloads.project import MARKET, ProjectFile, is_market_name, parse_project
from advisor.workloads.settings import RENTAL, Settings
from advisor.workloads.trust import refusal

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_MODE = 0o644
_MANY = 6
_USUAL_NAME = "mine"
_HEADER = (
    "advisor's settings of this project: 'advisor workloads show NAME' lists all keys."
)


@dataclass(frozen=True, slots=True)
class Data:
    """A data set.

    Attributes
    ----------
    samples : in an epoch
    gb : size, 10^9 bytes
    sample_bytes : read from disk for a sample
    """

    samples: int
    gb: float
    sample_bytes: float

    @classmethod
    def sized(cls, samples: int, gb: float | None, base: Workload) -> Data:
        """Return the data set of a number of samples.

        Parameters
        ----------
        gb : its size; None: in proportion to that of the profile
        base : profile that has what nobody says

        Raises
        ------
        UsageError
            if a sample has less than a byte
        """
        if gb is None or gb == 0.0 or (samples, gb) == _size_of(base):
            usual = usual_gb(samples, base) if gb is None else gb
            return cls(samples, usual, base.disk_bytes_per_sample)
        each = gb * BYTES_PER_GB / samples
        if each < 1.0:
            raise UsageError(
                *(Given("dataset_gb"), f": {gb:g} GB are less than a byte for each of "),
                f"{samples:,} samples",
            )
        return cls(samples, gb, each)

    @classmethod
    def of_folder(cls, folder: Path, base: Workload) -> Data:
        """Count a folder, whose files are samples.

        Raises
        ------
        UsageError
            if there is no such folder, or a file of it is no sample of the profile
        """
        files = dataset.files_of(folder, base)
        number = len(files.samples)
        size_gb = files.folder_bytes / BYTES_PER_GB
        return cls(number, size_gb, files.sample_bytes / number)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a project is asked for.

    Attributes
    ----------
    name : of the profile
    parent : profile that it extends
    data : the data set
    epochs : of a job
    budget_usd : most that a job may cost, $; None: no cap
    max_lifetime_h : hours after which a machine is gone at the latest; None: as predicted
    market : that is asked; None: the usual one
    """

    name: str
    parent: Workload
    data: Data
    epochs: int
    budget_usd: float | None
    max_lifetime_h: float | None
    market: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """The file of a project, as it is before anything is written.

    Attributes
    ----------
    path : of the file
    text : of it; None: there is none
    says : what it says
    library : profiles that one in it may extend: the user's and the built-in ones
    hidden : file above it that counts now, and would not any more; None: none
    """

    path: Path
    text: str | None
    says: ProjectFile
    library: Library
    hidden: Path | None

    @property
    def name(self) -> str:
        """What the profile is called where nobody says: as the file's, or the folder."""
        if len(self.says.profiles) == 1:
            return next(iter(self.says.profiles))
        known = self.library.files()
        folder = re.sub(r"[^A-Za-z0-9_-]+", "-", self.path.parent.name).strip("-_")
        names = (folder, f"{folder}-{_USUAL_NAME}") if folder else ()
        taken = {*known, *self.says.profiles}
        usual = (one for one in (*names, _USUAL_NAME) if one not in taken)
        return next(usual, f"{_USUAL_NAME}-{len(taken)}")

    def extended(self, name: str) -> str | None:
        """Return the profile that one of the file extends, None if that is not said."""
        table = _document(self.text).get(WORKLOADS, {}).get(name, {})
        is_said = isinstance(table, Mapping) and EXTENDS in table
        return str(table[EXTENDS]) if is_said else None

    def profile(self, name: str) -> Workload | None:
        """Return a profile of the file, None if there is none that can be used."""
        read = self.says.profiles.get(name)
        try:
            return read(self.library.load) if read else None
        except UsageError:  # it is about to be corrected
            return None

    def with_answers(self, answers: Answers) -> str:
        """Return the text of the file with what was answered.

        Raises
        ------
        UsageError
            if the file would not be right then
        """
        import tomlkit  # noqa: PLC0415  (only what writes profiles needs it)

        document = _document(self.text)
        if self.text is None:
            document.add(tomlkit.comment(_HEADER))
        _put(document, {MARKET: answers.market})
        profiles = _table(document, WORKLOADS, is_super=True)
        profile = _table(profiles, answers.name)
        _put(profile, {EXTENDS: answers.parent.name, **_figures(answers)})
        limits = {
            "job_budget_usd": answers.budget_usd,
            "max_lifetime_h": answers.max_lifetime_h,
        }
        if RENTAL in document or any(limits.values()):
            _put(_table(document, RENTAL), limits)
        text = f"{tomlkit.dumps(document).rstrip()}\n"
        parse_project(text, str(self.path)).profiles[answers.name](self.library.load)
        return text

    def write(self, text: str) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        UsageError
            if somebody has changed it since, or it is not obeyed where it is
        """
        path = self.path.resolve()  # where it is a link, what it leads to is written
        if _text_of(self.path) != self.text:
            message = f"{self.path} has been changed meanwhile: run the command again"
            raise UsageError(message)
        mode = _MODE if self.text is None else stat.S_IMODE(path.stat().st_mode)
        write_atomically(path, text.encode("utf-8"), mode)
        if (mistrusted := refusal(self.path)) is not None:
            raise UsageError(str(mistrusted))


def draft_of(context: Context) -> Draft:
    """Return the file of the project in the working folder.

    Raises
    ------
    UsageError
        if it cannot be read, is not right, or would not be obeyed
    """
    path = context.folder / PROJECT_FILE
    text = _text_of(path)
    if text is None:
        says = ProjectFile({}, Settings())
    else:
        if (mistrusted := refusal(path)) is not None:
            raise UsageError(str(mistrusted))
        says = parse_project(text, str(path))
    library = library_of(context.data_folder, context.folder)
    own = tuple(one for one in library.projects if one.parent == context.data_folder)
    above = project_files(context.data_folder, context.folder).obeyed
    hidden = next((one for one in above if one not in {path, *own}), None)
    return Draft(path, text, says, Library(library.user, own), hidden)


def check_name(draft: Draft, name: str, *, force: bool) -> None:
    """Refuse a name that would hide a profile, unless it is forced to.

    Raises
    ------
    UsageError
        if it is
    """
    if name not in draft.says.profiles:
        saved.check_free(draft.library, name, force=force)


def closest_workload(library: Library, text: str) -> Workload:
    """Return the profile of a name, else the one that words describe best.

    Raises
    ------
    UsageError
        if there is none, or several fit as well
    """
    if text in library.files():
        return library.load(text)
    if looks_like_path(text):
        message = f"{text!r} is a path: name a workload, or describe it in words"
        raise UsageError(message)
    profiles = library.all()[0]
    fit = {one.name: _fit(text, one) for one in profiles}
    best = max(fit.values(), default=0)
    if not best:
        message = f"no workload is like {text!r}: 'advisor workloads list' shows all"
        raise UsageError(message)
    found = [one for one in profiles if fit[one.name] == best]
    if len(found) > 1:
        more = f" or {len(found) - _MANY} others" if len(found) > _MANY else ""
        names = ", ".join(one.name for one in found[:_MANY])
        raise UsageError(f"{text!r} may be {names}{more}: name one")
    return found[0]


def check_market(context: Context, name: str) -> str:
    """Return where the key of a market goes if it needs one that is not there, else "".

    Raises
    ------
    UsageError
        if there is no such market
    """
    if not is_market_name(name):
        why = ": the name of a market is expected, such as vast or sample"
        raise UsageError(Given(MARKET), why)
    opened = context.open_named(name)
    if isinstance(opened, KeyedMarket) and opened.key_origin is None:
        return opened.key_places
    return ""


def usual_gb(samples: int, base: Workload) -> float:
    """Return the size of a data set in proportion to that of a profile, 10^9 bytes."""
    if samples == base.samples_per_epoch:
        return base.dataset_gb
    return float(f"{base.dataset_gb * samples / base.samples_per_epoch:.3g}")


def _size_of(base: Workload) -> tuple[float, float]:
    return base.samples_per_epoch, base.dataset_gb


def _figures(answers: Answers) -> Mapping[str, float | None]:
    """Return key -> figure of the profile; None: as in the one that it extends."""
    parent, data = answers.parent, answers.data
    asked: Mapping[str, float] = {
        "samples_per_epoch": data.samples,
        "dataset_gb": data.gb,
        "disk_bytes_per_sample": data.sample_bytes,
        "epochs": answers.epochs,
    }
    return {
        name: None if getattr(parent, name) == value else value
        for name, value in asked.items()
    }


def _fit(text: str, workload: Workload) -> int:
    """Return how many of some words are the beginning of one of a profile's."""
    told = f"{workload.name} {workload.description} {workload.task}".lower()
    known = re.findall(r"[a-z0-9.]+", told)
    words = {one for one in re.findall(r"[a-z0-9.]+", text.lower()) if len(one) > 1}
    return sum(any(one.startswith(word) for one in known) for word in words)


def _text_of(path: Path) -> str | None:
    return read_text(path) if path.exists() or path.is_symlink() else None


def _document(text: str | None) -> TOMLDocument:
    import tomlkit  # noqa: PLC0415

    return tomlkit.parse(text or "")


def _table(
    place: MutableMapping[str, Any], name: str, *, is_super: bool = False
) -> MutableMapping[str, Any]:
    """Return a table, made where it is missing."""
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import InlineTable  # noqa: PLC0415

    if name not in place:  # what stands on one line goes on there
        is_inline = isinstance(place, InlineTable)
        place[name] = tomlkit.inline_table() if is_inline else tomlkit.table(is_super)
    table = place[name]
    if not isinstance(table, MutableMapping):
        message = f"{PROJECT_FILE}: {name}: a table is expected: correct it first"
        raise UsageError(message)
    return table


def _put(
    table: MutableMapping[str, Any], values: Mapping[str, str | float | None]
) -> None:
    """Set keys; those that are None are removed."""
    for name, value in values.items():
        if value is None:
            table.pop(name, None)
        elif table.get(name) != value:
            table[name] = _plain(value)


def _plain(value: str | float) -> str | float:
    """Return a value as TOML has it: a number that is whole without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
