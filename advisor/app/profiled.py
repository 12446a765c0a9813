"""A training is run and watched, and its profile made, stored, and compared."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.app.context import Context
from advisor.app.recorded import compared, store_compared, too_slow
from advisor.base.errors import (
    AdvisorError,
    ArgumentError,
    CommandFailedError,
    Given,
    UsageError,
)
from advisor.base.figures import figure
from advisor.base.files import nearest, write_atomically, write_output
from advisor.hardware.gpus import load_gpus
from advisor.measure.hooks.observation import Observation
from advisor.measure.observed import LEAST_TIMED, Pace, pace_of, trainer_of
from advisor.measure.probe.cores import granted_cores
from advisor.measure.profiling import Watch, Watched, check_command, run_watched
from advisor.measure.seen.workload import Seen, profile_of
from advisor.measure.this_core import this_core
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads import saved
from advisor.workloads.dataset import this_cpu
from advisor.workloads.dump import dump_workload
from advisor.workloads.parse import checked_workload, is_name

USUAL_SECONDS = 60.0
"""How long a training is watched if nobody says."""

_LAST = "profile.toml"
"""File of the cache folder with the profile that was made last."""

_READER = "profile"
"""Where the throughput of a recorded run is from."""


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """What is to be profiled, and where the profile goes.

    Attributes
    ----------
    argv : command that trains
    steps, seconds : after which it is stopped, see `Watch`; both None: `USUAL_SECONDS`
    epoch_samples : samples of an epoch; None: as the DataLoader says
    redirect_cuda : see `Watch`
    base : profile that has what is not seen; None: the nearest built-in one
    name : under which it is saved as the user's; None: it is not
    output : file that it is written to; None: none
    force : a profile of that name may be replaced

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no command, or two places
    """

    argv: tuple[str, ...]
    steps: int | None = None
    seconds: float | None = None
    epoch_samples: int | None = None
    redirect_cuda: bool = False
    base: str | None = None
    name: str | None = None
    output: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        """Check it."""
        if not self.argv:
            message = "say what to run: advisor profile -- python train.py ..."
            raise UsageError(message)
        if self.name is not None and self.output is not None:
            raise ArgumentError(
                *("give ", Given("name"), " or ", Given("output"), ", not both")
            )

    @property
    def watch(self) -> Watch:
        """How it is watched."""
        endless = self.steps is None and self.seconds is None
        seconds = USUAL_SECONDS if endless else self.seconds
        return Watch(self.argv, self.steps, seconds, self.redirect_cuda)

    @property
    def script(self) -> str:
        """What runs, for people: the first script of the words, or Python's module.

        No other word is shown anywhere: it may be a key.
        """
        program = Path(self.argv[0]).name
        words = self.argv[1:]
        if program.startswith("python") and "-m" in words[:-1]:
            module = words[words.index("-m") + 1]
            if all(part.isidentifier() for part in module.split(".")):
                return module
        return next((Path(one).name for one in words if one.endswith(".py")), program)

    @property
    def workload_name(self) -> str:
        """Name of the profile: the user's, or one made of what runs."""
        if self.name is not None:
            return self.name
        stem = re.sub(r"\.(py|sh)$", "", self.script)
        plain = re.sub(r"[^\w.-]+", "-", stem).strip("-_.")
        return plain if is_name(plain) else "training"


@dataclass(frozen=True, slots=True)
class Profiled:
    """A training that was profiled.

    Attributes
    ----------
    seen : its profile
    observation : of the process that trains
    pace : how fast it ran; None: too few steps were timed
    status : exit status of the training
    processes : that imported PyTorch
    path : file that the profile is in
    is_saved : it is one of the user's; false: it is a file, or was left in the cache
    failed : why the command fails all the same; None: it does not
    interrupted : the user ended it
    """

    seen: Seen
    observation: Observation
    pace: Pace | None
    status: int
    processes: int
    path: Path
    is_saved: bool
    failed: AdvisorError | None = None
    interrupted: bool = False


def check(context: Context, spec: ProfileSpec) -> None:
    """Refuse what would fail once the training has run.

    Raises
    ------
    advisor.base.errors.UsageError
        if the command cannot be watched, the name is taken, or there is no such base
    """
    check_command(spec.argv, context.variables.get("PATH"))
    if spec.name is not None:
        if not is_name(spec.name):
            message = ": letters, digits, '-', '_' and '.', a letter or digit first"
            raise UsageError(Given("name"), message)
        saved.check_free(context.library, spec.name, force=spec.force)
        if (folder := context.library.user) is not None:
            _check_writable(Given("name"), folder)
    if spec.base is not None:
        context.library.load(spec.base)
    if spec.output is not None:
        if not spec.output.absolute().parent.is_dir():
            message = f": there is no folder {spec.output.parent}"
            raise UsageError(Given("output"), message)
        _check_writable(Given("output"), spec.output.absolute().parent)


def _check_writable(option: Given, folder: Path) -> None:
    """Refuse a folder that, or what is there of it, cannot be written to."""
    there = nearest(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(option, f": {there} cannot be written to")


def profiled(context: Context, spec: ProfileSpec, stdout: int | None = None) -> Profiled:
    """Run a training, watch it, and make its profile.

    Parameters
    ----------
    stdout : descriptor of where the training's output goes; None: where this process's
        goes

    Raises
    ------
    advisor.base.errors.AdvisorError
        if nothing was seen that a profile can be made of
    KeyboardInterrupt
        if that is because the user ended it
    """
    check(context, spec)
    with tempfile.TemporaryDirectory(prefix="advisor-profile-") as folder:
        watched = run_watched(
            spec.watch,
            Path(folder),
            context.variables,
            stdout=stdout,
            notify=context.notify,
        )
    trainer = trainer_of(watched.observations)
    if trainer is None:
        if watched.interrupted:
            context.notify("no optimizer step was seen before it was interrupted")
            raise KeyboardInterrupt
        raise _nothing_seen(spec, watched)
    tables = load_tables(context.models)
    try:
        seen = profile_of(
            trainer,
            context.library.load,
            name=spec.workload_name,
            script=spec.script,
            core=this_core(tables.cpus, tables.model.cpu),
            base=spec.base,
            epoch_samples=spec.epoch_samples,
        )
        checked_workload(seen.workload)
    except AdvisorError as error:
        if watched.interrupted:
            context.notify(str(error))
            raise KeyboardInterrupt from error
        if watched.failed:
            raise _command_failed(spec, watched, str(error)) from error
        raise
    path, lost = _stored(context, spec, seen)
    made = Profiled(
        seen=seen,
        observation=trainer,
        pace=pace_of(trainer),
        status=watched.status,
        processes=len(watched.observations),
        path=path,
        is_saved=spec.name is not None and lost is None,
        failed=lost or (_command_failed(spec, watched) if watched.failed else None),
        interrupted=watched.interrupted,
    )
    if made.is_saved:
        _record(context, made)
    return made


def _stored(
    context: Context, spec: ProfileSpec, seen: Seen
) -> tuple[Path, AdvisorError | None]:
    """Write the profile to where it goes, its figures marked.

    Returns
    -------
    tuple
        Its file, which is in the cache where it could not be written there, and why.
    """
    text = dump_workload(seen.workload, seen.marks)
    try:
        if spec.name is not None:
            saved.save_text(context.library, spec.name, text, force=spec.force)
            return saved.saved_path(context.library, spec.name), None
        if spec.output is not None:
            write_output(spec.output, text.encode())
            return spec.output, None
    except AdvisorError as error:
        return _left(context, text), error
    except OSError as error:
        why = AdvisorError(f"cannot write {error.filename}: {error.strerror}")
        return _left(context, text), why
    return _left(context, text), None


def _left(context: Context, text: str) -> Path:
    """Leave a profile in the cache, or else among the temporary files."""
    path = context.cache_folder / _LAST
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError:
        handle, name = tempfile.mkstemp(prefix="advisor-profile-", suffix=".toml")
        os.close(handle)
        path = Path(name)
        path.write_text(text, encoding="utf-8")
    return path


def _record(context: Context, made: Profiled) -> None:
    """Keep the throughput of a training on a GPU as a run of the user's."""
    seen, pace = made.observation, made.pace
    gpus = seen.device.gpus
    if seen.device.kind != "cuda" or not gpus or made.interrupted:
        return
    if pace is None or pace.samples_per_s is None:
        context.notify(
            f"no run is recorded: fewer than {LEAST_TIMED} steps were timed, or their "
            "samples are not known"
        )
        return
    workload = made.seen.workload
    try:
        card = load_gpus().find(gpus[0]).name
        run = UserRun(
            workload=workload.name,
            gpu=card,
            num_gpus=seen.distributed.world_size * max(seen.distributed.gpus, 1),
            samples_per_s=pace.samples_per_s,
            cpu=this_cpu() or None,
            threads=granted_cores().granted,
            cpu_ghz=None,
            batch_size=workload.batch_size,
            precision=workload.precision,
        )
        expected = compared(context, run, workload, workload)
    except UsageError as error:
        context.notify(f"no run is recorded: {error}")
        return
    evidence = _evidence(made, pace)
    if too_slow(run, expected):
        evidence["marks"].append("below a hundredth of the prediction")
    store_compared(context, run, expected, _READER, evidence)


def _evidence(made: Profiled, pace: Pace) -> dict[str, Any]:
    """Return what shows the throughput of a run."""
    marks = [] if pace.bound != "data" else ["bound by its data: the loop waits for them"]
    parts: Sequence[Mapping[str, str]] = (
        {
            "part": "rate",
            "says": f"{figure(pace.samples_per_s or 0.0, 3)} samples/s",
            "from": f"{pace.steps} steps after warm-up, {pace.step_ms:.3g} ms each, "
            f"log-sd {pace.log_sd:.2g}",
        },
        {
            "part": "batch",
            "says": f"{made.seen.workload.batch_size} per GPU and step",
            "from": made.seen.figures["batch_size"].words,
        },
        {
            "part": "bound",
            "says": pace.bound or "not known",
            "from": "not known"
            if pace.wait_share is None
            else f"{pace.wait_share:.0%} of the time waiting for data",
        },
    )
    return {"reader": _READER, "parts": [dict(one) for one in parts], "marks": marks}


def _command_failed(
    spec: ProfileSpec, watched: Watched, besides: str = ""
) -> CommandFailedError:
    how = f"exit status {watched.status}"
    if watched.status < 0:
        how = f"signal {-watched.status}"
    error = next((one.ended.error for one in watched.observations if one.ended.error), "")
    why = f", {error}" if error else ""
    more = f"; {besides}" if besides else ""
    parts: list[str | Given] = [f"{spec.script} failed by itself ({how}{why}){more}"]
    if any(
        one.device.cuda_asked and not one.device.redirected
        for one in watched.observations
    ):
        parts.append("; it asked for CUDA, and there is none: ")
        parts += [Given("redirect_cuda"), " leads such calls to the CPU"]
    return CommandFailedError(*parts)


def _nothing_seen(spec: ProfileSpec, watched: Watched) -> AdvisorError:
    """Return the error of a command of which no training was seen."""
    if watched.failed:
        return _command_failed(spec, watched, "no optimizer step was seen before")
    if not watched.observations:
        return AdvisorError(
            f"{spec.script} ended and PyTorch was not seen in it: a Python that ignores "
            "PYTHONPATH (-I, -E, -S), a script that sets PYTHONPATH anew, a container, "
            "or another framework cannot be watched"
        )
    notes = [note for one in watched.observations for note in one.notes]
    more = f" ({notes[0]})" if notes else ""
    return AdvisorError(
        f"{spec.script} ended without a step of a PyTorch optimizer{more}: a profile "
        "needs a training that makes steps"
    )
