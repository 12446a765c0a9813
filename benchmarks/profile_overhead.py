"""What the hooks of `advisor profile` cost outside the counted steps, as a ratio.

Trainings are run in turn with and without the hooks, each in a process of its own, so
that a busy machine slows both. Each tells the CPU time of its steps once the hooks have
counted theirs; the ratio of the medians is what counts (at most 1.05). Needs PyTorch.

    python benchmarks/profile_overhead.py [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from advisor.measure.hooks import SITE
from advisor.measure.hooks.observation import FOLDER

TRAINING = """
import sys, time
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
kind, warm, timed = sys.argv[1], 60, int(sys.argv[2])
if kind == "convolutions":
    data = TensorDataset(torch.randn(64, 3, 64, 64), torch.randint(0, 9, (64,)))
    net = nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 9)),
    )
else:
    data = TensorDataset(torch.randn(1024, 256), torch.randint(0, 9, (1024,)))
    net = nn.Sequential(*(
        part for _ in range(4) for part in (nn.Linear(256, 256), nn.ReLU())
    ), nn.Linear(256, 9))
optimizer = torch.optim.AdamW(net.parameters())
workers = 2 if kind == "workers" else 0
loader = DataLoader(data, 16, shuffle=True, num_workers=workers)
seen, began = 0, 0.0
while seen < warm + timed:
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        seen += 1
        if seen == warm:
            began = time.process_time()
        if seen == warm + timed:
            break
print((time.process_time() - began) / timed)
"""
"""A loop of short steps, where hooks weigh most. Prints CPU seconds of a step."""

KINDS = {"convolutions": 60, "matrices": 400, "workers": 400}
"""What is trained -> steps that are timed."""


def seconds(kind: str, steps: int, folder: str | None) -> float:
    """Return the CPU time of a step; with the hooks if they get a folder."""
    environment = dict(os.environ)
    if folder is not None:
        environment.update({FOLDER: folder, "PYTHONPATH": str(SITE)})
    command = [sys.executable, "-c", TRAINING, kind, str(steps)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    )
    return float(done.stdout)


def ratio(kind: str, steps: int, runs: int) -> dict[str, float]:
    """Return the medians with and without the hooks, in milliseconds."""
    pairs = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            pairs.append((seconds(kind, steps, None), seconds(kind, steps, folder)))
    plain, hooked = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = [after / before for before, after in pairs]
    return {
        "plain_ms": 1e3 * plain,
        "hooked_ms": 1e3 * hooked,
        "ratio": hooked / plain,
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def main() -> None:
    """Print the ratio of each training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {kind: ratio(kind, steps, asked.runs) for kind, steps in KINDS.items()}
    if asked.json:
        print(json.dumps(found))
        return
    for kind, one in found.items():
        print(
            f"{kind}: {one['plain_ms']:.3f} ms of CPU time a step, with hooks "
            f"{one['hooked_ms']:.3f} ms: ratio {one['ratio']:.3f} (pairs "
            f"{one['lowest']:.3f} to {one['highest']:.3f}; target: at most 1.05)"
        )


if __name__ == "__main__":
    main()
