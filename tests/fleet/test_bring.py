"""A rented machine has the launcher's Python and Dask, whatever its image has."""

from __future__ import annotations

import base64
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

import cloudpickle
import distributed
import joblib
import msgspec
import psutil

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError, UsageError
from advisor.fleet.bring import NoPythonError, RemotePython, bring
from advisor.fleet.bringing.archive import pack
from advisor.fleet.bringing.found import look, this_python
from advisor.fleet.bringing.install import difference, here
from advisor.fleet.bringing.packages import package_files
from advisor.rental.remote.ssh import Ssh, ensure_key
from advisor.simulator.containers import Container
from advisor.simulator.local import LocalContainers

_PROGRAMS = ("sh", "tar", "gzip", "mkdir", "rm", "mv", "head", "grep", "rsync", "env")

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the machine here is to be a Linux"
)

_BRING = """\
import sys
from pathlib import Path
from advisor.base.clock import Clock
from advisor.fleet.bring import bring
from advisor.market.lifecycle import Endpoint
from advisor.rental.remote.ssh import Ssh

port, key, known, until = sys.argv[1:]
ssh = Ssh([Endpoint("127.0.0.1", int(port))], Path(key), Path(known), Clock())

def progress(what, done=0.0, of=None, unit=""):
    print(what, flush=True)
    if what.startswith(until):
        sys.stdin.read()

bring(ssh, print, progress)
"""


@dataclass(frozen=True)
class Machine:
    """A running machine, and the way to it."""

    ssh: Ssh
    home: Path
    key_file: Path

    @property
    def brought(self) -> list[str]:
        """Names of what lies in advisor's folder there for Python."""
        return sorted(path.name for path in self.home.glob(".advisor/python-*"))

    def run(self, python: RemotePython, script: str) -> str:
        """Return what a Python script prints there."""
        return self.ssh.ask(f"{python.command} - <<'END'\n{script}\nEND\n", "it").strip()


Machines = Callable[..., Machine]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Return a maker of machines, whose images differ in their variables."""
    missing = LocalContainers.missing()
    for program in ("ssh", "rsync"):
        if not missing and shutil.which(program) is None:
            missing = f"{program} is not installed"
    if missing:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("machines, of fleets")
    key_file, public_key = ensure_key(folder / "key")
    host = LocalContainers(folder / "instances")
    numbers = iter(range(1, 1000))

    def make(path: Path | str, **variables: str) -> Machine:
        number = next(numbers)
        variables["PATH"] = str(path)
        endpoint = host.start(
            Container(number, "image", "", variables, (public_key,), 10)
        )
        assert endpoint is not None
        ssh = Ssh([endpoint], key_file, folder / "known" / str(number), Clock())
        return Machine(ssh, folder / "instances" / str(number) / "home", key_file)

    yield make
    host.close()


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a PATH of a small image, which has no Python."""
    return _programs(tmp_path / "bin")


def _programs(folder: Path) -> Path:
    folder.mkdir()
    for name in _PROGRAMS:
        (folder / name).symlink_to(str(shutil.which(name)))
    _program(folder / "uname", f"[ $1 = -s ] && echo Linux || echo {platform.machine()}")
    return folder


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def with_python(programs: Path) -> Path:
    """Return a PATH of an image with this very Python, without what is installed here."""
    base = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    (programs / "python3").symlink_to(base)
    return programs


@pytest.fixture(scope="module")
def bare(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return a machine whose image has no Python, which has been brought ours."""
    machine = machines(_programs(tmp_path_factory.mktemp("image") / "bin"))
    bring(machine.ssh, _nobody)
    return machine


def _nobody(line: str) -> None:
    """Hear what is said to people."""


@pytest.mark.slow
def test_the_image_python_runs_our_dask(machines: Machines, with_python: Path) -> None:
    """A like Python of the image is used; our functions find its packages.

    A second call sends nothing.
    """
    (with_python.parent / "theirs").mkdir()
    (with_python.parent / "theirs" / "only_there.py").write_text("VALUE = 7")
    (with_python.parent / "theirs" / "distributed.py").write_text("raise SystemExit(9)")
    (with_python.parent / "theirs" / "filelock.py").write_text("VALUE = 'theirs'")
    machine = machines(with_python, PYTHONPATH=str(with_python.parent / "theirs"))
    also = ("joblib", "filelock")

    python = bring(machine.ssh, _nobody, also=also)

    assert not python.brought
    assert python.version == platform.python_version()
    assert 0 < python.sent_bytes < 10_000_000
    number = 5
    function = base64.b64encode(cloudpickle.dumps(lambda by: number * by)).decode()
    printed = machine.run(
        python,
        "import base64, cloudpickle, distributed, filelock, joblib, only_there\n"
        f"f = cloudpickle.loads(base64.b64decode('{function}'))\n"
        "print(f(only_there.VALUE), filelock.VALUE, joblib.__version__,"
        " distributed.__version__, distributed.__file__)",
    ).split(" ", 4)
    assert printed[:2] == ["35", "theirs"]
    assert printed[2:4] == [joblib.__version__, distributed.__version__]
    assert str(machine.home) in printed[4]
    again = bring(machine.ssh, _nobody, also=also)
    assert (again.command, again.brought, again.sent_bytes) == (python.command, False, 0)
    assert len(machine.brought) == 1


@pytest.mark.slow
def test_an_image_without_python_gets_ours(bare: Machine) -> None:
    """The launcher's Python comes with its libraries, and can start itself again."""
    python = bring(bare.ssh, _nobody)
    assert (python.brought, python.sent_bytes) == (True, 0)
    printed = bare.run(
        python,
        "import ctypes, distributed, json, psutil, ssl, subprocess, sys\n"
        "again = [sys.executable, '-c', 'import ssl, sys; print(sys.version)']\n"
        "assert subprocess.check_output(again).decode().strip() == sys.version\n"
        "print(sys.version.split()[0], distributed.__version__)",
    )
    assert printed == f"{platform.python_version()} {distributed.__version__}"


def test_the_programs_of_the_image_keep_their_own_libraries(bare: Machine) -> None:
    """What the brought Python starts is told of none of its libraries and folders."""
    python = bring(bare.ssh, _nobody)
    printed = bare.run(
        python, "import subprocess\nprint(subprocess.check_output('env').decode())"
    )
    names = {line.partition("=")[0] for line in printed.splitlines()}
    assert not names & {"LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME"}


def test_only_the_brought_libraries_are_loaded(bare: Machine) -> None:
    """The image's C library is not used, so that its age does not matter."""
    python = bring(bare.ssh, _nobody)
    loaded = bare.run(
        python,
        "import ctypes, distributed, psutil, sqlite3, ssl\n"
        "print(*{l.split(None, 5)[5].strip() for l in open('/proc/self/maps')"
        " if '.so' in l}, sep='\\n')",
    ).splitlines()
    assert len(loaded) > 5
    assert [one for one in loaded if not one.startswith(str(bare.home))] == []


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "kill -9 $$",
        "echo '{\"version\": 3}'",
        "echo no; exit 0",
        'echo \'{"version":"3.5.9","tag":"cpython-35","magic":"00","abi":"x"}\'',
    ],
    ids=["fails", "killed", "nonsense", "no JSON", "another minor"],
)
def test_a_python_that_is_of_no_use_is_passed_over(
    machines: Machines, programs: Path, script: str
) -> None:
    """One that does not start, tells nonsense or is another minor counts as none."""
    _program(programs / "python3", script)
    machine = machines(programs)
    alike = [
        python
        for python in look(machine.ssh).pythons.values()
        if python.runs_bytecode_of(this_python())
    ]
    assert alike == []


@pytest.mark.slow
def test_a_python_that_lies_is_found_out(machines: Machines, programs: Path) -> None:
    """An image's Python that cannot do what it says is left for the brought one."""
    ours = this_python()
    fields = f'"version":"{ours.version}","tag":"{ours.tag}","magic":"{ours.magic}"'
    _program(programs / "python3", f'echo \'{{{fields},"abi":"x"}}\'')
    said: list[str] = []
    python = bring(machines(programs).ssh, said.append)
    assert python.brought
    assert len(said) == 1
    assert "the image's Python" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("until", ["sending", "unpacking"])
def test_a_launcher_killed_meanwhile_leaves_nothing_that_counts(
    machines: Machines, with_python: Path, until: str
) -> None:
    """After kill -9 the next launcher makes it whole, and nothing else is left there."""
    machine = machines(with_python)
    port, known = str(machine.ssh.endpoint.port), str(machine.ssh.known_hosts)
    words = [sys.executable, "-c", _BRING, port, str(machine.key_file), known, until]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as launcher:
        assert launcher.stdout is not None
        assert any(line.startswith(until) for line in launcher.stdout)
        launcher.send_signal(signal.SIGKILL)
    # As a script that ended in the middle leaves it.
    (machine.home / ".advisor").mkdir(exist_ok=True)
    for left in machine.home.glob(".advisor/python-*.tar.gz"):
        (left.parent / f"{left.name.removesuffix('.tar.gz')}.new.77").mkdir()
        left.write_bytes(left.read_bytes()[:1000])

    python = bring(machine.ssh, _nobody)

    assert not python.brought
    assert len(machine.brought) == 1
    assert "new" not in machine.brought[0]


@pytest.mark.slow
def test_what_was_torn_is_sent_again(machines: Machines, with_python: Path) -> None:
    """Dask whose files are gone or were changed is not used: it is made anew."""
    machine = machines(with_python)
    bring(machine.ssh, _nobody)
    (file,) = machine.home.glob(".advisor/python-*/packages/dask-*.dist-info/METADATA")
    as_it_was = file.read_bytes()
    file.write_text("Name: dask\nVersion: 1.0\n")
    assert bring(machine.ssh, _nobody).sent_bytes > 0
    assert file.read_bytes() == as_it_was


def test_another_architecture_takes_what_is_plain_python(
    machines: Machines, with_python: Path
) -> None:
    """Compiled files stay here where they do not fit; the image's psutil is used."""
    _program(with_python / "uname", "[ $1 = -s ] && echo Linux || echo riscv64")
    theirs = with_python.parent / "theirs"
    theirs.mkdir()
    (theirs / "psutil").symlink_to(Path(psutil.__file__).parent)
    machine = machines(with_python, PYTHONPATH=str(theirs))
    python = bring(machine.ssh, _nobody)
    assert not python.brought
    printed = machine.run(
        python, "import msgpack, psutil\nprint(msgpack.Packer.__module__)"
    )
    assert printed == "msgpack.fallback"
    assert not list(machine.home.glob(".advisor/python-*/packages/**/*.so"))


def test_an_image_that_can_run_no_dask_is_said(
    machines: Machines, programs: Path
) -> None:
    """Neither a like Python nor this one runs there: one line says what would do."""
    _program(programs / "uname", "[ $1 = -s ] && echo Linux || echo riscv64")
    machine = machines(programs)
    with pytest.raises(NoPythonError, match="take an image with Python") as caught:
        bring(machine.ssh, _nobody)
    assert "\n" not in str(caught.value)
    assert machine.brought == []


def test_a_machine_that_talks_nonsense_is_refused(
    machines: Machines, programs: Path
) -> None:
    """What a machine says of itself is checked before it is used."""
    _program(programs / "uname", "echo '$(reboot)'")
    with pytest.raises(RemoteError, match="does not say what it is"):
        bring(machines(programs).ssh, _nobody)


@pytest.mark.parametrize("name", ["dask", "distributed", "msgpack", "cloudpickle"])
def test_a_package_that_differs_is_named(name: str) -> None:
    """Both versions are in the message, and nothing of it can act on a terminal."""
    ours = here()
    theirs = msgspec.structs.replace(ours, packages={**ours.packages, name: "\x1b[1m0"})
    expected = f"its {name} is [1m0, and ours is {ours.packages[name]}"
    assert difference(ours, theirs) == expected
    without = {key: value for key, value in ours.packages.items() if key != name}
    said = difference(ours, msgspec.structs.replace(ours, packages=without))
    assert said == f"its {name} is missing, and ours is {ours.packages[name]}"


def test_another_python_is_named() -> None:
    """Bytecode of another kind is refused; another bugfix of the same Python is not."""
    ours = here()
    assert difference(ours, ours) == ""
    assert difference(ours, msgspec.structs.replace(ours, python="3.11.999")) == ""
    theirs = msgspec.structs.replace(ours, python="3.9.2", tag="cpython-39")
    expected = f"its Python is 3.9.2, and ours is {platform.python_version()}"
    assert difference(ours, theirs) == expected


def test_one_content_is_one_archive(tmp_path: Path) -> None:
    """Dates and order do not count, and any change of content does."""
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("1")
    second.write_text("2")
    before = pack({"a": first, "b": second})
    os.utime(first, (0, 0))
    assert pack({"b": second, "a": first}) == before
    first.write_text("3")
    assert pack({"a": first, "b": second}).digest != before.digest


def test_all_that_a_worker_needs_goes_along() -> None:
    """The files are those of what Dask requires: no tests, and nothing outside."""
    files = package_files(compiled=True)
    assert _tops(files) >= {"dask", "distributed", "msgpack", "tornado", "psutil"}
    assert not any("/tests/" in path or ".." in path for path in files)
    assert "psutil" not in _tops(package_files(compiled=False))


def test_further_packages_go_along_behind_those_of_the_image() -> None:
    """What is asked for goes along with all that it needs, but not what Dask has too."""
    files = package_files(compiled=True, also=["joblib", "Jinja2", "scikit_learn"])
    also = {path.split("/")[1] for path in files if path.startswith("also/")}
    assert also >= {"joblib", "sklearn", "numpy", "scipy"}
    assert "jinja2" not in also
    plain = package_files(compiled=False, also=["joblib", "scikit-learn"])
    also = {path.split("/")[1] for path in plain if path.startswith("also/")}
    assert "joblib" in also
    assert not {"sklearn", "numpy"} & also


def test_a_package_that_is_not_here_is_named() -> None:
    """What cannot be brought is said before anything is sent."""
    with pytest.raises(UsageError, match="no-such-thing is not installed here"):
        package_files(compiled=True, also=["no-such-thing"])


def test_a_package_that_lies_elsewhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed as editable has no files to take along."""
    folder = tmp_path / "mine-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (folder / "RECORD").write_text("mine.pth,,\nmine-1.0.dist-info/METADATA,,\n")
    (tmp_path / "mine.pth").write_text("/src/mine\n")
    (folder / "direct_url.json").write_text(
        '{"url": "file:///src/mine", "dir_info": {"editable": true}}'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="mine is installed here as editable"):
        package_files(compiled=True, also=["mine"])


def test_a_python_that_calls_itself_strangely_is_none(
    machines: Machines, programs: Path
) -> None:
    """Its version is shown to people, on their terminal."""
    here = this_python()
    for version, found in (("3.99.1rc1", True), ("3.1\x1b[2J", False), ("3.1\n", False)):
        said = msgspec.json.encode(msgspec.structs.replace(here, version=version))
        _program(programs / "python3", f"cat <<'END'\n{said.decode()}\nEND")
        (programs / "cat").unlink(missing_ok=True)
        (programs / "cat").symlink_to(str(shutil.which("cat")))
        assert ("python3" in look(machines(programs).ssh).pythons) is found


def _tops(files: dict[str, Path]) -> set[str]:
    return {path.split("/")[1] for path in files if path.startswith("packages/")}
