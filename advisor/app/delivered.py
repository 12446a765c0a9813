"""What a run has delivered, beside what was predicted: seen, compared, recorded."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.plan import Plan
from advisor.app.recorded import compared, store_compared, too_slow
from advisor.base.errors import AdvisorError, UsageError
from advisor.rental.request import Rental
from advisor.rental.run import Ended
from advisor.throughput.user_runs import UserRun
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.workloads.logs import LogReading


def predicted_of(context: Context, planned: Plan, rental: Rental) -> Mapping[str, Any]:
    """Return what a run on this machine is recorded with, and compared to.

    That is nothing where the card is in no table: no other prediction could follow it.
    """
    chosen = rental.chosen
    workload = planned.job.workload
    card = chosen.gpu
    if card is None:
        context.notify(f"{chosen.gpu_name} is in no table: its run will not be recorded")
        return {}
    return {
        "workload": workload.name,
        "gpu": card.name,
        "num_gpus": chosen.num_gpus,
        "cpu": chosen.cpu_name,
        "threads": _known(chosen.cpu_cores),
        "cpu_ghz": _known(chosen.cpu_ghz),
        "batch_size": chosen.micro_batch,
        "precision": workload.precision,
        "samples_per_s": chosen.samples_per_s,
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def compare(context: Context, ended: Ended, spec: JobSpec, workload: Workload) -> None:
    """Record the throughput that the log gives evidence of, beside what was predicted.

    What goes wrong here is reported: the job is done all the same.
    """
    known = dict(ended.job.predicted)
    if not known:
        return
    if ended.job.exit_code != 0:
        context.notify("the command failed: no throughput is recorded")
        return
    try:
        reading = _seen(context, ended, spec, workload)
        known |= {"samples_per_s": reading.samples_per_s, "batch_size": reading.batch}
        run = UserRun(**known)
        stored = context.library.load(spec.workload)
        expected = compared(context, run, workload, stored)
        if too_slow(run, expected):
            message = (
                f"it is below a hundredth of the {expected.samples_per_s:.3g} samples/s "
                "predicted"
            )
            raise UsageError(message)
        store_compared(context, run, expected, reading.reader, reading.document())
    except AdvisorError as error:
        context.notify(f"no throughput is recorded: {context.words_of(error)}")


def _seen(
    context: Context, ended: Ended, spec: JobSpec, workload: Workload
) -> LogReading:
    """Return what the log gives evidence of, and say what it is.

    Nobody has said that the command is a training: the log must show that; and it must
    state the batch, unless the user has set it.

    Raises
    ------
    UsageError
        if it does not; the message has the command that records it all the same
    """
    from advisor.workloads.logs import Asked, read_log  # noqa: PLC0415  (start-up)

    own = "batch_size" in dict(spec.settings)
    by_hand = f"this records it: {_record_command(ended, spec, own_batch=own)}"
    batch = workload.batch_size if own else None
    num_gpus = int(ended.job.predicted["num_gpus"])
    reading = read_log(ended.log, Asked(batch, num_gpus))
    context.notify(reading.summary())
    for mark in reading.marks:
        context.notify(mark)
    if reading.batch is None:
        unsaid = "neither the log nor the setting batch_size states the batch"
        raise UsageError(f"{unsaid}; {by_hand}")
    if num_gpus > 1 and not reading.shows_gpus:
        message = (
            f"nothing shows that all {num_gpus} GPUs trained; if they did, {by_hand}"
        )
        raise UsageError(message)
    if not reading.assured:
        raise UsageError(f"nothing shows that it is a training; if it is, {by_hand}")
    return reading


def _record_command(ended: Ended, spec: JobSpec, *, own_batch: bool) -> str:
    """Return the command that records a run by hand."""
    known = ended.job.predicted
    words = ["advisor", "record", "--workload", spec.workload]
    words += ["--gpu", known["gpu"], "--num-gpus", str(known["num_gpus"])]
    for flag, key in (("--cpu", "cpu"), ("--cores", "threads"), ("--clock", "cpu_ghz")):
        if known[key] is not None:
            value = known[key]
            words += [flag, value if isinstance(value, str) else f"{value:g}"]
    for key, value in spec.settings:
        words += ["--set", f"{key}={value}"]
    if not own_batch:
        words += ["--batch", "SAMPLES"]
    return shlex.join([*words, "--from-log", str(ended.log)])
