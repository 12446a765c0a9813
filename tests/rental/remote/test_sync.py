"""Folders go there and come back whole, and nothing is written where it must not be."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError, UsageError
from advisor.market.lifecycle import Endpoint
from advisor.rental.incoming.copying import Incoming
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide
from advisor.rental.remote.ssh import Ssh
from advisor.rental.remote.sync import _cause, prepare, push

Fake = Callable[[str, str], None]
Soon = Callable[[Callable[[], bool]], bool]


@pytest.fixture(autouse=True)
def needs_rsync() -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed (Debian: rsync)")


@pytest.fixture
def there(machine: Any, request: pytest.FixtureRequest) -> Path:
    """Return a folder on the machine that no other test has."""
    return machine.home / request.node.name.partition("[")[0]


@pytest.fixture
def shadowed(machine: Any) -> Any:
    """Return what puts a program of a test's own before all others on the machine."""
    enter, places = machine.home.parent / "enter", machine.home / "bin"
    before = enter.read_text()
    places.mkdir()

    def put(name: str, script: str) -> None:
        (places / name).write_text(f"#!/bin/sh\n{script}\n")
        (places / name).chmod(0o755)
        enter.write_text(before.replace('cd "$HOME"', f"export PATH='{places}'\ncd ~"))
        for program in ("sh", "mkdir", "env"):
            if not (places / program).exists():
                (places / program).symlink_to(str(shutil.which(program)))

    yield put
    enter.write_text(before)
    shutil.rmtree(places)


def pull(ssh: Ssh, remote: str, folder: Path) -> None:
    Incoming(lambda _: None, 1e9, "max_gb").pull(ssh, remote, folder)


def all_of(folder: Path) -> Outgoing:
    return decide(Asked(folder), Private(), lambda _: None)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_a_folder_goes_there_and_comes_back(
    machine: Any, there: Path, tmp_path: Path
) -> None:
    """Names of any kind, empty files, times and the right to execute."""
    source, back = tmp_path / "my project", tmp_path / "back"
    (source / "sub").mkdir(parents=True)
    odd = "Grüße\n☃" if sys.getfilesystemencoding() == "utf-8" else "old\nlocale"
    for name in ("a b'c\"$d", "-rf", odd, "sub/*", "empty", "#a", ";b", " c "):
        (source / name).write_text("" if name == "empty" else name)
    (source / os.fsdecode(b"latin \xfc")).write_text("x")
    (source / "nothing" / "in it").mkdir(parents=True)
    (source / "link").symlink_to("sub/*")
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    os.utime(source / "run", (1e9, 1e9))
    push(machine.ssh, all_of(source), f"{there.name}/deep er")
    assert (there / "deep er" / "nothing" / "in it").is_dir()
    assert (there / "deep er" / "link").readlink() == Path("sub/*")
    pull(machine.ssh, f"{there.name}/deep er", back / "new")
    came = {
        name: text for name, text in files(source).items() if name not in ("-rf", odd)
    }
    renamed = {
        f"advisor-renamed+{odd}".replace("\n", "%0A"): odd,
        "advisor-renamed+-rf": "-rf",
    }
    came["link"] = files(source)["sub/*"]
    assert files(back / "new") == came | {a: b.encode() for a, b in renamed.items()}
    assert (back / "new" / "run").stat().st_mode & 0o111
    assert (back / "new" / "run").stat().st_mtime == 1e9


def test_the_list_goes_and_nothing_else(
    machine: Any, there: Path, tmp_path: Path
) -> None:
    """Not what came into a folder since, nor what has gone since."""
    source = tmp_path / "p"
    (source / "sub").mkdir(parents=True)
    for name in ("train.py", "gone.py", "sub/a", ".env"):
        (source / name).write_text("x")
    outgoing = all_of(source)
    (source / "gone.py").unlink()
    (source / "sub" / "late").write_text("x")
    push(machine.ssh, outgoing, there.name)
    assert files(there) == {"sub/a": b"x", "train.py": b"x"}


def test_what_has_changed_since_is_looked_at_again(
    machine: Any, there: Path, tmp_path: Path
) -> None:
    """A machine takes minutes to start: a secret by then, or a link, does not go."""
    source, lines = tmp_path / "p", list[str]()
    elsewhere = tmp_path / "elsewhere"
    for name in ("sub/a", "edited.py", "keyed.py", "linked", "named", "pipe", "same"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    elsewhere.mkdir()
    (elsewhere / "a").write_text("private")
    private = Private(keys=("a-key-of-an-account",))
    outgoing = decide(Asked(source, includes=("named",)), private, lines.append)
    (source / "edited.py").write_text("print(2)")
    for name in ("keyed.py", "named"):
        (source / name).write_text("KEY = 'a-key-of-an-account'")
    for name in ("linked", "pipe"):
        (source / name).unlink()
    (source / "linked").symlink_to(elsewhere / "a")
    os.mkfifo(source / "pipe")
    shutil.rmtree(source / "sub")
    (source / "sub").symlink_to(elsewhere)
    push(machine.ssh, outgoing, there.name)
    text = b"KEY = 'a-key-of-an-account'"
    assert files(there) == {"edited.py": b"print(2)", "named": text, "same": b"x"}
    assert lines == [
        "keyed.py has changed since and stays here: your key of the market",
        "2 files have changed since and 4 are left out: 3 files, 0.0 MB, go",
    ]


def test_both_ways_tell_how_much_has_gone(
    machine: Any, there: Path, tmp_path: Path, shadowed: Fake
) -> None:
    """In bytes, of all bytes, and that it has ended; what did not go, too."""
    source, told = tmp_path / "p", list[tuple[Any, ...]]()
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).write_bytes(os.urandom(500_000))

    def progress(
        what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        told.append((what, done, of, unit))

    push(machine.ssh, all_of(source), there.name, progress=progress)
    first, *sent, last = told
    assert (first[0], last) == ("sending p", ("", 0.0, None, ""))
    assert sent == sorted(sent)
    assert sent[-1] == ("sending p", 1_500_000, 1_500_000, "bytes")
    told.clear()
    incoming = Incoming(lambda _: None, 1e9, "max_gb", progress=progress)
    incoming.pull(machine.ssh, there.name, tmp_path / "back")
    assert told[0] == (f"copying back {there.name}", 0, 1_500_000, "bytes")
    assert told[-1] == ("", 0.0, None, "")
    told.clear()
    shadowed("rsync", "exit 1")
    pauses: list[float] = []
    at, clock = machine.ssh.endpoint, Clock(sleep=pauses.append)
    ssh = Ssh([at], machine.key_file, machine.folder / "fails", clock)
    with pytest.raises(RemoteError):
        push(ssh, all_of(source), there.name, progress=progress)
    assert [one[0] for one in told] == ["sending p", ""]
    assert pauses == [2.0, 4.0, 8.0, 16.0]


def test_nothing_is_deleted_on_either_side(
    machine: Any, there: Path, tmp_path: Path
) -> None:
    """Files that only one side has stay where they are."""
    here = tmp_path / "here"
    here.mkdir()
    there.mkdir()
    (here / "mine").write_text("1")
    (there / "its").write_text("2")
    push(machine.ssh, all_of(here), there.name)
    pull(machine.ssh, there.name, here)
    assert files(here) == files(there) == {"its": b"2", "mine": b"1"}


def test_a_cut_connection_is_gone_on_with(
    machine: Any, there: Path, tmp_path: Path, shadowed: Fake, soon: Soon
) -> None:
    """Cut in the middle of a big file: tried again, and whole in the end."""
    once, midway = there / ".once", there / ".midway"
    rsync, dd, sleep = map(shutil.which, ("rsync", "dd", "sleep"))
    part = f"{dd} bs=64k count=40 2>/dev/null; : >'{midway}'; {sleep} 60"
    first = f"{{ : >'{once}'; {rsync} \"$@\" | {{ {part}; }}; exit; }}"
    shadowed("rsync", f"[ -e '{once}' ] || {first}\nexec {rsync} \"$@\"")
    there.mkdir()
    (there / "big").write_bytes(os.urandom(5_000_000))
    pauses: list[float] = []
    clock = Clock(sleep=pauses.append)
    at = machine.ssh.endpoint
    ssh = Ssh([at], machine.key_file, machine.folder / "sync", clock)
    cutter = threading.Thread(target=lambda: soon(midway.exists) and machine.cut())
    cutter.start()
    pull(ssh, there.name, tmp_path / "here")
    cutter.join()
    assert pauses == [2.0]
    assert (tmp_path / "here" / "big").read_bytes() == (there / "big").read_bytes()


def test_a_machine_that_stays_away_is_an_error(machine: Any, tmp_path: Path) -> None:
    """After a few tries, and it says what was wrong."""
    ssh = machine.another("away", Endpoint("127.0.0.1", 1))
    with pytest.raises(RemoteError, match="refused"):
        pull(ssh, "x", tmp_path)


def test_a_folder_that_is_not_there_is_told(machine: Any, tmp_path: Path) -> None:
    """Here and there."""
    with pytest.raises(UsageError, match="no folder"):
        all_of(tmp_path / "nothing")
    with pytest.raises(RemoteError, match="looking for the folder nothing failed"):
        pull(machine.ssh, "nothing", tmp_path)


def test_rsync_missing_here_is_told(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is this machine that lacks it."""
    (tmp_path / "ssh").symlink_to(str(shutil.which("ssh")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="rsync is missing on this machine"):
        push(machine.ssh, all_of(tmp_path), "x")


def test_rsync_missing_there_is_told(
    machine: Any, tmp_path: Path, shadowed: Fake
) -> None:
    """It is the other machine that lacks it, and there is no way to get it."""
    shadowed("nothing", "exit 1")
    with pytest.raises(RemoteError, match="the machine has no rsync"):
        push(machine.ssh, all_of(tmp_path), "x")
    with pytest.raises(RemoteError, match="has no rsync and it cannot be installed"):
        prepare(machine.ssh)


def test_rsync_is_installed_there(machine: Any, shadowed: Fake) -> None:
    """Where there is apt-get; why it fails is told."""
    shadowed("apt-get", 'echo "$*" >>"$HOME/asked"; [ "$1" = update ]')
    with pytest.raises(RemoteError, match="cannot be installed"):
        prepare(machine.ssh)
    shadowed("apt-get", 'echo "$*" >>"$HOME/asked"')
    prepare(machine.ssh)
    assert (machine.home / "asked").read_text().splitlines() == [
        "update",
        "install -y --no-install-recommends rsync",
    ] * 2


def test_a_machine_that_has_rsync_is_left_as_it_is(machine: Any) -> None:
    """Nothing is installed."""
    prepare(machine.ssh)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (b"first\nsecond\nrsync error: some\n", "first"),
        (b"rsync error: some\nrsync error: last\n", "rsync error: last"),
        (b"", "no reason given"),
    ],
)
def test_the_first_complaint_is_the_cause(output: bytes, cause: str) -> None:
    """What follows from it is left out; where there is nothing else, that is told."""
    assert _cause(output) == cause
