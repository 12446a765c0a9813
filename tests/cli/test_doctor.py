"""`advisor doctor`: what is wrong, what to do, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.doctor import install, kept, machine
from advisor.app.doctor.diagnose import Diagnosis, found_within
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.app.doctor.install import Requirement
from advisor.base.errors import (
    AdvisorError,
    KeyRefusedError,
    RentalStateUnknownError,
    StoreTornError,
)
from advisor.base.mounts import Mount
from advisor.base.resources import STORE
from advisor.report.diagnosed import diagnosis_text
from advisor.store.entry import Entry, Torn
from advisor.store.ledger import Ledger
from advisor.store.sweeps import SweepStore

Advisor = Callable[..., Any]

KEY = "k-secret-123"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)  # of the command line in these tests
NOW_S = NOW.timestamp()
WITH_KEY = {"VAST_API_KEY": KEY}
ENTRY = Entry(
    label="advisor:job:00000000-0000000000000000",
    market="console.vast.ai/12345",
    job="job",
    state="intended",
    offer_id=5,
    machine_id=7,
    gpu_ids=(1,),
    gpu_name="RTX 4090",
    num_gpus=1,
    usd_per_hour=0.5,
    traffic_usd=0.1,
    intended_at=NOW_S - 60.0,
    ends_at=NOW_S + 3600.0,
)


def market(
    ahead_s: float = 0.0, status: int = 200, credit: float = 25.5
) -> httpx.MockTransport:
    """Return a market whose clock is behind ours, and what it says of a key."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v0/users/current/"
        assert request.method == "GET"
        moment = NOW - timedelta(seconds=ahead_s)
        headers = {"Date": format_datetime(moment, usegmt=True)}
        if "Authorization" not in request.headers:
            return httpx.Response(401, headers=headers, json={"error": "auth_error"})
        said = {"id": 12345, "credit": credit} if status == 200 else {"error": "no"}
        return httpx.Response(status, headers=headers, json=said)

    return httpx.MockTransport(answer)


def of(document: Any, name: str) -> Any:
    """Return the one finding of a name."""
    (found,) = (one for one in document["checks"] if one["name"] == name)
    return found


Doctor = Callable[..., Any]


@pytest.fixture
def doctor(advisor: Advisor, conforms: Callable[[str, Any], None]) -> Doctor:
    """Return what runs the command for programs, and checks what it prints."""

    def run(*words: str, transport: Any = None, **variables: str) -> Any:
        done = advisor(
            *("doctor", *words, "--json"),
            variables=variables,
            transport=transport or market(),
        )
        conforms("doctor", done.document)
        assert KEY not in done.stdout + done.stderr
        assert (done.exit_code == 0) == (done.document["wrong"] == 0)
        return done

    return run


def test_all_is_well(doctor: Doctor) -> None:
    """With a key that the market takes: a line for each check, and exit code 0."""
    if not all(map(shutil.which, ("ssh", "ssh-keygen", "rsync"))):
        pytest.skip("ssh or rsync is not installed")
    done = doctor(transport=market(), **WITH_KEY)
    assert (done.exit_code, done.document["wrong"]) == (0, 0)
    assert "error" not in done.document
    assert {one["name"] for one in done.document["checks"]} >= {
        *("python", "install", "model", "key", "market", "clock", "data_folder"),
        *("store", "rentals", "copies", "cache", "project", "profiles", "ssh"),
        *("ssh_key", "rsync", "git", "disk", "terminal"),
    }
    key = of(done.document, "key")
    assert (key["status"], "VAST_API_KEY" in key["message"]) == ("ok", True)
    assert "accepts" in key["message"]
    assert "$25.50" in of(done.document, "market")["message"]
    assert of(done.document, "clock")["status"] == "ok"


def test_people_read_lines_that_fit(advisor: Advisor) -> None:
    """The status first, what to do below, no line wider than the terminal."""
    done = advisor("doctor", "--offline", variables={"COLUMNS": "80"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("ok       python")
    key = next(at for at, line in enumerate(lines) if " key " in line)
    assert lines[key].startswith("warning  key")
    assert "Put it in VAST_API_KEY" in " ".join(lines[key + 1 : key + 4])
    assert "not looked at: market, clock" in done.stderr


def test_offline_asks_nobody(doctor: Doctor) -> None:
    """What was not looked at is told, and is not called right."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"no test may reach {request.url.host}")

    done = doctor("--offline", transport=httpx.MockTransport(refuse), **WITH_KEY)
    names = {one["name"] for one in done.document["checks"]}
    assert done.document["skipped"] == ["market", "clock"]
    assert not names & {"market", "clock"}
    assert "accepts" not in of(done.document, "key")["message"]


def test_a_refused_key(doctor: Doctor) -> None:
    """The market says so: the code of every command that it stops."""
    done = doctor(transport=market(status=401), **WITH_KEY)
    assert done.exit_code == 4
    found = of(done.document, "key")
    assert (found["status"], found["code"]) == ("wrong", "key_refused")
    assert done.document["error"]["code"] == "key_refused"
    assert of(done.document, "market")["status"] == "ok"


@pytest.mark.puts_a_key_there
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o644, "warning")])
def test_a_key_that_others_may_read(
    doctor: Doctor, tmp_path: Path, mode: int, status: str
) -> None:
    """A warning with the command that mends it."""
    path = tmp_path / ".config" / "vastai" / "vast_api_key"
    path.parent.mkdir(parents=True)
    path.write_text(KEY)
    path.chmod(mode)
    done = doctor()
    found = of(done.document, "key")
    assert found["status"] == status
    assert (found["advice"] or "").endswith(f"chmod 600 {path}") == (status == "warning")


def test_a_key_that_can_be_none(doctor: Doctor) -> None:
    """It is told before anything is asked."""
    done = doctor(VAST_API_KEY="two words")
    assert done.exit_code == 2
    assert "one word" in of(done.document, "key")["message"]


def test_without_a_key(doctor: Doctor) -> None:
    """A warning: ranking goes without one. The market is reached all the same."""
    done = doctor()
    found = of(done.document, "key")
    assert found["status"] == "warning"
    assert "VAST_API_KEY" in found["advice"]
    assert of(done.document, "market")["status"] == "ok"
    assert of(done.document, "clock")["status"] == "ok"


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(0, "ok"), (-60, "warning"), (60, "warning"), (900, "wrong")]
)
def test_the_clocks(doctor: Doctor, ahead_s: float, status: str) -> None:
    """By as much as nothing is rented any more, it is wrong."""
    found = of(doctor(transport=market(ahead_s)).document, "clock")
    assert found["status"] == status
    if ahead_s:
        side = "ahead of" if ahead_s > 0 else "behind"
        assert side in found["message"]


def test_a_market_that_cannot_be_reached(doctor: Doctor) -> None:
    """What to do; the other checks go on."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to host")

    done = doctor(transport=httpx.MockTransport(fail))
    assert done.exit_code == 1
    found = of(done.document, "market")
    assert (found["status"], found["code"]) == ("wrong", "market")
    assert "network" in found["advice"]
    assert of(done.document, "disk")["message"]


def test_an_account_without_credit(doctor: Doctor) -> None:
    """A warning: nothing could be paid."""
    found = of(doctor(transport=market(credit=0.0), **WITH_KEY).document, "market")
    assert found["status"] == "warning"
    assert "no credit" in found["message"]


def put(folder: Path, **changed: Any) -> None:
    """Write a rental into the ledger of a folder."""
    Ledger(folder).intend(replace(ENTRY, **changed), lambda _: None)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "unknown"},
        {"state": "intended", "intended_at": NOW_S - 3600.0},
        {"state": "held", "lease_until": NOW_S - 1.0},
        {"state": "held"},
        {"state": "handed", "ends_at": NOW_S - 1.0},
        {"state": "working", "ends_at": NOW_S - 1.0},
        {"state": "releasing", "ends_at": NOW_S - 1.0},
    ],
    ids=str,
)
def test_a_rental_that_may_bill_goes_first(
    doctor: Doctor, tmp_path: Path, changed: dict[str, Any]
) -> None:
    """Exit code 7 whatever else is wrong, and what settles it."""
    put(tmp_path / "data", **changed)
    done = doctor(transport=market(status=401), **WITH_KEY)
    assert done.exit_code == 7
    assert done.document["wrong"] == 2
    assert done.document["error"]["code"] == "rental_state_unknown"
    found = of(done.document, "rentals")
    assert ENTRY.label in found["message"]
    assert "advisor reconcile" in found["advice"]


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "intended"},
        {"state": "held", "lease_until": NOW_S + 60.0},
        {"state": "handed"},
        {"state": "working"},
        {"state": "working", "lease_until": NOW_S + 60.0},
        {"state": "releasing"},
        {"state": "released", "ends_at": NOW_S - 1.0},
        {"state": "refused"},
        {"state": "gone", "ends_at": NOW_S - 1.0},
    ],
    ids=str,
)
def test_rentals_as_they_should_be(changed: dict[str, Any]) -> None:
    """Nothing is to be done about them."""
    (found,) = kept.rentals([replace(ENTRY, **changed)], [], NOW_S)
    assert found.status == "ok"


def test_a_rental_that_the_market_does_not_show() -> None:
    """Nobody here ended it, and its end has not come: the market may tell."""
    (found,) = kept.rentals([replace(ENTRY, state="gone")], [], NOW_S)
    assert (found.status, ENTRY.label in found.message) == ("warning", True)


def test_a_job_whose_launcher_is_gone() -> None:
    """It goes on by itself for a while: the command that takes it over is told."""
    (found,) = kept.rentals(
        [replace(ENTRY, state="working", lease_until=NOW_S - 1.0)], [], NOW_S
    )
    assert found.status == "warning"
    assert "advisor run --resume job" in found.advice


def test_many_such_rentals_are_counted() -> None:
    """A line names a few of them."""
    many = [replace(ENTRY, label=f"{n}", state="unknown") for n in range(9)]
    (found,) = kept.rentals(many, [], NOW_S)
    assert "6 more" in found.message


def test_a_torn_row_is_wrong_and_hides_no_rental() -> None:
    """Both are told."""
    torn = [Torn("", "its label is None")]
    both = list(kept.rentals([replace(ENTRY, state="unknown")], torn, NOW_S))
    assert [one.kind for one in both] == [StoreTornError, RentalStateUnknownError]


def test_a_torn_job_of_a_sweep_is_wrong(doctor: Doctor, tmp_path: Path) -> None:
    """Beside the rentals, which are as they were."""
    SweepStore(tmp_path / "data").begin("grid", {}, {}, ["one"], 1.0)
    assert "sweeps" not in [one["name"] for one in doctor("--offline").document["checks"]]
    with closing(sqlite3.connect(tmp_path / "data" / STORE)) as store:
        store.execute("UPDATE sweep_job SET state = 'lost'")
        store.commit()
    done = doctor("--offline")
    found = of(done.document, "sweeps")
    assert (done.exit_code, found["code"]) == (2, "store_torn")
    assert "1 rows of sweeps make no sense: its state is 'lost'" in found["message"]
    assert of(done.document, "rentals")["status"] == "ok"


def test_a_torn_store(doctor: Doctor, tmp_path: Path) -> None:
    """The way out is told, as every command would, with its code."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / STORE).write_text("no database at all" * 100)
    done = doctor("--offline")
    assert done.exit_code == 2
    assert of(done.document, "store")["code"] == "store_torn"


def test_a_copy_that_cannot_be_used(doctor: Doctor, tmp_path: Path) -> None:
    """A warning: the store itself is whole."""
    put(tmp_path / "data")
    (tmp_path / "data" / f"{STORE}.v5.bak").write_text("no database")
    assert of(doctor("--offline").document, "copies")["status"] == "warning"
    shutil.copy(tmp_path / "data" / STORE, tmp_path / "data" / f"{STORE}.v5.bak")
    assert of(doctor("--offline").document, "copies")["status"] == "ok"


def test_a_data_folder_on_a_network(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's log does not work there."""
    monkeypatch.setattr(kept, "mount_of", lambda path: Mount("/home", "nfs4"))
    found = of(doctor("--offline").document, "data_folder")
    assert (found["status"], "nfs4" in found["message"]) == ("warning", True)


def test_folders_that_cannot_be_made(doctor: Doctor, tmp_path: Path) -> None:
    """The data folder's is wrong, the cache's a warning."""
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "below")
    done = doctor("--offline", ADVISOR_DATA_DIR=folder, ADVISOR_CACHE_DIR=folder)
    assert of(done.document, "data_folder")["status"] == "wrong"
    assert of(done.document, "cache")["status"] == "warning"


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (
            path.stat().st_mtime_ns,
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("is_new", [True, False])
def test_nothing_is_changed(doctor: Doctor, tmp_path: Path, is_new: bool) -> None:
    """Not a file, not a time, in any folder; none is made."""
    if not is_new:
        put(tmp_path / "data", state="unknown")
        (tmp_path / "data" / "ssh").mkdir()
        (tmp_path / "data" / "ssh" / "id_ed25519").write_text("no key")
        (tmp_path / "advisor.toml").write_text("[rental]\njob_budget_usd = 3\n")
    before = tree(tmp_path)
    doctor(**WITH_KEY)
    assert tree(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_file_of_the_project_that_is_not_obeyed(doctor: Doctor, tmp_path: Path) -> None:
    """Caps in it would be lost: nothing is rented so."""
    path = tmp_path / "advisor.toml"
    path.write_text("[rental]\njob_budget_usd = 3\n[workloads.mine]\nextends='resnet50'")
    found = of(doctor("--offline").document, "project")
    assert found["status"] == "ok"
    assert "workload mine, job_budget_usd 3" in found["message"]
    path.chmod(0o666)
    done = doctor("--offline")
    assert done.exit_code == 2
    assert "chmod" in of(done.document, "project")["message"]


def test_a_strangers_file_of_the_project(doctor: Doctor, tmp_path: Path) -> None:
    """It does not count, and nothing else is wrong with that."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root gives files away")
    path = tmp_path / "advisor.toml"
    path.write_text("[rental]\njob_budget_usd = 3\n")
    os.chown(path, 65534, 65534)
    assert of(doctor("--offline").document, "project")["status"] == "warning"


def test_profiles_that_cannot_be_used(doctor: Doctor, tmp_path: Path) -> None:
    """Each with its file and line."""
    (tmp_path / "advisor.toml").write_text(
        "[workloads.a]\nextends = 'resnet50'\nepochs = 0\n[workloads.b]\nextends = 'x'\n"
    )
    done = doctor("--offline")
    found = [one for one in done.document["checks"] if one["name"] == "profiles"]
    assert [one["status"] for one in found] == ["wrong", "wrong"]
    assert "advisor.toml:3" in found[0]["message"]


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose programs are all that there are."""
    if sys.platform == "win32":
        pytest.skip("Windows runs no such scripts")
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_programs_that_are_missing(doctor: Doctor, programs: Path) -> None:
    """Without ssh and rsync nothing runs; without git patterns are read as they stand."""
    done = doctor("--offline")
    assert done.exit_code == 2
    status = {one["name"]: one["status"] for one in done.document["checks"]}
    assert (status["ssh"], status["rsync"], status["git"]) == (
        "wrong",
        "wrong",
        "warning",
    )
    assert "openssh-client" in of(done.document, "ssh")["advice"]


@pytest.mark.parametrize(
    ("ssh", "rsync", "status"),
    [
        ("OpenSSH_9.2p1 Debian-2, OpenSSL", "rsync  version 3.2.7  protocol 31", "ok"),
        ("OpenSSH_for_Windows_9.5p1", "rsync  version v3.4.1", "ok"),
        ("OpenSSH_7.4p1", "rsync  version 2.6.9  protocol version 29", "wrong"),
        ("Dropbear v2022", "openrsync: protocol version 29", "warning"),
        ("", "", "warning"),
    ],
)
def test_versions_of_programs(programs: Path, ssh: str, rsync: str, status: str) -> None:
    """Those whose options advisor uses; one that says nothing is told as that."""
    program(programs, "ssh", f"echo '{ssh}' >&2")
    program(programs, "ssh-keygen", "true")
    program(programs, "rsync", f"echo '{rsync}'")
    nowhere: Any = None
    (found,) = machine.ssh(nowhere)
    assert found.status == status
    (found,) = machine.rsync(nowhere)
    assert found.status == status


def test_a_program_that_hangs(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for no longer than that takes."""
    monkeypatch.setattr(machine, "PROGRAM_S", 0.1)
    program(programs, "git", "read forever < /dev/tty0; exec /bin/sleep 60")
    nowhere: Any = None
    (found,) = machine.git(nowhere)
    assert found.status == "warning"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
def test_the_key_of_ssh(doctor: Doctor, tmp_path: Path) -> None:
    """One that lets in, one that others may read, one that is none."""
    folder = tmp_path / "data" / "ssh"
    assert of(doctor("--offline").document, "ssh_key")["status"] == "ok"
    folder.mkdir(parents=True)
    path = folder / "id_ed25519"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(made, check=True)
    assert of(doctor("--offline").document, "ssh_key")["status"] == "ok"
    if sys.platform != "win32":
        path.chmod(0o644)
        assert of(doctor("--offline").document, "ssh_key")["status"] == "warning"
    path.chmod(0o600)
    path.write_text("no key")
    assert of(doctor("--offline").document, "ssh_key")["status"] == "wrong"


def test_a_check_that_does_not_end() -> None:
    """It is told, and what it would have said is not waited for."""
    never = threading.Event()

    def hang() -> list[Finding]:
        never.wait()
        return [ok("store", "at last")]

    (found,) = found_within(0.01, "store", hang)
    never.set()
    assert (found.status, "has not ended" in found.message) == ("wrong", True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyRefusedError("no"), KeyRefusedError),
        (OSError(28, "No space left"), AdvisorError),
        (ZeroDivisionError("a plug-in"), AdvisorError),
    ],
)
def test_a_check_that_fails(error: Exception, kind: type[AdvisorError]) -> None:
    """It hides no other: it is a line as any."""

    def fail() -> list[Finding]:
        raise error

    (found,) = found_within(60.0, "store", fail)
    assert (found.name, found.status, found.kind) == ("store", "wrong", kind)


def test_the_exit_code_is_of_the_first_that_is_wrong() -> None:
    """Warnings count for nothing; a rental that may bill goes first."""
    found = [ok("a", "x"), warning("b", "y", "do"), wrong("c_d", KeyRefusedError("z"))]
    error = Diagnosis(found).error
    assert isinstance(error, KeyRefusedError)
    assert str(error) == "c d: z"
    assert Diagnosis(found[:2]).error is None
    both = [*found, wrong("e", RentalStateUnknownError("?"))]
    assert isinstance(Diagnosis(both).error, RentalStateUnknownError)


def test_a_line_without_advice_is_one_line() -> None:
    """What nothing is to be done about takes no more room."""
    found = Diagnosis([ok("a", "x"), warning("ssh_key", "y", "do")])
    assert diagnosis_text(found, None).splitlines() == [
        "ok       a        x",
        "warning  ssh key  y",
        "                  do",
    ]


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("click>=8.3", Requirement("click", (8, 3), "")),
        ('torch>=2.3; extra == "measure"', Requirement("torch", (2, 3), "measure")),
        ("vastai==1.9.1 ; extra == 'peer'", Requirement("vastai", (1, 9, 1), "peer")),
        ('uvicorn[standard]>=0.30,<1; extra=="s"', Requirement("uvicorn", (0, 30), "s")),
        ("types-tabulate", Requirement("types-tabulate", (), "")),
    ],
)
def test_requirements_are_read(text: str, requirement: Requirement) -> None:
    """As the metadata of a package have them."""
    assert Requirement.parse(text) == requirement


def test_libraries_that_are_missing_or_old() -> None:
    """Each is named."""
    assert Requirement("click", (8,), "").problem == ""
    assert Requirement("click", (999, 1), "").problem.endswith("is older than 999.1")
    assert Requirement("no-such-library", (), "").problem == "no-such-library is missing"


def test_a_folder_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning: it runs, but nobody knows what it needs."""
    monkeypatch.setattr(install, "DISTRIBUTION", "no-such-package")
    nowhere: Any = None
    (found,) = install.install(nowhere)
    assert found.status == "warning"


def test_an_artifact_that_cannot_be_read(doctor: Doctor, tmp_path: Path) -> None:
    """One of the user's own: the shipped one is at hand."""
    own = tmp_path / "data" / "models"
    own.mkdir(parents=True)
    (own / "use").write_text("own")
    found = of(doctor("--offline").document, "model")
    assert found["status"] == "wrong"
    assert "advisor model use shipped" in found["advice"]


@pytest.mark.parametrize(
    ("encoding", "status"), [("utf-8", "ok"), ("UTF8", "ok"), ("ascii", "warning")]
)
def test_what_the_terminal_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, status: str
) -> None:
    """Names of CPUs hold trade marks."""
    with Path(os.devnull).open("w", encoding=encoding) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        nowhere: Any = None
        (found,) = machine.terminal(nowhere)
    assert found.status == status


def test_a_full_disk(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rental refuses is wrong, what soon will be is a warning."""
    for least, little, status in ((1e30, 1e30, "wrong"), (0, 1e30, "warning")):
        monkeypatch.setattr(machine, "LEAST_FREE_BYTES", least)
        monkeypatch.setattr(machine, "LITTLE_FREE_BYTES", little)
        assert of(doctor("--offline").document, "disk")["status"] == status
