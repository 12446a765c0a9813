"""What the hooks see of trainings that know nothing of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.measure.hooks.watched import Watched, watch

pytest.importorskip("torch", reason="PyTorch is not installed (extra `measure`)")
pytestmark = pytest.mark.slow  # importing PyTorch is

NET = """
import sys, time
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

data = TensorDataset(torch.randn(203, 20), torch.randint(0, 4, (203,)))
net = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 4))

def train(loader, step, epochs=100):
    for epoch in range(epochs):
        for batch in loader:
            step(batch)
"""
"""Where the scripts begin; its net costs 2 (20 x 30 + 30 x 4) operations a sample and
pass forward, and backward twice that without the gradient of its input."""

FORWARD = 2.0 * (20 * 30 + 30 * 4)
BACKWARD = 2.0 * FORWARD - 2.0 * 20 * 30

SPENT_MS = 4.0
"""CPU time that a sample takes in the scripts. A busy machine adds to it (4.8 were seen);
what is counted twice is twice as much."""

PLAIN = (
    NET
    + """
optimizer = torch.optim.AdamW(net.parameters())
def step(batch):
    optimizer.zero_grad()
    F.cross_entropy(net(batch[0]), batch[1]).backward()
    optimizer.step()
"""
)


def per_sample(seen: Watched) -> tuple[float, float]:
    """Operations of a sample forward and backward."""
    counted = seen.trainer["counted"]
    flops = counted["flops"]
    return flops["forward"] / counted["samples"], flops["backward"] / counted["samples"]


def test_a_plain_loop_is_seen_whole_and_stopped(tmp_path: Path) -> None:
    """Batch, epoch, parameters, operations, optimizer; its words stay, its exit is 0."""
    script = PLAIN + "print('begun', flush=True)\ntrain(DataLoader(data, 8), step)\n"
    seen = watch(tmp_path, script, steps=20)
    document = seen.trainer
    assert (seen.status, seen.stdout, seen.stderr) == (0, "begun\n", "")
    assert document["ended"]["how"] == "stopped"
    assert document["ended"]["stopped_after"] == "steps"
    assert document["notes"] == []
    steps = document["steps"]
    assert steps["seen"] == 20
    assert steps["counted"] == 3
    assert steps["timed"] == len(document["loop"]["step_s"]) == 12
    assert (steps["samples_per_step"], steps["backwards_per_step"]) == (8.0, 1.0)
    assert steps["samples_from"] == "loader"
    (loader,) = document["loaders"]
    assert loader["samples_per_epoch"] == 203.0
    assert loader["batch_bytes"] == 20 * 4 + 8
    assert loader["tensors"][0] == {"name": "0", "shape": [8, 20], "dtype": "float32"}
    (model,) = document["models"]
    parameters = 20 * 30 + 30 + 30 * 4 + 4
    assert (model["parameters"], model["trainable"]) == (parameters, parameters)
    (optimizer,) = document["optimizers"]
    assert optimizer["name"] == "torch.optim.adamw.AdamW"
    assert optimizer["state_bytes_per_parameter"] == 8.0
    assert per_sample(seen) == (FORWARD, BACKWARD)
    assert document["precision"]["flops_by_dtype"] == {"float32": FORWARD + BACKWARD}


def test_a_program_that_ends_by_itself_is_not_stopped(tmp_path: Path) -> None:
    """Its last batch is smaller, an epoch was seen whole."""
    seen = watch(tmp_path, PLAIN + "train(DataLoader(data, 100), step, 2)\n")
    assert seen.status == 0
    assert seen.trainer["ended"] == {
        "how": "finished",
        "stopped_after": None,
        "error": None,
    }
    loader = seen.trainer["loaders"][0]
    assert loader["batch_sizes"] == {"100": 4, "3": 2}
    assert (loader["epochs"], loader["samples"]) == (2, 406.0)


def test_a_failure_stays_the_programs_own(tmp_path: Path) -> None:
    """Traceback and status are as without the hooks; what was seen is there."""
    script = PLAIN + "step(data[:8])\nraise ValueError('mine')\n"
    seen = watch(tmp_path, script, steps=20)
    assert seen.status == 1
    assert "ValueError: mine" in seen.stderr
    assert "_advisor_hooks" not in seen.stderr
    assert seen.trainer["ended"]["how"] == "failed"
    assert seen.trainer["ended"]["error"] == "ValueError"


def test_handlers_of_ctrl_c_run(tmp_path: Path) -> None:
    """A program that stores its weights on Ctrl-C does so when we stop it."""
    script = PLAIN + (
        "try:\n    train(DataLoader(data, 8), step)\n"
        "except KeyboardInterrupt:\n    print('stored'); sys.exit(7)\n"
    )
    seen = watch(tmp_path, script, steps=9)
    assert (seen.stdout, seen.status) == ("stored\n", 7)
    assert seen.trainer["ended"]["how"] == "stopped"


def test_a_handler_of_the_signal_runs(tmp_path: Path) -> None:
    """A program that handles SIGINT by a flag ends when it looks at it."""
    script = PLAIN + (
        "import signal\nover = []\n"
        "signal.signal(signal.SIGINT, lambda *_: over.append(1))\n"
        "for batch in DataLoader(data, 8):\n    step(batch)\n    if over: break\n"
        "print('over')\n"
    )
    seen = watch(tmp_path, script, steps=9)
    assert (seen.stdout, seen.status) == ("over\n", 0)
    assert seen.trainer["steps"]["seen"] == 9


def test_time_stops_it_too(tmp_path: Path) -> None:
    """After the seconds since the first batch, at the end of a step."""
    slow = "import time\ndef slower(batch):\n    step(batch); time.sleep(0.02)\n"
    script = PLAIN + slow + "train(DataLoader(data, 8), slower)\n"
    seen = watch(tmp_path, script, seconds=1.0)
    assert seen.status == 0
    assert seen.trainer["ended"]["stopped_after"] == "seconds"
    assert seen.trainer["steps"]["timed"] > 0


def test_accumulation_is_batches_per_step(tmp_path: Path) -> None:
    """Three backward passes a step are three batches a step."""
    script = PLAIN + (
        "for n, batch in enumerate(DataLoader(data, 5), 1):\n"
        "    F.cross_entropy(net(batch[0]), batch[1]).backward()\n"
        "    if n % 3 == 0:\n        optimizer.step(); optimizer.zero_grad()\n"
    )
    seen = watch(tmp_path, script, steps=12)
    steps = seen.trainer["steps"]
    assert (steps["backwards_per_step"], steps["batches_per_step"]) == (3.0, 3.0)
    assert (steps["samples_per_batch"], steps["samples_per_step"]) == (5.0, 15.0)
    assert per_sample(seen) == (FORWARD, BACKWARD)


def test_an_evaluation_is_no_part_of_a_step(tmp_path: Path) -> None:
    """Batches of another loader are no samples, and such steps are not counted."""
    script = PLAIN + (
        "held_out = DataLoader(data, 50)\n"
        "for n, batch in enumerate(DataLoader(data, 8), 1):\n"
        "    step(batch)\n"
        "    if n % 4 == 0:\n"
        "        with torch.no_grad():\n"
        "            for x, y in held_out: net(x)\n"
    )
    seen = watch(tmp_path, script, steps=20)
    assert per_sample(seen) == (FORWARD, BACKWARD)
    assert seen.trainer["steps"]["samples_per_step"] == 8.0
    assert seen.trainer["steps"]["timed"] < 12
    training = [one for one in seen.trainer["loaders"] if one["is_training"]]
    assert [one["batch_size"] for one in training] == [8]


def test_a_loader_made_for_each_epoch_is_one(tmp_path: Path) -> None:
    """With its data set as well; that of an evaluation is another all the same."""
    script = PLAIN + (
        "for epoch in range(100):\n"
        "    again = TensorDataset(*data[:40])\n"
        "    train(DataLoader(again, 8, shuffle=True), step, epochs=1)\n"
        "    for x, y in DataLoader(TensorDataset(*data[:24]), 8, shuffle=True): net(x)\n"
    )
    seen = watch(tmp_path, script, steps=60)
    by_size = {one["dataset_samples"]: one for one in seen.trainer["loaders"]}
    assert len(seen.trainer["loaders"]) == len(by_size) == 2
    assert (by_size[40]["is_training"], by_size[24]["is_training"]) == (True, False)
    assert by_size[40]["batches"] == 60
    steps = seen.trainer["steps"]
    assert (steps["samples_per_step"], steps["counted"]) == (8.0, 3)
    assert steps["timed"] > 30
    assert per_sample(seen) == (FORWARD, BACKWARD)


def test_a_loader_made_anew_over_a_stream_is_one(tmp_path: Path) -> None:
    """As long as the stream is the same; another one is not told apart by a length."""
    script = PLAIN + (
        "class Stream(IterableDataset):\n"
        "    def __iter__(self):\n"
        "        return iter(list(zip(*data[:40])))\n"
        "stream, other = Stream(), Stream()\n"
        "for epoch in range(100):\n"
        "    train(DataLoader(stream, 8), step, epochs=1)\n"
        "    for x, y in DataLoader(other, 8): net(x)\n"
    )
    seen = watch(tmp_path, script, steps=40)
    training, _ = sorted(seen.trainer["loaders"], key=lambda one: not one["is_training"])
    assert (training["batches"], training["samples_per_epoch"]) == (40, 40.0)
    assert seen.trainer["steps"]["timed"] > 20


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_workers_spend_is_counted_in_them(tmp_path: Path, start: str) -> None:
    """CPU time and bytes read per sample, of forked and of spawned workers."""
    script = PLAIN + (
        "class Files(Dataset):\n"
        "    def __len__(self): return 200\n"
        "    def __getitem__(self, at):\n"
        "        with open('sample', 'rb') as file: file.read()\n"
        "        until = time.process_time() + 0.004\n"
        "        while time.process_time() < until: pass\n"
        "        return data[at]\n"
        "if __name__ == '__main__':\n"
        "    loader = DataLoader(Files(), 4, num_workers=2,\n"
        "        multiprocessing_context=sys.argv[1], persistent_workers=True)\n"
        "    train(loader, step)\n"
    )
    (tmp_path / "sample").write_bytes(bytes(100_000))
    seen = watch(tmp_path, script, start, steps=30)
    (loader,) = seen.trainer["loaders"]
    assert (loader["workers"], loader["seen_workers"]) == (2, 2)
    assert loader["start_method"] == start
    samples = loader["fetched_samples"]
    assert samples >= 4 * 26
    assert 0.85 * SPENT_MS <= 1e3 * loader["fetch_cpu_s"] / samples < 2.0 * SPENT_MS
    assert loader["loading_cpu_s"] >= loader["fetch_cpu_s"]
    if loader["read_bytes"] is not None:
        assert loader["read_bytes"] / samples == pytest.approx(100_000, rel=0.01)
    assert len(seen.every) == 1, "workers write no document"


def test_a_loop_that_loads_itself_waits_for_it(tmp_path: Path) -> None:
    """Without workers the time within the data set is wait, and its CPU time counts."""
    script = PLAIN + (
        "class Slow(Dataset):\n"
        "    def __len__(self): return 400\n"
        "    def __getitem__(self, at):\n"
        "        until = time.process_time() + 0.004\n"
        "        while time.process_time() < until: pass\n"
        "        return data[at % 200]\n"
        "train(DataLoader(Slow(), 4), step)\n"
    )
    seen = watch(tmp_path, script, steps=20)
    loop, (loader,) = seen.trainer["loop"], seen.trainer["loaders"]
    assert sum(loop["wait_s"]) > 0.7 * sum(loop["step_s"])
    per_ms = 1e3 * loader["fetch_cpu_s"] / loader["fetched_samples"]
    assert 0.85 * SPENT_MS <= per_ms < 2.0 * SPENT_MS


def test_a_stream_without_length_tells_its_samples(tmp_path: Path) -> None:
    """The rows of what comes are samples; a whole pass says how many an epoch has."""
    script = PLAIN + (
        "class Stream(IterableDataset):\n"
        "    def __iter__(self): return (data[at] for at in range(90))\n"
        "train(DataLoader(Stream(), 8), step, 2)\n"
    )
    seen = watch(tmp_path, script)
    (loader,) = seen.trainer["loaders"]
    assert loader["dataset_samples"] is None
    assert loader["samples_per_epoch"] == 90.0
    assert seen.trainer["steps"]["samples_per_step"] == 8.0


def test_a_thread_of_the_program_may_fetch(tmp_path: Path) -> None:
    """Samples and operations are as they are; what the loop waits for is not told."""
    script = PLAIN + (
        "import queue, threading\n"
        "ready = queue.Queue(2)\n"
        "def fetch():\n"
        "    while True:\n"
        "        for batch in DataLoader(data, 7): ready.put(batch)\n"
        "threading.Thread(target=fetch, daemon=True).start()\n"
        "while True: step(ready.get())\n"
    )
    seen = watch(tmp_path, script, steps=20)
    assert seen.status == 0
    assert seen.trainer["loop"]["wait_s"] is None
    assert "thread" in " ".join(seen.trainer["notes"])
    assert seen.trainer["steps"]["samples_per_step"] == 7.0
    assert seen.trainer["precision"]["flops_by_dtype"]


def test_without_a_loader_the_net_tells_the_batch(tmp_path: Path) -> None:
    """What it is called with; the loop's wait is not known then."""
    script = PLAIN + (
        "while True:\n"
        "    at = torch.randint(0, 200, (6,)); step((data[at][0], data[at][1]))\n"
    )
    seen = watch(tmp_path, script, steps=12)
    steps = seen.trainer["steps"]
    assert (steps["samples_from"], steps["samples_per_step"]) == ("model", 6.0)
    assert seen.trainer["loop"]["wait_s"] is None
    assert "No DataLoader" in " ".join(seen.trainer["notes"])
    assert seen.trainer["loop"]["total_samples"] == 6.0 * steps["timed"]
    assert per_sample(seen) == (FORWARD, BACKWARD)


def test_autocast_and_scaler_are_seen(tmp_path: Path) -> None:
    """The dtype that products are computed in, and steps that the scaler leaves out."""
    script = PLAIN + (
        "scaler = torch.amp.GradScaler('cpu', init_scale=2.0 ** 40)\n"
        "def half(batch):\n"
        "    optimizer.zero_grad()\n"
        "    with torch.autocast('cpu', dtype=torch.float16):\n"
        "        loss = F.cross_entropy(net(batch[0]), batch[1])\n"
        "    scaler.scale(loss).backward()\n"
        "    scaler.step(optimizer); scaler.update()\n"
        "train(DataLoader(data, 8), half)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    precision = seen.trainer["precision"]
    assert precision["autocast"] == "float16"
    assert precision["scaler"] is True
    assert list(precision["flops_by_dtype"]) == ["float16"]
    assert seen.trainer["steps"]["skipped_by_scaler"] > 0
    assert seen.trainer["steps"]["samples_per_step"] == 8.0


@pytest.mark.parametrize("reentrant", ["True", "False"])
def test_what_checkpointing_computes_again_is_told_apart(
    tmp_path: Path, reentrant: str
) -> None:
    """Forward and backward stay what they are; the second forward is its own part.

    Where it is not reentrant, PyTorch stops it once all is there that is needed: before
    the last layer here.
    """
    script = PLAIN + (
        "from torch.utils.checkpoint import checkpoint\n"
        "whole, again = net, sys.argv[1] == 'True'\n"
        "data.tensors[0].requires_grad_()\n"
        "def step(batch):\n"
        "    optimizer.zero_grad()\n"
        "    out = checkpoint(whole, batch[0], use_reentrant=again)\n"
        "    F.cross_entropy(out, batch[1]).backward(); optimizer.step()\n"
        "train(DataLoader(data, 8), step)\n"
    )
    seen = watch(tmp_path, script, reentrant, steps=12)
    flops, samples = seen.trainer["counted"]["flops"], seen.trainer["counted"]["samples"]
    assert flops["forward"] == FORWARD * samples
    last = 2.0 * 30 * 4 if reentrant == "False" else 0.0
    assert flops["recomputed"] == (FORWARD - last) * samples
    assert flops["backward"] == 2.0 * FORWARD * samples


def test_attention_is_told_by_how_it_runs(tmp_path: Path) -> None:
    """Fused, fused with dropout (which a CPU writes out), and eager."""
    script = PLAIN + (
        "head = nn.Linear(16, 16)\n"
        "optimizer = torch.optim.SGD(head.parameters(), 0.1)\n"
        "for _ in range(99):\n"
        "    x = head(torch.randn(2, 4, 10, 16))\n"
        "    a = F.scaled_dot_product_attention(x, x, x)\n"
        "    b = F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)\n"
        "    c = torch.softmax(x @ x.transpose(-1, -2), -1) @ x\n"
        "    (a + b + c).sum().backward(); optimizer.step()\n"
    )
    attention = watch(tmp_path, script, steps=12).trainer["attention"]
    assert (attention["fused_calls"], attention["eager_calls"]) == (4, 2)
    assert attention["kernels"]["math"] == 2
    assert sum(attention["kernels"].values()) == 4


def test_a_recurrent_net_is_counted(tmp_path: Path) -> None:
    """LSTM by formula: 8 hidden (input + hidden) operations a time step."""
    script = PLAIN + (
        "lstm = nn.LSTM(20, 10, batch_first=True)\n"
        "optimizer = torch.optim.SGD(lstm.parameters(), 0.1)\n"
        "class Texts(Dataset):\n"
        "    def __len__(self): return 400\n"
        "    def __getitem__(self, at): return torch.randn(7, 20)\n"
        "def step(batch):\n"
        "    lstm(batch)[0].sum().backward(); optimizer.step()\n"
        "train(DataLoader(Texts(), 3), step)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    counted = seen.trainer["counted"]
    assert counted["recurrent_calls"] == counted["steps"]
    assert counted["recurrent_kernels"] == counted["steps"] * 3 * (1 + 2 * 7)
    assert per_sample(seen)[0] == 7 * 2 * 4 * 10 * (20 + 10)
    assert counted["uncounted"] == {}


def test_hooks_of_autograd_give_way(tmp_path: Path) -> None:
    """`torch.func` stands no hooks on what autograd keeps: ours go, it runs."""
    script = PLAIN + (
        "def per_sample(batch):\n"
        "    f = lambda w: F.cross_entropy(batch[0] @ w, batch[1])\n"
        "    torch.func.grad(f)(torch.zeros(20, 4)); step(batch)\n"
        "train(DataLoader(data, 8), per_sample)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    assert (seen.status, seen.stderr) == (0, "")
    assert seen.trainer["counted"]["activation_bytes"] is None
    assert seen.trainer["counted"]["steps"] == 2


def test_an_operator_of_somebodys_own_is_named(tmp_path: Path) -> None:
    """What may multiply and has no formula is named, with how often it ran."""
    script = PLAIN + (
        "@torch.library.custom_op('mine::multiply', mutates_args=())\n"
        "def multiply(x: torch.Tensor) -> torch.Tensor: return x @ x.t()\n"
        "def own(batch):\n    multiply(batch[0]); step(batch)\n"
        "train(DataLoader(data, 8), own)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    assert seen.trainer["counted"]["uncounted"] == {"mine::multiply": 2}
    assert per_sample(seen) == (FORWARD, BACKWARD)


def test_a_compiled_step_of_the_optimizer_hides_nothing(tmp_path: Path) -> None:
    """Counting does not begin within a compiled function, which would undo it."""
    script = PLAIN + (
        "@torch.compile(backend='aot_eager')\ndef update(): optimizer.step()\n"
        "def step(batch):\n"
        "    optimizer.zero_grad()\n"
        "    F.cross_entropy(net(batch[0]), batch[1]).backward(); update()\n"
        "train(DataLoader(data, 7), step)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    assert per_sample(seen) == (FORWARD, BACKWARD)
    assert seen.trainer["notes"] == []


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_training_in_a_child_process_is_seen(tmp_path: Path, start: str) -> None:
    """The child has a document of its own with its steps, the parent one without."""
    script = PLAIN + (
        "import torch.multiprocessing as mp\n"
        "def run(rank):\n"
        "    train(DataLoader(data, 8), step)\n"
        "if __name__ == '__main__':\n"
        "    mp.start_processes(run, nprocs=1, start_method=sys.argv[1])\n"
        "    print('ended')\n"
    )
    seen = watch(tmp_path, script, start, steps=12)
    assert (seen.status, seen.stdout) == (0, "ended\n")
    assert seen.trainer["steps"]["seen"] == 12
    assert seen.trainer["ended"]["how"] == "stopped"
    assert len(seen.every) == 2


def test_a_closure_is_forward_and_backward(tmp_path: Path) -> None:
    """What LBFGS calls within its step counts where it belongs."""
    script = PLAIN + (
        "optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)\n"
        "def step(batch):\n"
        "    def closure():\n"
        "        optimizer.zero_grad()\n"
        "        loss = F.cross_entropy(net(batch[0]), batch[1]); loss.backward()\n"
        "        return loss\n"
        "    optimizer.step(closure)\n"
        "train(DataLoader(data, 7), step)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    counted, passes = seen.trainer["counted"], seen.trainer["counted"]["backwards"]
    assert counted["flops"]["forward"] == FORWARD * 7 * passes
    assert counted["flops"]["backward"] == BACKWARD * 7 * passes
    assert counted["flops"]["optimizer"] > 0.0


def test_two_optimizers_have_one_main(tmp_path: Path) -> None:
    """The one with more parameters makes the steps; both are told."""
    script = PLAIN + (
        "small = nn.Linear(20, 2); other = torch.optim.SGD(small.parameters(), 0.1)\n"
        "def both(batch):\n"
        "    small(batch[0]).sum().backward(); other.step()\n    step(batch)\n"
        "train(DataLoader(data, 8), both)\n"
    )
    seen = watch(tmp_path, script, steps=12)
    by_name = {one["name"]: one for one in seen.trainer["optimizers"]}
    assert by_name["torch.optim.adamw.AdamW"]["is_main"]
    assert not by_name["torch.optim.sgd.SGD"]["is_main"]
    assert seen.trainer["steps"]["samples_per_step"] == 8.0
    assert len(seen.trainer["models"]) == 2


NO_LOADER = (
    "for n in range(30):\n"
    "    at = torch.randint(0, 200, (6,)); step((data[at][0], data[at][1]))\n"
)


def test_passes_of_a_closure_are_of_one_batch(tmp_path: Path) -> None:
    """LBFGS calls it several times with the same samples."""
    script = PLAIN + (
        "optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)\n"
        "def step(batch):\n"
        "    def closure():\n"
        "        optimizer.zero_grad()\n"
        "        loss = F.cross_entropy(net(batch[0]), batch[1]); loss.backward()\n"
        "        return loss\n"
        "    optimizer.step(closure)\n" + NO_LOADER
    )
    steps = watch(tmp_path, script, steps=12).trainer["steps"]
    assert (steps["backwards_per_step"], steps["samples_per_step"]) == (1.0, 6.0)


@pytest.mark.parametrize(("passes", "samples"), [(1, 6.0), (2, 12.0)])
def test_passes_for_another_optimizer_are_no_batches(
    tmp_path: Path, passes: int, samples: float
) -> None:
    """The generator of a GAN is one batch, however often the other passed back."""
    script = PLAIN + (
        "small = nn.Linear(20, 2); other = torch.optim.SGD(small.parameters(), 0.1)\n"
        "def step(batch):\n"
        "    for _ in range(2): small(batch[0]).sum().backward()\n"
        "    other.step(); optimizer.zero_grad()\n"
        f"    for _ in range({passes}):\n"
        "        F.cross_entropy(net(batch[0]), batch[1]).backward()\n"
        "    optimizer.step()\n" + NO_LOADER
    )
    steps = watch(tmp_path, script, steps=12).trainer["steps"]
    assert (steps["backwards_per_step"], steps["samples_per_step"]) == (passes, samples)


def test_optimizers_that_step_together_share_their_passes(tmp_path: Path) -> None:
    """As those of an encoder and a decoder, with batches that add up."""
    script = PLAIN + (
        "small = nn.Linear(20, 20); other = torch.optim.SGD(small.parameters(), 0.1)\n"
        "def step(batch):\n"
        "    for _ in range(3):\n"
        "        F.cross_entropy(net(small(batch[0])), batch[1]).backward()\n"
        "    other.step(); optimizer.step()\n" + NO_LOADER
    )
    steps = watch(tmp_path, script, steps=12).trainer["steps"]
    assert (steps["backwards_per_step"], steps["samples_per_step"]) == (3.0, 18.0)


def test_processes_that_train_together_stop_together(tmp_path: Path) -> None:
    """Two of DDP: each its document, none waits for one that is gone."""
    script = PLAIN + (
        "import torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "net = nn.parallel.DistributedDataParallel(net)\n"
        "optimizer = torch.optim.SGD(net.parameters(), 0.1)\n"
        "shared = torch.utils.data.distributed.DistributedSampler(data)\n"
        "train(DataLoader(data, 8, sampler=shared), step, 10**6)\n"
    )
    launch = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
    seen = watch(tmp_path, script, seconds=4.0, first=launch)
    assert seen.status == 0, seen.stderr
    assert [one["distributed"]["rank"] for one in seen.seen] == [0, 1]
    first, second = seen.seen
    assert first["steps"]["seen"] == second["steps"]["seen"]
    assert first["distributed"]["wrapper"] == "ddp"
    assert first["distributed"]["world_size"] == 2
    assert first["loaders"][0]["samples_per_epoch"] == 204.0
    assert first["ended"]["how"] == "stopped"
    assert not any("failed" in note for note in first["notes"])


def test_a_compiled_net_is_counted_eagerly_and_runs_compiled(tmp_path: Path) -> None:
    """Counting costs it no frame: operations are there, and what was compiled stays."""
    script = PLAIN + (
        "net = torch.compile(net, backend='aot_eager')\n"
        "train(DataLoader(data, 7), step)\n"
    )
    seen = watch(tmp_path, script, steps=16)
    compiled = seen.trainer["compiled"]
    assert seen.stderr == ""
    assert (compiled["calls"], compiled["backend"]) == (1, "aot_eager")
    assert (compiled["frames"], compiled["graph_breaks"]) == (1, 0)
    assert per_sample(seen) == (FORWARD, BACKWARD)
    assert seen.trainer["models"][0]["name"] == "Sequential"


def test_a_script_for_cuda_is_told_where_there_is_none(tmp_path: Path) -> None:
    """It fails as without the hooks, and the document says that it asked."""
    script = PLAIN + "step(data[:8])\nnet.cuda()\n"
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    seen = watch(tmp_path, script)
    assert seen.status == 1
    assert seen.trainer["device"]["cuda_asked"] == 1


@pytest.mark.skipif(shutil.which("c++") is None, reason="no compiler of C++")
def test_what_the_compiler_asks_for_itself_is_not_told(tmp_path: Path) -> None:
    """It looks which GPU there is, and does without."""
    script = PLAIN + "net = torch.compile(net)\nfor _ in range(8): step(data[:8])\n"
    seen = watch(tmp_path, script)
    assert seen.status == 0, seen.stderr
    assert seen.trainer["compiled"]["frames"] == 1
    assert seen.trainer["device"]["cuda_asked"] == 0


@pytest.mark.parametrize(
    ("device", "to"),
    [
        ("'cuda:0'", "'cuda'"),
        ("'cuda'", "device"),
        ("'cuda', 0", "device"),
        ("type='cuda', index=0", "device=device"),
        ("0", "device"),
    ],
)
def test_a_script_for_cuda_runs_redirected(tmp_path: Path, device: str, to: str) -> None:
    """Nets, tensors and autocast go to the CPU; copies are counted as if to a GPU."""
    script = NET + (
        f"device = torch.device({device})\n"
        "assert torch.ones(1).to(device).device == device\n"
        "assert torch.ones(1).to(torch.device('cpu')).device.type == 'cpu'\n"
        "torch.cuda.set_device(0)\n"
        "net = net.to(device).cuda()\n"
        "optimizer = torch.optim.AdamW(net.parameters())\n"
        "scale = torch.ones(4, device='cuda')\n"
        "def step(batch):\n"
        f"    x = batch[0].to({to}, non_blocking=True)\n"
        "    y = batch[1].cuda(non_blocking=True)\n"
        "    with torch.autocast('cuda', dtype=torch.float16):\n"
        "        loss = F.cross_entropy(net(x) * scale, y)\n"
        "    optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "    torch.cuda.synchronize()\n"
        "train(DataLoader(data, 8), step)\n"
    )
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    seen = watch(tmp_path, script, steps=12, redirect=True)
    assert seen.status == 0, seen.stderr
    assert seen.trainer["device"]["redirected"] > 0
    assert seen.trainer["precision"]["autocast"] == "float16"
    counted = seen.trainer["counted"]
    assert counted["h2d_bytes"] == counted["samples"] * (20 * 4 + 8)
    assert per_sample(seen) == (FORWARD, BACKWARD)
