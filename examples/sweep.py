"""Train with several learning rates, each on a rented machine, within one budget.

    python sweep.py 0.1 0.05 0.01 --workload resnet50 --budget 30 --parallel 2 \
        --command "python train.py --lr {rate}"

For many jobs take `advisor sweep`: it runs several jobs per machine, which costs less,
and goes on after a crash. This is for what that cannot do: steps of your own in Python
around each training, on one machine per rate.

The folder here goes to each machine; what the command writes to results/ comes back to
results/RATE. One that fails does not stop the others. Exit code: 0, or the gravest of
what failed (see advisor.base.errors). A machine counts toward the budget until its
latest end: with --parallel, the budget must hold that of all that run at once.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import advisor
from advisor.base.errors import AdvisorError

COLUMNS = "{:>8}  {:>10}  {:<14}  {:>8}  {}"


@dataclass(frozen=True)
class Outcome:
    """What became of one learning rate."""

    rate: str
    instance: str = "-"
    gpu: str = "-"
    usd_per_hour: str = "-"
    exit_status: int = 0
    result: str = "done"

    @classmethod
    def of(cls, rate: str, rental: Any, stdout: bytes) -> Outcome:
        """Return a success; the result is the last line that the command printed."""
        entry = rental.entry
        lines = stdout.decode(errors="replace").splitlines() or ["done"]
        price = f"{entry.usd_per_hour:.3f}"
        return cls(rate, str(entry.instance_id), rental.chosen.name, price, 0, lines[-1])

    @classmethod
    def failed(cls, rate: str, error: Exception) -> Outcome:
        """Return a failure."""
        status = int(error.exit_status) if isinstance(error, AdvisorError) else 1
        return cls(rate, exit_status=status, result=str(error))


def one_after_the_other(args: argparse.Namespace, options: Any) -> list[Outcome]:
    """Try every rate on a machine of its own, one at a time."""
    outcomes = []
    for rate in args.rates:
        try:
            with advisor.rented(**options) as machine:
                machine.put(args.folder)
                done = machine.run(args.command.format(rate=rate))
                machine.get(f"{args.folder}/results/{rate}", "results")
            outcomes.append(Outcome.of(rate, machine.rental, done.stdout))
        except (AdvisorError, OSError) as error:
            outcomes.append(Outcome.failed(rate, error))
    return outcomes


async def several_at_once(args: argparse.Namespace, options: Any) -> list[Outcome]:
    """Try every rate, at most ``--parallel`` at a time."""
    turns = asyncio.Semaphore(args.parallel)

    async def attempt(rate: str) -> Outcome:
        try:
            async with turns, advisor.rented(**options) as machine:
                await machine.put(args.folder)
                done = await machine.run(args.command.format(rate=rate))
                await machine.get(f"{args.folder}/results/{rate}", "results")
            return Outcome.of(rate, machine.rental, done.stdout)
        except (AdvisorError, OSError) as error:
            return Outcome.failed(rate, error)

    return await asyncio.gather(*map(attempt, args.rates))


def main(argv: Sequence[str] | None = None, **more: Any) -> int:
    """Run the sweep; `more` are further arguments of `advisor.rented`."""
    parser = argparse.ArgumentParser(description="Train with several learning rates.")
    parser.add_argument("rates", nargs="+", metavar="RATE")
    parser.add_argument("--workload", required=True)
    parser.add_argument("--budget", type=float, required=True, help="of all, $")
    parser.add_argument("--parallel", type=int, default=1, metavar="N")
    parser.add_argument("--folder", default=".", help="goes to each machine")
    parser.add_argument("--command", default="python train.py --lr {rate}")
    args = parser.parse_args(argv)
    options = {
        "workload": args.workload,
        "budget_usd": args.budget,
        "name": f"sweep-{time.time():.0f}",  # one job: one budget for all
        **more,
    }
    if args.parallel > 1:
        outcomes = asyncio.run(several_at_once(args, options))
    else:
        outcomes = one_after_the_other(args, options)
    print(COLUMNS.format("rate", "instance", "gpu", "$/h", "result"))
    for one in outcomes:
        line = (one.rate, one.instance, one.gpu, one.usd_per_hour, one.result)
        print(COLUMNS.format(*line))
    return max(one.exit_status for one in outcomes)


if __name__ == "__main__":
    sys.exit(main())
