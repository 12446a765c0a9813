"""What the commands that rent print with `--json` is what `docs/schemas` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Conforms = Callable[[str, Any], None]
RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
RUN = ("run", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")


def test_renting_and_what_becomes_of_it(street: Any, conforms: Conforms) -> None:
    """A dry run, a rental, the list of them, what reconcile finds."""
    for words in (("--dry-run",), ("--yes", "--lease", "2h")):
        done = street.launch(*RENT, *words, "--json")
        assert done.exit_code == 0, done.stderr
        conforms("rent", done.document)
    street.console_machine()
    for words in ((), ("--all",), ("--offline",)):
        conforms("rentals", street.launch("rentals", "--json", *words).document)
    elsewhere = street.launch("rentals", "--json", machine="there").document
    assert elsewhere["market"]["elsewhere"]
    conforms("rentals", elsewhere)
    found = street.launch("reconcile", "--json").document
    assert found["rentals"]
    conforms("reconcile", found)


def test_a_dry_run_says_what_would_go(
    street: Any, conforms: Conforms, project: Path
) -> None:
    """With a secret that stays here, one that is asked for, and an ignored file."""
    for name in (".env", "id_rsa", "big.bin"):
        (project / name).write_text("x")
    (project / ".gitignore").write_text("*.bin\n")
    line = (*RUN, "--sync", str(project), "--dry-run", "--json", "--include", "id_rsa")
    done = street.launch(*line, "--", "sh", "-c", "true")
    assert done.exit_code == 0, done.stderr
    sync = done.document["sync"]
    told = {name: sync[name] for name in ("files", "secrets", "held_back", "ignored")}
    assert all(told.values()), told
    conforms("run", done.document)


@pytest.mark.slow
def test_a_command_that_ended_and_one_that_did_not(
    inhabited: Any, conforms: Conforms, project: Path
) -> None:
    """How it ended, with its exit code; or why it never ran."""
    line = (*RUN, "--yes", "--sync", str(project), "--json")
    done = inhabited.launch(*line, "--", "sh", "-c", "exit 3")
    assert done.document["exit_code"] == 3
    conforms("run", done.document)
    none = inhabited.launch(*line, "--gpu", "H100", "--max-price", "0.01", "--", "true")
    assert none.document["state"] == "not_ended"
    conforms("run", none.document)
