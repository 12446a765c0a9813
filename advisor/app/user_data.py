"""The user's own data sets, whose samples, bytes and CPU time a profile takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from advisor.app.context import Context
from advisor.base.errors import Given, UsageError
from advisor.base.units import BYTES_PER_GB
from advisor.hardware.core_speed import named_speed, unnamed_speed
from advisor.hardware.cpus import load_cpus
from advisor.throughput.tables import load_tables
from advisor.workloads import dataset
from advisor.workloads.dataset import Core, Files, Spent
from advisor.workloads.profile import Workload
from advisor.workloads.script import load_function

_LONG_MS = 5.0
"""A sample that waits longer for something else than the CPU is reported."""


@dataclass(frozen=True, slots=True)
class UserData:
    """Data sets that were asked for.

    Attributes
    ----------
    context : where they are looked for
    folder, files : of the folder; None: none was given
    make : returns the data set of the user's script; None: none was given
    target : the script and its function, for people
    """

    context: Context
    folder: Path | None = None
    files: Files | None = None
    make: Callable[[], Any] | None = None
    target: str = ""

    @classmethod
    def parse(cls, context: Context, texts: Sequence[str], base: Workload) -> UserData:
        """Read what was given, and find the files and the function.

        Parameters
        ----------
        texts : each a folder or ``SCRIPT.py:FUNCTION``
        base : workload whose samples they are

        Raises
        ------
        advisor.base.errors.UsageError
            if there is no such folder or function, or there are two of a kind
        """
        found = cls(context)
        for text in texts:
            folder = context.folder / text
            function = not folder.is_dir() and text.rpartition(":")[2].isidentifier()
            if (function and found.make) or (not function and found.files):
                each = ": one folder and one function may be given"
                raise UsageError(Given("datasets"), each)
            if function and ":" in text:
                make = load_function(text, context.folder)
                found = replace(found, make=make, target=text)
            else:
                files = dataset.files_of(folder, base, context.progress)
                found = replace(found, folder=folder, files=files)
        return found

    def added_to(self, profile: Workload) -> Workload:
        """Return a profile with what the data sets need, and say what was seen."""
        if self.files is not None:
            profile = self._with_files(profile, self.files)
        if self.make is not None:
            profile = self._with_function(profile, self.make)
        return profile

    def _with_files(self, profile: Workload, files: Files) -> Workload:
        size_gb = files.folder_bytes / BYTES_PER_GB
        left_out = f"; left out: {files.left_out}" if files.left_out else ""
        number = len(files.samples)
        self.context.notify(
            f"{self.folder}: {number:,} samples, {size_gb:.3g} GB{left_out}"
        )
        size = dataset.recipe_of(profile)
        if self.make is not None or isinstance(size, str):
            if self.make is None:
                self.context.notify(str(size))
            return dataset.with_files(profile, files, None)
        context = self.context
        spent = dataset.prepare_files(
            files.samples, size, context.notify, progress=context.progress
        )
        _report_broken(self.context, spent, "files")
        profile = dataset.with_files(profile, files, spent)
        what = f"decode, random crop, flip and normalize to {size[0]}x{size[1]}"
        return self._with_cpu_time(profile, spent, what)

    def _with_function(self, profile: Workload, make: Callable[[], Any]) -> Workload:
        with redirect_stdout(sys.stderr):
            try:
                made = make()
            except Exception as error:
                why = f": {self.target} fails: {type(error).__name__}: {error}"
                raise UsageError(Given("datasets"), why) from error
            number, spent = dataset.fetch(made, self.context.notify)
        _report_broken(self.context, spent, "samples")
        profile = dataset.with_length(profile, number)
        if self.files is None:
            self.context.notify(
                f"the bytes of a sample and of the data set are those of the base of "
                f"{profile.name}: they are counted if its folder is given as well "
                f"({self.context.called('datasets')} DIR)"
            )
        return self._with_cpu_time(profile, spent, f"one sample of {self.target}")

    def _with_cpu_time(self, profile: Workload, spent: Spent, what: str) -> Workload:
        core = _this_core(self.context)
        if spent.waited_ms > _LONG_MS and spent.waited_ms > spent.milliseconds:
            self.context.notify(
                f"a sample waits {spent.waited_ms:.3g} ms besides, for the disk, the "
                "network or other processes: that is not of the CPU, and not counted"
            )
        self.context.notify(
            f"{spent.milliseconds:.3g} ms of CPU for {what} ({core.source}), "
            f"{spent.milliseconds * core.speed:.3g} ms on the reference core"
        )
        return dataset.with_cpu_time(profile, spent, core, what)


def _report_broken(context: Context, spent: Spent, what: str) -> None:
    if spent.broken:
        context.notify(
            f"{spent.broken} of {spent.tried} {what} that were tried are broken, and "
            f"would stop a training: {spent.first}"
        )


def _this_core(context: Context) -> Core:
    """Return a core of this machine, one of speed 1 where its name says nothing."""
    cpu = dataset.this_cpu()
    known = load_cpus().resolve(cpu)
    constants = load_tables(context.models).model.cpu
    if known is None:
        guessed = unnamed_speed(float("nan"), float("nan"), False, constants)
        told = f"{cpu or 'a CPU without a name'}, in no table, taken as 1"
        return Core(guessed.speed, guessed.log_sd, told)
    return Core(*named_speed(known, constants), cpu)
