"""What a job's machine has comes back whole and bounded, or stays and is told of."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.rental.outgoing.decide import Asked, Private, decide
from advisor.simulator.local import LocalContainers

pytestmark = pytest.mark.slow

if missing := LocalContainers.missing():
    pytest.skip(missing, allow_module_level=True)
if shutil.which("rsync") is None:
    pytest.skip("rsync is not installed", allow_module_level=True)

RUN = ("run", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1", "--yes")
KEY = "test-key-0123456789abcdef"


@pytest.fixture
def street(inhabited: Any) -> Any:
    """Return a calm market whose machines are there."""
    return inhabited


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 300 MB of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def home_of(street: Any) -> Path:
    (home,) = (street.folder / "machines").glob("*/home")
    return Path(home)


def at_home_in(street: Any, data: Path, *words: str) -> Any:
    """Run a script with advisor's own data in another folder."""
    context = street.context()
    variables = {**context.variables, "ADVISOR_DATA_DIR": str(data)}
    line = (*RUN, *words, "--", "sh", "-c", "sh train.sh 2>/dev/null; true")
    return street.run_command(line, replace(context, variables=variables))


def test_how_much_may_come_back_is_told_before(street: Any, project: Path) -> None:
    """For people and for programs; what is no size is refused."""
    line = (*RUN, "--sync", str(project), "--dry-run", "--json")
    done = street.launch(*line, "true")
    assert done.document["max_results_gb"] == 50
    assert "at most 50 GB come back (--max-results-gb)" in done.stderr
    done = street.launch(*line, "--max-results-gb", "0.5", "true")
    assert done.document["max_results_gb"] == 0.5
    for wrong in ("0", "-1", "nan", "inf"):
        assert street.launch(*line, "--max-results-gb", wrong, "true").exit_code == 2


def test_results_that_are_too_large_stay_until_the_end(
    street: Any, project: Path
) -> None:
    """Whether a launcher is heard or not; more is allowed, and they come."""
    script = "mkdir results && truncate -s 3M results/zeros && echo done"
    words = ("--job", "big", "--max-results-gb", "0.001", "--max-lifetime", "20h")
    done = street.run(project, script, *words)
    assert done.exit_code == 1
    (entry,) = street.entries()
    assert "with work/results of the machine 3.15 MB come back, more than " in done.stderr
    assert "the 0.001 GB that may: raise --max-results-gb" in done.stderr
    end = re.search(r"which bills, until its end at ([\d-]+ [\d:]+) UTC", done.stderr)
    assert end is not None
    assert end[1] == "2026-11-21 11:00"
    assert abs(entry.ends_at - street.world.clock.now() - 20 * 3600) < 600
    keep = home_of(street) / ".advisor" / "keep"
    assert keep.exists()
    assert len(street.instances()) == 1
    done = street.launch("run", "--yes", "--resume", "big", "--max-results-gb", "1")
    assert done.exit_code == 0, done.stderr
    assert (project / "results" / "zeros").stat().st_size == 3 * 1024**2
    assert not keep.exists()
    assert street.instances() == []


def test_a_machine_that_cannot_be_kept_is_told_of_as_it_is(
    street: Any, project: Path
) -> None:
    """Its grace ends it, and with it the only copy."""
    script = "mkdir -p ~/.advisor/keep results && truncate -s 3M results/zeros"
    done = street.run(project, script, "--max-results-gb", "0.001", "--grace", "2h")
    assert done.exit_code == 1
    assert "when it has heard no launcher for 120 minutes" in done.stderr
    assert "until its end" not in done.stderr


def test_advisors_own_folders_are_not_for_results(street: Any, project: Path) -> None:
    """A machine would write the ledger; nothing is rented for that."""
    for results, own in (("out", "out"), ("out", "out/data"), ("out/a/b", "out")):
        done = at_home_in(
            street, project / own, "--sync", str(project), "--results", results
        )
        assert done.exit_code == 2, done.stderr
        assert "must not reach advisor's own folder" in done.stderr
    assert street.entries() == []
    done = at_home_in(street, project / "results" / ".advisor", "--sync", str(project))
    assert done.exit_code == 0, done.stderr  # a machine cannot send such a name
    assert street.instances() == []


def test_no_secret_and_nothing_of_advisors_goes(street: Any, project: Path) -> None:
    """Its data folder lies in the project, even in what goes on to the next machine."""
    own = project / "own"
    (project / "checkpoints").mkdir()
    (project / "results").mkdir()
    (project / "train.sh").write_text("find . -type f >results/files; env >results/env")
    (project / ".env").write_text(f"VAST_API_KEY={KEY}")
    (project / "settings.py").write_text(f"key = {KEY!r}")
    (project / "checkpoints" / "x.bin").write_bytes(b"\0\1" + KEY.encode())
    (project / "checkpoints" / "link").symlink_to("../.env")
    done = at_home_in(street, own, "--sync", str(project))
    assert done.exit_code == 0, done.stderr
    assert list(own.glob("*.sqlite3"))
    went = (project / "results" / "files").read_text().split()
    assert sorted(went) == ["./data.txt", "./results/files", "./train.sh"]
    assert KEY not in (project / "results" / "env").read_text()
    private = Private((KEY,), (project / "checkpoints" / "own",))
    own.rename(project / "checkpoints" / "own")
    asked = Asked(project, written="checkpoints", before={})
    again = decide(asked, private, lambda _: None)
    assert [one for one in again.files if one.startswith("checkpoints/")] == [
        "checkpoints/link"  # as a link: what it leads to stays here
    ]
    shutil.rmtree(project)  # no test leaves a key


def test_a_checkpoint_lets_nothing_out(street: Any, project: Path) -> None:
    """A machine that writes ignore files sends nothing of the user's to the next one."""
    (project / ".gitignore").write_text("*.pt\n")
    (project / "checkpoints").mkdir()
    (project / "checkpoints" / "private.pt").write_text("mine")
    before = decide(
        Asked(project, written="checkpoints"), Private(), lambda _: None
    ).before
    script = (
        "mkdir -p checkpoints && cd checkpoints && echo '!*.pt' >.advisorignore && "
        "cp .advisorignore .gitignore && ln -s private.pt a && ln -s ../.env b && echo >c"
    )
    assert street.run(project, script).exit_code == 0
    asked = Asked(project, written="checkpoints", before=before)
    names = list(decide(asked, Private(), lambda _: None).files)
    assert "checkpoints/c" in names
    assert not {one for one in names if one.endswith(("private.pt", "/a", "/b"))}


def test_a_machine_cannot_fill_the_disk_with_results(
    street: Any, small_disk: Path
) -> None:
    """Not by its word, nor by zeros; what bills can be ended after that."""
    project = small_disk / "project"
    project.mkdir()
    (project / "a").write_text("a")
    script = "mkdir results; truncate -s 3G results/zeros; truncate -s 9M results/last"
    done = street.run(project, script)
    assert done.exit_code == 1
    assert "MB free: free some" in done.stderr
    assert shutil.disk_usage(small_disk).free > 250e6
    assert len(street.instances()) == 1
    done = street.launch("release", "--all", "--yes")
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []


def test_a_machine_cannot_fill_the_disk_with_its_log(
    street: Any, small_disk: Path
) -> None:
    """It is told once, the job goes on to its end, and the end of the log is known."""
    project = small_disk / "project"
    project.mkdir()
    (project / "a").write_text("a")
    script = "yes 'loss 0.1' | head -c 200000000; echo; echo 'CUDA out of memory'; exit 3"
    done = street.run(project, script)
    assert done.exit_code == 8
    assert done.stderr.count("the log is not kept for now") == 1
    assert shutil.disk_usage(small_disk).free > 100e6
    assert len(done.stdout) > 200_000_000
    assert street.instances() == []


def test_results_that_cannot_be_sent_stay_until_the_end(
    street: Any, project: Path, sending: Callable[[str], None]
) -> None:
    """Its rsync fails; the message says what is so, and the machine knows it."""
    sending("echo 'read errors mapping' >&2; exit 23")
    done = street.run(project, "mkdir results; echo 1 >results/model", "--grace", "8m")
    assert done.exit_code == 1
    assert "its results cannot be copied: copying by rsync failed" in done.stderr
    assert "which bills, until its end at 2026-" in done.stderr
    assert (home_of(street) / ".advisor" / "keep").exists()
    assert len(street.instances()) == 1


def test_a_machine_that_sends_without_end_is_ended_in_time(
    street: Any, project: Path, sending: Callable[[str], None]
) -> None:
    """It would stay rented for as long as it has something to say."""
    begun = street.folder / "begun"
    sending(f"touch '{begun}'; sleep 50; exit 1")

    def later() -> None:
        while not begun.exists():
            time.sleep(0.05)
        street.sleep(7200.0)

    thread = threading.Thread(target=later)
    thread.start()
    done = street.run(project, "mkdir results; echo 1 >results/x", "--max-lifetime", "1h")
    thread.join()
    assert done.exit_code == 6
    assert "lifetime is over before its results are here" in done.stderr
    assert street.instances() == []
