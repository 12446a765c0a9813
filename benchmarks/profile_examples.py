"""What `advisor profile` says of six trainings, beside formulas and other measurements.

For each script of ``examples/training``: operations of a training step against a formula
of its layers, batch and samples against its arguments, CPU time of a sample against the
data set fetched in a loop of its own, and what holds the loop up, as it is and with a
loader that is slowed on purpose.

That loop is one under the conditions of a worker: another process computes meanwhile, and
it pauses between batches. Cores that share caches slow one another by a tenth, and caches
that went cold in a pause cost as much again.

Needs PyTorch, Pillow, Lightning, Transformers and Accelerate in the Python that runs it::

    python benchmarks/profile_examples.py
    python benchmarks/profile_examples.py lstm_text plain_images --json
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = REPOSITORY / "examples" / "training"

_SLOWED = 2.0
"""Time that the slowed loader takes for a batch, over what a step takes as it is."""

_STEPS = 35
"""After which a training is stopped."""

_PAUSE_S = 0.02
"""Between two batches of the other measurement, as a worker pauses while the queue is
full."""

_FETCHED = 480
"""Samples of it."""


@dataclass(frozen=True)
class Example:
    """One training, and what is known of it without watching it.

    Attributes
    ----------
    name : of the script
    words : its arguments
    training_flops : operations of a training step, per sample, by the formula
    batch : samples per optimizer step
    micro : of these, in one batch of the loader
    samples : of an epoch
    fetch : fetches and collates the samples of these indices, as a worker does
    """

    name: str
    words: tuple[str, ...]
    training_flops: float
    batch: int
    micro: int
    samples: int
    fetch: Callable[[Sequence[int]], object]


@dataclass(frozen=True)
class Row:
    """What was found of one training."""

    script: str
    flops_formula: float
    flops_seen: float
    batch: str
    samples: str
    cpu_ms_alone: float
    cpu_ms_seen: float
    bound: str
    bound_slowed: str
    seconds: float

    @property
    def flops_error(self) -> float:
        """Relative error of the operations."""
        return self.flops_seen / self.flops_formula - 1.0

    @property
    def cpu_error(self) -> float:
        """Relative error of the CPU time."""
        return self.cpu_ms_seen / self.cpu_ms_alone - 1.0

    @property
    def is_right(self) -> bool:
        """Whether all of it is as it must be."""
        return (
            abs(self.flops_error) <= 0.02
            and _same(self.batch)
            and _same(self.samples)
            and abs(self.cpu_error) <= 0.15
            and self.bound_slowed == "data"
        )


def _same(pair: str) -> bool:
    seen, _, known = pair.partition("/")
    return seen == known


def plain_images() -> Example:
    """Return the residual net: 3 x 3 convolutions at 32, 16 and 8 pixels."""
    module = importlib.import_module("plain_images")
    macs, channels, first = 0.0, 3, 0.0
    for width, side in ((32, 32), (64, 16), (128, 8)):
        stem = 9.0 * channels * width * side**2
        first = first or stem
        macs += stem + 2 * 9.0 * width**2 * side**2
        channels = width
    macs += 128.0 * 8
    # Backward twice forward, but for what the pictures would have as their gradient.
    return _of_pictures(
        "plain_images", (), 2 * (3 * macs - first), 32, 32, 640, module.JpegFiles
    )


def lightning_vit() -> Example:
    """Return the vision transformer: 64 tokens, 192 wide, 4 layers."""
    module = importlib.import_module("lightning_vit")
    tokens, width = 64.0, 192.0
    patches = tokens * 3 * 8 * 8 * width
    macs = patches + width * 8 + _of_transformer(tokens, width, 4)
    flops = 2 * (3 * macs - patches)
    return _of_pictures("lightning_vit", (), flops, 16, 16, 640, module.JpegFiles)


def timm_style() -> Example:
    """Return the MobileNet: convolutions by channel and across, at 48 to 12 pixels."""
    module = importlib.import_module("timm_style")
    stem = 9.0 * 3 * 32 * 48**2
    macs = stem + 256.0 * 8
    for before, after, side in (
        (32, 64, 48),
        (64, 128, 24),
        (128, 128, 24),
        (128, 256, 12),
    ):
        macs += (9.0 * before + before * after) * side**2
    words = (
        "--amp",
        "--channels-last",
        "--model-ema",
        "--grad-accum-steps",
        "2",
        "-b",
        "16",
    )

    def dataset(listed: Any, delay_ms: float) -> Any:
        return module.ImageBytes(listed, 96, delay_ms)

    return _of_pictures(
        "timm_style",
        words,
        2 * (3 * macs - stem),
        32,
        16,
        640,
        dataset,
        module.fast_collate,
    )


def hf_trainer_gpt2() -> Example:
    """Return GPT-2: 128 tokens, 192 wide, 4 layers, 256 tokens known."""
    module = importlib.import_module("hf_trainer_gpt2")
    from transformers import default_data_collator  # noqa: PLC0415  (of this example)

    tokens, width = 128.0, 192.0
    macs = _of_transformer(tokens, width, 4) + tokens * width * 256
    text = _text("text.txt", 640 * module.CHARACTERS)
    dataset = module.TextPieces(text, 0.0)
    return Example(
        "hf_trainer_gpt2",
        (),
        2 * 3 * macs,
        16,
        8,
        640,
        lambda each: default_data_collator([dataset[at] for at in each]),
    )


def accelerate_bert() -> Example:
    """Return BERT: 96 tokens, 192 wide, 4 layers, a pooler and 8 classes."""
    module = importlib.import_module("accelerate_bert")
    tokens, width = 96.0, 192.0
    macs = _of_transformer(tokens, width, 4) + width**2 + width * 8
    text = _text("sentences.txt", 960 * module.CHARACTERS)
    dataset = module.Sentences(text, 0.0)
    return Example(
        "accelerate_bert",
        (),
        2 * 3 * macs,
        24,
        6,
        960,
        lambda each: _collated(dataset, each),
    )


def lstm_text() -> Example:
    """Return the LSTM: 64 steps, 2 layers of 4 gates, 256 wide, 256 tokens known."""
    module = importlib.import_module("lstm_text")
    steps, width = 64.0, 256.0
    macs = steps * (2 * 4 * width * 2 * width + width * 256)
    text = _text("sequences.txt", 800 * module.CHARACTERS)
    dataset = module.Sequences(text, 0.0)
    return Example(
        "lstm_text",
        (),
        2 * 3 * macs,
        20,
        20,
        800,
        lambda each: _collated(dataset, each),
    )


EXAMPLES: dict[str, Callable[[], Example]] = {
    one.__name__: one
    for one in (
        plain_images,
        lightning_vit,
        hf_trainer_gpt2,
        accelerate_bert,
        timm_style,
        lstm_text,
    )
}


def _of_transformer(tokens: float, width: float, layers: int) -> float:
    """Return the multiply-adds of a forward pass through the layers.

    12 width^2 a token, and attention of every token to every one, causal or not.
    """
    return layers * tokens * (12 * width**2 + 2 * tokens * width)


def _of_pictures(  # noqa: PLR0917  (as many as an example has)
    name: str,
    words: tuple[str, ...],
    flops: float,
    batch: int,
    micro: int,
    samples: int,
    make: Callable[[Any, float], Any],
    collate: Callable[[Any], Any] | None = None,
) -> Example:
    from made_data import make_jpegs  # noqa: PLC0415  (beside the scripts)

    dataset = make(make_jpegs(Path("example-data/jpegs"), samples), 0.0)

    def fetch(each: Sequence[int]) -> object:
        return _collated(dataset, each, collate)

    return Example(name, words, flops, batch, micro, samples, fetch)


def _text(name: str, length: int) -> bytes:
    from made_data import make_text  # noqa: PLC0415  (beside the scripts)

    text: bytes = make_text(Path("example-data") / name, length)
    return text


def _collated(dataset: Any, each: Sequence[int], collate: Any = None) -> object:
    from torch.utils.data import default_collate  # noqa: PLC0415

    return (collate or default_collate)([dataset[at] for at in each])


_COMPUTES = """
import torch
torch.set_num_threads(1)
net, pictures = torch.nn.Conv2d(64, 64, 3, padding=1), torch.randn(32, 64, 32, 32)
print("begun", flush=True)
while True:
    net(pictures).sum().backward()
"""


@contextmanager
def computing() -> Iterator[None]:
    """Let another process compute meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-c", _COMPUTES], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  (it is a pipe)
            process.stdout.readline()
            yield
        finally:
            process.kill()


def alone_ms(example: Example) -> float:
    """Return the CPU milliseconds of a sample, fetched here, the mean."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    with computing():
        return _fetched_ms(example)


def _fetched_ms(example: Example) -> float:
    size = example.micro
    spent = []
    for at in range(0, _FETCHED, size):
        time.sleep(_PAUSE_S)
        began = time.process_time()
        example.fetch(range(at, at + size))
        spent.append((time.process_time() - began) / size * 1e3)
    return statistics.mean(spent[1:])


def profile(example: Example, seconds: float, *more: str) -> dict[str, Any]:
    """Return what `advisor profile` says of a training."""
    words = ("--steps", str(_STEPS), "--seconds", f"{seconds:g}s", "--json")
    script = (sys.executable, str(SCRIPTS / f"{example.name}.py"), *example.words, *more)
    done = subprocess.run(
        [sys.executable, "-m", "advisor", "profile", *words, "--", *script],
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            # Cores that others use let threads wait for one another, and burn time.
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        message = f"{example.name}: exit {done.returncode}\n{done.stderr[-2000:]}"
        raise SystemExit(message)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def compared(example: Example, seconds: float) -> Row:
    """Watch a training twice, and compare."""
    began = time.monotonic()
    before = alone_ms(example)
    seen = profile(example, seconds)
    alone = statistics.mean((before, alone_ms(example)))
    step_ms = seen["pace"]["step_ms"] if seen["pace"] else 100.0
    delay_ms = _SLOWED * step_ms / example.batch
    slowed = profile(example, seconds, "--delay-ms", f"{delay_ms:g}")
    work = seen["workload"]
    flops = work["forward_gflops_per_sample"] * work["training_flops_factor"] * 1e9
    return Row(
        script=example.name,
        flops_formula=example.training_flops,
        flops_seen=flops,
        batch=f"{work['batch_size']}/{example.batch}",
        samples=f"{work['samples_per_epoch']:.0f}/{example.samples}",
        cpu_ms_alone=alone,
        cpu_ms_seen=work["cpu_ms_per_sample"] / seen["core"]["speed"],
        bound=_bound(seen),
        bound_slowed=_bound(slowed),
        seconds=time.monotonic() - began,
    )


def _bound(document: dict[str, Any]) -> str:
    pace = document["pace"]
    return "too few steps" if pace is None else str(pace["bound"])


def main() -> int:
    """Print the table; return 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="Default: all six.")
    parser.add_argument("--seconds", type=float, default=120.0, help="of a run, at most")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    args = parser.parse_args()
    if unknown := set(args.scripts) - set(EXAMPLES):
        parser.error(f"{', '.join(unknown)}: one of {', '.join(EXAMPLES)} is expected")
    sys.path.insert(0, str(SCRIPTS))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in args.scripts or EXAMPLES:
            rows.append(compared(EXAMPLES[name](), args.seconds))
            print(f"{name}: {rows[-1].seconds:.0f} s", file=sys.stderr, flush=True)
        os.chdir(REPOSITORY)
    if args.json:
        print(json.dumps([{**asdict(row), "is_right": row.is_right} for row in rows]))
    else:
        print(_table(rows))
    return 0 if all(row.is_right for row in rows) else 1


def _table(rows: Sequence[Row]) -> str:
    heads = (
        *("script", "MFLOP/sample", "formula", "error", "batch", "samples"),
        *("CPU ms", "alone", "error", "held up by", "slowed"),
    )
    cells = [
        (
            row.script,
            f"{row.flops_seen / 1e6:.2f}",
            f"{row.flops_formula / 1e6:.2f}",
            f"{row.flops_error:+.1%}",
            row.batch,
            row.samples,
            f"{row.cpu_ms_seen:.3f}",
            f"{row.cpu_ms_alone:.3f}",
            f"{row.cpu_error:+.0%}",
            row.bound,
            row.bound_slowed,
        )
        for row in rows
    ]
    return tabulate(cells, heads, disable_numparse=True)


if __name__ == "__main__":
    sys.exit(main())
