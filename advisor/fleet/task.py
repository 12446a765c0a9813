"""What Dask runs on a machine: a task that starts an attempt, or joins it, and watches.

It is shipped by value and needs nothing there but Python, so that a machine needs no
advisor. The training never runs in it: a task may be lost, run again or come late, and
the attempt is not touched by that (see `advisor.rental.remote.held_job`).
"""

from __future__ import annotations

from collections.abc import Mapping


def run_job(scripts: Mapping[str, str], every_s: float) -> tuple[str, int | None]:
    """Start an attempt, or join it, and return where it stands once it runs no more.

    Nothing is held meanwhile, and nothing ends when this is cancelled or killed.

    Parameters
    ----------
    scripts : ``start`` and ``state``, of `advisor.rental.remote.held_job.TaskScripts`
    every_s : most seconds between two looks

    Returns
    -------
    phase, as `advisor.rental.remote.held_job.HeldState` has it, and exit code
    """
    import os  # noqa: PLC0415  (what is shipped by value brings its imports along)
    import subprocess  # noqa: PLC0415
    import time  # noqa: PLC0415

    # The worker's own settings are none of the command's: its Python and libraries, its
    # GPUs, and as many threads as Dask gives a task. The image's own it reads by itself.
    of_the_worker = ("CUDA_", "DASK_", "LD_", "MALLOC_", "PYTHON", "VIRTUAL_", "_ADVISOR")
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(of_the_worker) and not name.endswith("_NUM_THREADS")
    }

    def said(name: str) -> list[str]:
        script = f"{{\n{scripts[name]}\n}}\n"  # read whole before any of it runs
        done = subprocess.run(
            ["/bin/sh", "-s"],
            input=script.encode(errors="surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            check=False,
        )
        return done.stdout.decode(errors="replace").split()

    said("start")
    pause_s = min(0.05, every_s)
    while (words := said("state")) and words[0] == "running":
        time.sleep(pause_s)
        pause_s = min(2.0 * pause_s, every_s)
    phase = words[0] if words else ""
    is_code = phase == "ended" and len(words) == 2 and words[1].isdecimal()
    return phase, int(words[1]) if is_code else None
