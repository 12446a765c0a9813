"""What becomes of a log once its command has ended on its machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from advisor.app.context import Context
from advisor.app.delivered import compare
from advisor.app.job import JobSpec
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.rental.jobs import JobRecord
from advisor.rental.run import Ended

PREDICTED = {
    "workload": "resnet50",
    "gpu": "RTX 4090",
    "num_gpus": 1,
    "cpu": None,
    "threads": 16.0,
    "cpu_ghz": None,
    "batch_size": 256,
    "precision": "amp",
    "samples_per_s": 1200.0,
}
LOG = "using world size: 8, data-parallel size: 8\n" + "".join(
    f" iteration {step}/ 500000 | consumed samples: {step * 512} | "
    f"elapsed time per iteration (ms): 800.0 | global batch size: 512 | "
    f"lm loss: 6.12E+00 |\n"
    for step in (100, 200, 300)
)


def test_a_log_that_contradicts_the_machine_is_told_in_the_words_of_the_face(
    tmp_path: Path,
) -> None:
    """A user of the command line has options, and no arguments of Python."""
    log, told = tmp_path / "log", list[str]()
    log.write_text(LOG)
    job = JobSpec("resnet50")
    spec = RunSpec(RentSpec(job), ("true",), str(tmp_path))
    ended = Ended(log, JobRecord("mine", spec, predicted=PREDICTED, exit_code=0))
    context = Context({}, tmp_path, tmp_path, notify=told.append)
    terminal = replace(context, called={"num_gpus": "--num-gpus"}.__getitem__)
    for face, argument in ((context, "num_gpus"), (terminal, "--num-gpus")):
        compare(face, ended, job, face.library.load("resnet50"))
        assert told.pop().endswith(f"not of 1: give {argument} 8")
    assert not told
