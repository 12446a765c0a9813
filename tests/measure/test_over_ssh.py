"""The bench at the other end of ssh: sent, bounded, cleared away, and distrusted.

A command called ``ssh`` on the path plays the connection and the machine: it runs the
script that comes, in a home of its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.base.clock import Clock
from advisor.base.errors import RemoteError
from advisor.market.lifecycle import Endpoint
from advisor.measure.over_ssh import quick_bench
from advisor.measure.program import program
from advisor.rental.remote.ssh import Ssh
from tests.measure.benches import LINES, document

SSH = """\
#!/bin/sh
for last; do :; done
export HOME={home} PATH={programs}:$PATH
exec /bin/sh -c "$last"
"""

PYTHON = """\
#!/bin/sh
case "$*" in
  *--mode*) printf '%s\\n' "$@" >"$HOME/asked"; test -e "$1" && {does} ;;
  *) exec {python} "$@" ;;
esac
"""

Machine = Callable[[str], Ssh]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home folder of the machine."""
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def machine(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return the connection to a machine where the program does what a line says."""
    programs, here = tmp_path / "programs", tmp_path / "here"
    for folder in (programs, here):
        folder.mkdir()
    monkeypatch.setenv("PATH", str(here), prepend=":")

    def write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def connected(does: str) -> Ssh:
        write(here / "ssh", SSH.format(home=home, programs=programs))
        python = shutil.which("python3")
        for name in ("python3", "python"):
            write(programs / name, PYTHON.format(python=python, does=does))
        at = [Endpoint("203.0.113.9", 22)]
        return Ssh(at, tmp_path / "key", tmp_path / "known_hosts", Clock())

    return connected


def test_what_the_program_prints_is_read(machine: Machine, home: Path) -> None:
    """Its last line; it has its bounds, and nothing of it stays on the machine."""
    (home / "printed").write_text(json.dumps(document(LINES)))
    found = quick_bench(
        machine('{ echo hello; cat "$HOME/printed"; }'), seconds=30.0, most_s=120.0
    )
    assert found.value("gpu0.matmul.fp16") == 167.0
    asked = (home / "asked").read_text().split()
    folder = asked[asked.index("--folder") + 1]
    assert asked[0] == f"{folder}/bench.pyz"
    assert asked[1:5] == ["--mode", "quick", "--seconds", "30"]
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("echo '<html>'", "what the machine printed is no result of a bench"),
        (":", "it is empty"),
        ("head -c 3000000 /dev/zero", "it is larger than 1 MiB"),
        ("{ echo out of room >&2; exit 3; }", "the bench ended with 3: out of room"),
        ("exit 124", r"the bench had not ended after 90 s"),
        ("exit 137", r"the bench had not ended after 90 s"),
    ],
)
def test_what_is_no_result_is_told_as_one_line(
    machine: Machine, home: Path, does: str, words: str
) -> None:
    """It says nothing of how fast the machine is; it is cleared away all the same."""
    with pytest.raises(RemoteError, match=words) as raised:
        quick_bench(machine(does), seconds=30.0, most_s=120.0)
    assert "\n" not in str(raised.value)
    assert list(home.glob(".advisor-bench*")) == []


def test_an_image_without_python_is_told(machine: Machine, tmp_path: Path) -> None:
    """Which is no fault of the machine."""
    ssh = machine(":")
    for name in ("python3", "python"):
        (tmp_path / "programs" / name).write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RemoteError, match=r"the image has no Python from 3\.8 on"):
        quick_bench(ssh, 30.0, 120.0)


def test_the_program_that_is_sent_is_whole(machine: Machine, home: Path) -> None:
    """It arrives byte by byte."""
    with pytest.raises(RemoteError, match="it is empty"):
        quick_bench(machine('cp "$1" "$HOME/arrived"'), 30.0, 120.0)
    assert (home / "arrived").read_bytes() == program()
