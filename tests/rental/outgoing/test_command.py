"""A command that surely fails on the machine is refused, and no other one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.rental.outgoing.command import check_command, check_words, stays_here
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide

NO_PROGRAMS = "/nowhere"


@pytest.fixture
def outgoing(make: Callable[..., Path], tmp_path: Path) -> Outgoing:
    """Return what goes of a small project."""
    names = ("train.py", "run.sh", "sub/eval.py", "pkg/__init__.py", "pkg/fit.py", "x.sh")
    names += ("app/__main__.py", "app/__init__.py", "conf.yaml", "my train.py")
    folder = make(
        tmp_path / "p",
        {
            ".gitignore": "data/\nold.py\nresults/\n",
            **dict.fromkeys(names, ""),
            **dict.fromkeys(("data/x.bin", "old.py", ".env", "results/a", ".netrc"), ""),
        },
    )
    (folder / "run.sh").chmod(0o755)
    (folder / "away.py").symlink_to("/etc/hosts")
    return decide(Asked(folder), Private(), lambda _: None)


def check(line: str, outgoing: Outgoing) -> None:
    argv = shlex.split(line)
    check_words(argv)
    check_command(argv, outgoing, NO_PROGRAMS)


@pytest.mark.parametrize(
    "line",
    [
        "python train.py --epochs 3",
        "python3.11 -u -X utf8 -W ignore ./train.py",
        "python -c 'print(1)' nothing.py",
        "python - <x",
        "python -um pkg.fit",
        "python -u",
        "bash -x",
        "bash --rcfile nothing.sh",
        "bash --rcfile nothing.sh x.sh",
        "python -m pkg.fit --data data",
        "python -m app",
        "python -m torch.distributed.run --nproc_per_node 2 train.py",
        "python -m pip install -r nothing.txt",
        "python sub/eval.py",
        "python app",
        "python 'my train.py'",
        "bash -euo pipefail x.sh",
        "bash -lc 'python nothing.py'",
        "sh -c 'cd sub && python eval.py'",
        "sh -- x.sh",
        "./run.sh",
        "torchrun --standalone train.py --config nothing.py",
        "torchrun --rdzv_conf x.py train.py",
        "torchrun -m pkg.fit",
        "accelerate launch --config_file acc.yaml train.py",
        "deepspeed train.py --deepspeed ds.json",
        "uv run train.py",
        "uv run --with x python train.py",
        "uv pip install x",
        "env A=1 nohup python train.py",
        "timeout -s KILL 5h python train.py",
        "conda run -n base python train.py",
        "nice -n 10 bash x.sh",
        "/opt/conda/bin/python train.py",
        "/opt/app/start --now",
        "nvidia-smi",
        "make train",
        "python train.py --out results/model --data=data/x.bin",
        "python train.py --resume checkpoints/last --env .environment",
    ],
)
def test_what_may_run_is_let_through(line: str, outgoing: Outgoing) -> None:
    """Interpreters, launchers and their options, paths of the image, a shell's line."""
    check(line, outgoing)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--buget 5 python train.py", "starts with the option '--buget'"),
        ("''", "no command"),
        ("python 'a\0b'", "cannot hold a NUL"),
        ("bash --rcfile x.sh y.sh", "no y.sh in"),
        ("A=1 python train.py", "start the command with 'env A=1 ...'"),
        ("cd sub", "word of the shell: write sh -c 'cd ...'"),
        ("'python train.py --epochs 3'", "is one word"),
        ("pyhton train.py", "did you mean python?"),
        ("trian.py", "did you mean train.py?"),
        ("no-such-program --x", "write sh -c 'no-such-program ...'"),
        ("train.py", "no program but a file: write ./train.py, or 'python train.py'"),
        ("python trian.py", "no trian.py in .*: did you mean train.py?"),
        ("python eval.py", "did you mean sub/eval.py?"),
        ("python -X utf8 -u nothing/x/y/z.py", "there is no nothing/x/y/z.py"),
        ("python -m pkg.fti", "no pkg/fti.py in .*: did you mean pkg/fit.py?"),
        ("python -m pkg", "no pkg/__main__.py"),
        ("python ../train.py", "leads out of"),
        ("python old.py", r"old.py, which stays here \(ignored by .*\): give includes"),
        ("python away.py", r"away.py, which stays here \(a link to an absolute path"),
        ("bash -x y.sh", "no y.sh in .*: did you mean x.sh?"),
        ("./x.sh", r"'chmod \+x ./x.sh'"),
        ("./no.sh", "no ./no.sh"),
        ("torchrun --nproc_per_node 2 trian.py", "did you mean train.py?"),
        ("accelerate launch trian.py --x conf.yaml", "did you mean train.py?"),
        ("python -m torch.distributed.run trian.py", "did you mean train.py?"),
        ("env A=1 nohup python trian.py", "did you mean train.py?"),
        ("timeout -s KILL 5h python trian.py", "did you mean train.py?"),
        ("uv run trian.py", "did you mean train.py?"),
        ("python train.py --env .env", r"names .env, which stays here \(environment"),
        ("python train.py --env=./.env", "give includes .env"),
        ("env-file=.env", "is no program"),
        (
            "python train.py -d away.py",
            "give excludes away.py if the command only writes there",
        ),
    ],
)
def test_what_surely_fails_is_refused(line: str, said: str, outgoing: Outgoing) -> None:
    """With the nearest name, or the reason why what it needs is not there."""
    with pytest.raises(UsageError, match=said):
        check(line, outgoing)


def test_a_path_of_this_machine_is_told(outgoing: Outgoing) -> None:
    """Whole paths in the folder are other ones there."""
    with pytest.raises(UsageError, match="is a path of this machine"):
        check(f"python {outgoing.folder}/train.py", outgoing)


def test_a_program_that_is_here_may_be_there(
    outgoing: Outgoing, tmp_path: Path, make: Callable[..., Path]
) -> None:
    """What can be run here is plausible."""
    program = make(tmp_path / "bin", {"my-trainer": "#!/bin/sh\n"}) / "my-trainer"
    program.chmod(0o755)
    check_command(["my-trainer"], outgoing, str(program.parent))
    with pytest.raises(UsageError, match="no program here"):
        check_command(["my-trainer"], outgoing, NO_PROGRAMS)


def test_what_the_command_names_and_is_ignored_is_told(outgoing: Outgoing) -> None:
    """It may be what it writes: that is no error."""
    argv = ["python", "train.py", "--out", "results", "--data=data/x.bin", "data/new"]
    found = stays_here(argv, outgoing)
    assert [one.path for one in found] == ["results", "data"]
