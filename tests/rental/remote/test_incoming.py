"""What a machine sends is data: bounded, in its folder, and obeyed by nothing here."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import RemoteError, TooMuchError
from advisor.rental.incoming.copying import Incoming
from advisor.rental.incoming.names import INCOMING
from advisor.rental.outgoing.decide import Asked, Private, decide
from advisor.rental.remote.ssh import Ssh
from advisor.rental.remote.sync import push


@pytest.fixture(autouse=True)
def needs_rsync() -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed (Debian: rsync)")


@pytest.fixture
def there(machine: Any, request: pytest.FixtureRequest) -> Path:
    """Return a folder on the machine that no other test has."""
    name = re.sub(r"\W+", "-", request.node.name)
    folder: Path = machine.home / name
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder here."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def told() -> list[str]:
    """Return what is told."""
    return []


@pytest.fixture
def incoming(told: list[str]) -> Incoming:
    """Return what takes a machine's files; 100 MB may come."""
    return Incoming(told.append, 1e8, "--max-results-gb")


@pytest.fixture
def sender(machine: Any) -> Iterator[Callable[[str], None]]:
    """Return what puts a program in the place of the machine's rsync."""
    enter, places = machine.home.parent / "enter", machine.home / "hostile"
    before = enter.read_text()
    places.mkdir()

    def put(script: str) -> None:
        (places / "rsync").write_text(script)
        (places / "rsync").chmod(0o755)
        line = f'export PATH=\'{places}\':"$PATH"\ncd "$HOME"'
        enter.write_text(before.replace('cd "$HOME"', line))

    yield put
    enter.write_text(before)
    shutil.rmtree(places)


HOSTILE = """\
#!/usr/bin/env python3
import os, subprocess, sys
p = subprocess.Popen([{rsync!r}, *sys.argv[1:]], stdin=0, stdout=subprocess.PIPE)
while d := os.read(p.stdout.fileno(), 1 << 20):
    os.write(1, d.replace({old!r}, {new!r}))
sys.exit(p.wait())
"""
"""Sends one name for another, which an honest rsync would not."""


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_a_hostile_tree_writes_nothing_outside(
    machine: Any, there: Path, here: Path, incoming: Incoming, told: list[str]
) -> None:
    """Links of every kind that lead out, devices, pipes: all stay there, and are told."""
    outside = here.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (there / "p").mkdir()
    links = {
        "absolute": str(outside),
        "up": "../outside",
        "far": "../" * 20 + str(outside).lstrip("/"),
        "p/q": ".",
        "p/out": "q/q/q/../../../../outside",
        "file": "../outside/kept",
        "passwd": "/etc/passwd",
        "loop": "loop",
        "dangling": "nothing",
        "p/kept": "../../outside/kept",
        "long": "x/" * 300 + "y" * 300,
    }
    for name, target in links.items():
        (there / name).symlink_to(target)
    (there / "p" / "good").write_text("good")
    os.mkfifo(there / "pipe")
    (there / "set").write_text("x")
    (there / "set").chmod(0o6755)
    incoming.pull(machine.ssh, there.name, here)
    assert files(outside) == {"kept": b"kept"}
    assert files(here) == {"p/good": b"good", "set": b"x"}
    assert [path for path in here.rglob("*") if path.is_symlink()] == []
    assert stat.S_IMODE((here / "set").stat().st_mode) == 0o755
    assert sorted(path.name for path in here.iterdir()) == ["p", "set"]
    assert len(told) == 1
    assert "11 are links to elsewhere and stay there: " in told[0]


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("mkdir -p e/objects e/refs; echo 'gitdir: e' >.git", "gitfile"),
        ("mkdir -p e/objects e/refs; echo 'gitdir: e' >f; ln -s f .git", "link"),
        ("mkdir -p .git/objects .git/refs; e=.git", "folder"),
        ("mkdir -p .GIT/objects .GIT/refs; e=.GIT", "folder of another case"),
        ("mkdir objects refs; e=.", "bare repository"),
        ("echo ../x/e >commondir; mkdir -p x/e/objects x/e/refs; cp -r x/e .", "shared"),
    ],
)
def test_git_runs_nothing_of_the_machines(
    machine: Any, there: Path, here: Path, incoming: Incoming, script: str, what: str
) -> None:
    """In whatever shape a repository comes, its programs are not run at home."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    mark = here.parent / "run by git"
    config = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
    config += f"\tfsmonitor = touch '{mark}'"
    script += "; echo 'ref: refs/heads/main' >$e/HEAD; echo \"$C; false\" >$e/config"
    subprocess.run(
        ["sh", "-c", f"e=e; {script}"],
        cwd=there,
        check=True,
        env={**os.environ, "C": config},
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(here.parent)}

    def status(folder: Path) -> None:
        subprocess.run(["git", "status"], cwd=folder, env=environment, check=False)

    if what not in ("folder of another case", "shared"):
        status(there)
        assert mark.exists(), "the attack is none"
        mark.unlink()
    incoming.pull(machine.ssh, there.name, here)
    for folder in (here, *(one for one in here.rglob("*") if one.is_dir())):
        status(folder)
    assert not mark.exists()


def test_what_programs_obey_is_renamed_and_told_once(
    machine: Any, there: Path, here: Path, incoming: Incoming, told: list[str]
) -> None:
    """Nothing of it is lost, nothing of the user's replaced; parts of data stay."""
    sent = (".hg/hgrc", ".envrc", ".vscode/tasks.json", "Makefile", "a/conftest.py")
    for name in (*sent, ".metadata", ".hydra/config.yaml", "model.pt", "a\x1b[2J"):
        (there / name).parent.mkdir(exist_ok=True, parents=True)
        (there / name).write_text(name)
    (here / "Makefile").write_text("mine")
    (here / "advisor-renamed+.envrc").write_text("mine, too")
    for _ in range(2):
        incoming.pull(machine.ssh, there.name, here)
    assert files(here) == {
        ".hydra/config.yaml": b".hydra/config.yaml",
        ".metadata": b".metadata",
        "Makefile": b"mine",
        "a/advisor-renamed+conftest.py": b"a/conftest.py",
        "advisor-renamed+.envrc": b"mine, too",
        "advisor-renamed+.hg/hgrc": b".hg/hgrc",
        "advisor-renamed+.vscode/tasks.json": b".vscode/tasks.json",
        "advisor-renamed+Makefile": b"Makefile",
        "advisor-renamed+a%1B[2J": b"a\x1b[2J",
        "advisor-renamed2+.envrc": b".envrc",
        "model.pt": b"model.pt",
    }
    (line,) = told
    assert "6 got other names here" in line
    assert "\x1b" not in line


def test_a_checkpoint_goes_on_under_its_own_names(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """What was renamed here is named back on the next machine."""
    sent = (
        ".metadata",
        ".hidden/x",
        "c/HEAD",
        "c/-n",
        "c/0.distcp",
        "a\nb",
        ".a.b/.c",
    )
    for name in sent:
        (there / "1" / name).parent.mkdir(exist_ok=True, parents=True)
        (there / "1" / name).write_text(name)
    incoming.pull(machine.ssh, f"{there.name}/1", here)
    assert files(here).keys() != set(sent)
    outgoing = decide(Asked(here, written="x"), Private(), lambda _: None)
    push(machine.ssh, outgoing, f"{there.name}/2")
    assert files(there / "2") == files(there / "1")


def test_nothing_goes_through_a_link_that_is_here(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """The user's link to a folder elsewhere stays, and what it leads to too."""
    outside = here.parent / "outside"
    outside.mkdir()
    (here / "a").mkdir()
    (here / "a" / "data").symlink_to(outside)
    (here / "model").symlink_to(outside / "model")
    (there / "a" / "data").mkdir(parents=True)
    (there / "a" / "data" / "x").write_text("x")
    (there / "model").write_text("m")
    (outside / "own").write_text("own")
    (there / "via").symlink_to("a/data/own")
    incoming.pull(machine.ssh, there.name, here)
    assert files(outside) == {"own": b"own"}
    assert (here / "a" / "data").is_symlink()
    assert files(here) == {"a/advisor-renamed2+data/x": b"x", "model": b"m"}


def test_a_link_in_the_folder_comes_as_a_file(
    machine: Any, there: Path, here: Path, told: list[str]
) -> None:
    """As training programs name their latest checkpoint; also for another launcher."""
    (there / "c").mkdir()
    for name in ("step 1", "step 2"):
        (there / "c" / name).write_text(name)
    for name in ("step 1", "step 2", "step 1"):
        (there / "c" / "latest").unlink(missing_ok=True)
        (there / "c" / "latest").symlink_to(name)
        Incoming(told.append, 1e8, "").pull(machine.ssh, there.name, here)
        assert (here / "c" / "latest").read_text() == name
        assert not (here / "c" / "latest").is_symlink()
    assert told == []


def test_a_link_brings_nothing_that_was_here(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """Under a name of the machine's it would go out to the next one."""
    (here / "private").write_text("mine")
    (there / "private").write_text("its")
    stamp = (here / "private").stat()
    (there / "private").write_text("evil")
    os.utime(there / "private", ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))
    (there / "link").symlink_to("private")
    incoming.pull(machine.ssh, there.name, here)
    assert (here / "link").read_text() == "evil"


def test_only_what_has_changed_comes_again(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """Checkpoints are large, and come every five minutes: the rest is not moved, even."""
    for name in ("a", "b", "HEAD"):
        (there / name).write_bytes(os.urandom(100_000))
    incoming.pull(machine.ssh, there.name, here)
    before = {path.name: path.stat().st_ino for path in here.iterdir()}
    (there / "b").write_bytes(b"new")
    fresh = Incoming(incoming.notify, 1e8, "")  # another launcher
    fresh.pull(machine.ssh, there.name, here)
    after = {path.name: path.stat().st_ino for path in here.iterdir()}
    assert (here / "b").read_bytes() == b"new"
    assert [name for name in before if before[name] != after[name]] == ["b"]
    assert after.keys() == {"a", "b", "advisor-renamed+HEAD"}


@pytest.mark.parametrize(
    "new", [b"../../../pwned1", b"..//..//pwned-1", b"/tmp/advisor-pw"]
)
def test_a_hostile_sender_names_nothing_outside(
    machine: Any, there: Path, here: Path, incoming: Incoming, sender: Any, new: bytes
) -> None:
    """Whatever its rsync calls a file, it lands in the folder, or nowhere."""
    old = b"Z" * len(new)
    (there / old.decode()).write_text("x")
    sender(HOSTILE.format(rsync=shutil.which("rsync"), old=old, new=new))
    before = {path for path in here.parent.rglob("*") if not path.is_relative_to(here)}
    with pytest.raises(RemoteError):
        incoming.pull(machine.ssh, there.name, here)
    after = {path for path in here.parent.rglob("*") if not path.is_relative_to(here)}
    assert after == before
    assert not Path("/tmp/advisor-pw").exists()  # noqa: S108  (what the attack names)


def test_a_name_that_was_not_asked_for_is_renamed_all_the_same(
    machine: Any, there: Path, here: Path, incoming: Incoming, sender: Any
) -> None:
    """The rule is kept here, whatever rsync there was told."""
    (there / "ZZZZ").write_text("x")
    sender(HOSTILE.format(rsync=shutil.which("rsync"), old=b"ZZZZ", new=b".git"))
    incoming.pull(machine.ssh, there.name, here)
    assert files(here) == {"advisor-renamed+.git": b"x"}


def test_more_than_may_come_is_refused_before_it_comes(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """By the machine's word; a sparse file counts by its length."""
    (there / "zeros").touch()
    os.truncate(there / "zeros", 3 * 10**9)
    with pytest.raises(TooMuchError, match=r"3 GB.*than the 0.1 GB.*--max-results-gb"):
        incoming.pull(machine.ssh, there.name, here)
    assert list(here.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
def test_what_the_machine_does_not_tell_is_bounded_here(
    machine: Any, there: Path, here: Path, incoming: Incoming, sender: Any, many: bool
) -> None:
    """A file of zeros takes no time to come, and its size was not told."""
    if many:
        for number in range(40):
            (there / str(number)).touch()
            os.truncate(there / str(number), 4 * 10**6)
    else:
        (there / "zeros").touch()
        os.truncate(there / "zeros", 3 * 10**9)
    fake = machine.home / "hostile" / "stat"
    sender(f'#!/bin/sh\nexec {shutil.which("rsync")} "$@"\n')
    fake.write_text("#!/bin/sh\necho 1\n")
    fake.chmod(0o755)
    most, over = 0, threading.Event()

    def look() -> None:
        nonlocal most
        while not over.is_set():
            size = 0
            for parent, _, names in os.walk(here):
                for name in names:
                    with suppress(FileNotFoundError):
                        size += Path(parent, name).lstat().st_blocks * 512
            most = max(most, size)
            time.sleep(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with pytest.raises(TooMuchError):
            incoming.pull(machine.ssh, there.name, here)
    finally:
        over.set()
        looking.join()
    assert most < 4e8
    assert list(here.iterdir()) == []


def test_a_disk_that_would_be_full_is_left_as_it_is(
    machine: Any, there: Path, here: Path, told: list[str]
) -> None:
    """What does not fit stays on the machine."""
    (there / "big").write_bytes(b"x" * 3_000_000)
    free = [102_000_000]
    incoming = Incoming(told.append, 1e8, "", free=lambda _: free[0])
    with pytest.raises(TooMuchError, match="3 MB more do not fit"):
        incoming.pull(machine.ssh, there.name, here)
    free[0] = 103_000_001
    incoming.pull(machine.ssh, there.name, here)
    assert [path.name for path in here.iterdir()] == ["big"]


def test_a_disk_has_files_left_for_others(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """Empty files take no bytes, and a disk has only so many."""
    command = ["mount", "-t", "tmpfs", "-o", "size=300m,nr_inodes=400", "x", str(here)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        for number in range(350):
            (there / str(number)).touch()
        with pytest.raises(TooMuchError, match="files: free some"):
            incoming.pull(machine.ssh, there.name, here)
        assert list(here.iterdir()) == []
    finally:
        subprocess.run(["umount", str(here)], check=True)


def test_a_disk_that_becomes_full_meanwhile_ends_the_copying(
    machine: Any, there: Path, here: Path, told: list[str]
) -> None:
    """Of many that write there the machine gives way."""
    (there / "big").write_bytes(os.urandom(50_000_000))
    asked = iter([10**9] * 8)
    incoming = Incoming(told.append, 1e8, "", free=lambda _: next(asked, 10**6))
    with pytest.raises(TooMuchError, match="1 MB free: free some"):
        incoming.pull(machine.ssh, there.name, here)
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_what_came_whole_is_kept_when_copying_breaks_off(
    machine: Any, there: Path, here: Path, incoming: Incoming, sender: Any
) -> None:
    """It may be all that there will be; what is not whole shows under no name."""
    (there / "a").write_text("whole")
    (there / "b").write_bytes(os.urandom(30_000_000))
    rsync, stop = shutil.which("rsync"), there / ".stop"
    cut = f'{rsync} "$@" | {{ dd bs=64k count=30 2>/dev/null; exit 1; }}'
    sender(f"#!/bin/sh\n[ -e '{stop}' ] && exec {rsync} \"$@\"\n{cut}\n")
    ssh = Ssh(
        [machine.ssh.endpoint],
        machine.key_file,
        machine.folder / "broken",
        machine.ssh.clock.__class__(sleep=lambda _: None),
    )
    with pytest.raises(RemoteError, match="rsync failed"):
        incoming.pull(ssh, there.name, here)
    assert sorted(path.name for path in here.iterdir()) == [INCOMING, "a"]
    assert stat.S_IMODE((here / INCOMING).stat().st_mode) == 0o700
    sizes = [one.stat().st_size for one in (here / INCOMING).rglob("b")]
    assert max(sizes) > 1_000_000
    stop.touch()
    incoming.pull(ssh, there.name, here)
    stop.unlink()
    assert (here / "b").read_bytes() == (there / "b").read_bytes()
    assert not (here / INCOMING).exists()


def test_what_is_left_of_a_machine_goes_to_no_other(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """The folder where files land first is advisor's own, wherever it is."""
    (here / "checkpoints" / INCOMING / "x" / "tree").mkdir(parents=True)
    (here / "checkpoints" / INCOMING / "x" / "tree" / "half").write_text("x")
    (here / "checkpoints" / "new").write_text("x")
    outgoing = decide(
        Asked(here, written="checkpoints", before={}), Private(), lambda _: None
    )
    assert list(outgoing.files) == ["checkpoints/new"]
    assert not [one for one in outgoing.folders if INCOMING in one]


def test_two_do_not_copy_from_one_machine_at_once(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """The second is told so; one that has died is no hindrance."""
    (there / "a").write_text("x")
    errors = []

    def again() -> None:
        if not errors:
            errors.append("")
            with pytest.raises(RemoteError, match="another process copies"):
                incoming.pull(machine.ssh, there.name, here)
            errors.append("refused")

    incoming.pull(machine.ssh, there.name, here, again)
    assert errors == ["", "refused"]
    assert files(here) == {"a": b"x"}


def test_what_is_asked_meanwhile_may_end_it(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """A slow copy keeps nobody from looking after the machine."""
    (there / "a").write_text("x")

    def lost() -> None:
        raise KeyError("the machine is lost")

    with pytest.raises(KeyError):
        incoming.pull(machine.ssh, there.name, here, lost)


def test_what_lies_too_deep_is_left_out(
    machine: Any, there: Path, here: Path, incoming: Incoming, told: list[str]
) -> None:
    """And what lies beside it comes."""
    (there / "a").write_text("x")
    script = "i=0; while [ $i -lt 150 ]; do mkdir d && cd d || exit; i=$((i+1)); done"
    subprocess.run(["sh", "-c", script], cwd=there, check=True)
    incoming.pull(machine.ssh, there.name, here)
    assert files(here)["a"] == b"x"
    assert "are no files and stay there" in " ".join(told)
    assert not (here / INCOMING).exists()
    subprocess.run(["rm", "-rf", str(there)], check=True)


def test_what_nobody_may_write_there_may_be_written_here(
    machine: Any, there: Path, here: Path, incoming: Incoming
) -> None:
    """The user owns what came back."""
    (there / "f").write_text("x")
    (there / "f").chmod(0o400)
    incoming.pull(machine.ssh, there.name, here)
    assert stat.S_IMODE((here / "f").stat().st_mode) & 0o600 == 0o600
