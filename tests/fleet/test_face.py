"""`advisor.Cluster` where Dask is not installed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib.util as util
real = util.find_spec
util.find_spec = lambda name, *more: None if name == "distributed" else real(name, *more)
import advisor
from advisor import *
try:
    advisor.Cluster("resnet50", deadline_s=3600)
except advisor.UsageError as error:
    print(error)
"""


def test_without_dask_it_says_how_to_install_it() -> None:
    """In one line, when a cluster is asked for: all else can be imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("advisor.Cluster needs Dask: ")
    assert ".[fleet]" in done.stdout
    assert done.stdout.count("\n") == 1
