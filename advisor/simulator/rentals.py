"""The life of rented instances: boot, run, stop, be outbid, fail, end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from advisor.simulator.billing import Meter
from advisor.simulator.boot import CREATED_S, RESTART_S, draw_boot
from advisor.simulator.box import Box, Holding
from advisor.simulator.contract import Contract, Wish, instance_key
from advisor.simulator.fitness import Unfit
from advisor.simulator.generate import Draws
from advisor.simulator.parts import Parts

FIRST_INSTANCE_ID = 21_000_000

QUEUED = "Required resources are currently unavailable, state change queued."
_OUTBID = "Error: outbid by another user; the instance is paused"
_NO_CREDIT = "stopped: the account has no credit left"
_OFFLINE = "the machine is offline"
_OVERBID = 1.1

Watcher = Callable[[Contract], None]


class Rentals:
    """All contracts, and what becomes of them.

    Parameters
    ----------
    parts : of the market that this one works with
    on_running, on_halted : called when a container starts and ends
    on_bill : called at every event that changes what an instance costs
    """

    def __init__(
        self,
        parts: Parts,
        on_running: Watcher,
        on_halted: Watcher,
        on_bill: Watcher,
    ) -> None:
        self._seed = parts.seed
        self._habits = parts.habits
        self._fleet = parts.fleet
        self._timeline = parts.timeline
        self._log = parts.log
        self._on_running = on_running
        self._on_halted = on_halted
        self._on_bill = on_bill
        self._on: dict[int, list[Contract]] = {}
        self.contracts: dict[int, Contract] = {}

    def on(self, box: Box) -> Iterator[Contract]:
        """Yield the contracts on a machine that have not ended."""
        for contract in self._on.get(box.machine.machine_id, ()):
            if not contract.is_over:
                yield contract

    def create(
        self,
        account_id: int,
        box: Box,
        gpu_ids: tuple[int, ...],
        ask: Mapping[str, Any],
        wish: Wish,
        *,
        never_starts: bool = False,
        unfit: Unfit | None = None,
    ) -> Contract:
        """Make a contract; start it if its GPUs can be had, else leave it stopped.

        Parameters
        ----------
        never_starts : somebody else had the GPUs already, and nobody says so
        unfit : why the machine does not run the image
        """
        now = self._timeline.now
        number = FIRST_INSTANCE_ID + len(self.contracts) + 1
        bid = wish.bid_usd_per_hour
        contract = Contract(
            instance_id=number,
            account_id=account_id,
            key=instance_key(self._seed, number),
            wish=wish,
            box=box,
            holding=Holding(
                gpu_ids, None if bid is None else bid / len(gpu_ids), instance_id=number
            ),
            ask=dict(ask),
            boot=draw_boot(
                wish.image, box, self._habits, Draws(self._seed * 1_000_003 + number)
            ),
            gpu_usd_per_hour=float(ask["dph_base"]) if bid is None else bid,
            created_unix_s=now,
            end_unix_s=box.end_unix_s,
            meter=Meter(now, 0.0),
            label=wish.label,
            is_broken=never_starts,
            unfit=unfit,
        )
        contract.meter.disk_usd_per_hour = contract.disk_usd_per_hour
        self.contracts[number] = contract
        self._on.setdefault(box.machine.machine_id, []).append(contract)
        self._log_event(
            contract,
            "created",
            account_id=account_id,
            machine_id=box.machine.machine_id,
            gpu_ids=list(gpu_ids),
            disk_gb=wish.disk_gb,
            storage_usd_per_gb_month=ask["storage_cost"],
            gpu_usd_per_hour=contract.gpu_usd_per_hour,
        )
        if contract.end_unix_s is not None:
            self._timeline.at(contract.end_unix_s, lambda: self.destroy(contract, "end"))
        if never_starts:
            return contract
        if self._can_hold(contract):
            self._take(contract)
            self._boot(contract)
        else:
            self._show(contract, "stopped", _OUTBID if contract.is_bid else QUEUED)
        self.settle(box)
        return contract

    def start(self, contract: Contract) -> bool:
        """Start a stopped instance; say whether that waits for a place."""
        contract.intended = "running"
        if contract.is_broken or self._is_under_way(contract):
            return False
        self.settle(contract.box)
        if self._is_under_way(contract):
            return False
        contract.message = QUEUED
        return True

    def stop(self, contract: Contract, message: str | None = None) -> None:
        """Stop an instance: its disk goes on to bill, its GPUs are free."""
        contract.intended = "stopped"
        self._halt(contract, message)
        self.settle(contract.box)

    def reboot(self, contract: Contract) -> None:
        """Stop the container of a running instance and start it again."""
        if contract.status == "running":
            self._show(contract, "rebooting", None)
            self._plan(contract, RESTART_S, lambda: self._run(contract))

    def fail(self, contract: Contract, message: str) -> None:
        """Let the container of a running instance end by itself."""
        contract.is_broken = True
        self._show(contract, "exited", message)

    def change_bid(self, contract: Contract, usd_per_hour: float) -> None:
        """Bid another price, $/h for all GPUs; what is too low is outbid at once."""
        count = len(contract.holding.gpu_ids)
        contract.gpu_usd_per_hour = usd_per_hour
        contract.holding.bid_usd_per_gpu_hour = usd_per_hour / count
        if contract.status == "running":
            contract.meter.charge_gpu(self._timeline.now, usd_per_hour)
        self._log_event(contract, "price", gpu_usd_per_hour=usd_per_hour)
        self.settle(contract.box)

    def destroy(self, contract: Contract, reason: str) -> None:
        """End a contract for good."""
        if contract.is_over:
            return
        self._halt(contract, None)
        now = self._timeline.now
        contract.meter.end(now)
        contract.destroyed_unix_s = now
        contract.intended = "stopped"
        self._log_event(contract, "destroyed", reason=reason)
        self.settle(contract.box)

    def out_of_credit(self, account_id: int) -> None:
        """Stop all instances of an account that cannot pay; disks go on to bill."""
        for contract in self.contracts.values():
            if contract.account_id == account_id and not contract.is_over:
                self.stop(contract, _NO_CREDIT)

    def settle(self, box: Box) -> None:
        """After any change of a machine: who must give way, who may run, its offers."""
        waiting = []
        for contract in self.on(box):
            if box.holds(contract.holding) and self._is_below_floor(contract):
                self._halt(contract, _OUTBID)
            if self._waits(contract):
                waiting.append(contract)
        for contract in sorted(waiting, key=_precedence):
            if self._can_hold(contract):
                self._take(contract)
                self._restart(contract)
        self._fleet.relist(box)

    def outbid(self, contract: Contract) -> None:
        """Let another buyer come who bids more for an instance's GPUs, and stays."""
        bid = contract.holding.bid_usd_per_gpu_hour
        if bid is None or not self._is_under_way(contract):
            return
        other = Holding(contract.holding.gpu_ids, bid * _OVERBID)
        self.evict(contract.box.hold(other))
        self.settle(contract.box)

    def evict(self, holders: list[Holding]) -> None:
        """Stop the instances among holders that had to give way."""
        for holder in holders:
            if holder.instance_id is not None:
                self._halt(self.contracts[holder.instance_id], _OUTBID)

    def machine_down(self, box: Box) -> None:
        """Let a machine fail: what boots there is lost, what ran comes back with it."""
        box.up = False
        for contract in list(self.on(box)):
            if self._is_under_way(contract):
                self._end_pull(contract)
                contract.is_broken = contract.is_broken or not contract.has_run
                self._show(contract, "offline", _OFFLINE)
        self._fleet.relist(box)

    def machine_up(self, box: Box) -> None:
        """Let a machine come back."""
        box.up = True
        for contract in list(self.on(box)):
            if contract.status == "offline" and not contract.is_broken:
                self._restart(contract)
        self.settle(box)

    def _boot(self, contract: Contract) -> None:
        """Begin the first start, which has no status for a while."""

        def created() -> None:
            self._show(contract, "created", None)
            self._plan(contract, CREATED_S, loading)

        def loading() -> None:
            contract.pulled_unix_s = self._timeline.now
            image = contract.wish.image
            self._show(contract, "loading", f"{image}: pulling from the registry")
            if contract.boot.outcome:
                self._plan(contract, contract.boot.pull_s, pulled)

        def pulled() -> None:
            self._end_pull(contract)
            contract.has_image = True
            if contract.boot.outcome != "running":
                contract.is_broken = True
                self._show(contract, contract.boot.outcome, "Error: failed to start")
            elif contract.unfit is not None and contract.unfit.refused:
                contract.is_broken = True
                self._show(contract, "created", contract.unfit.message)
            else:
                self._run(contract)

        if contract.status is not None:
            self._show(contract, None, None)
        self._plan(contract, contract.boot.provision_s, created)

    def _restart(self, contract: Contract) -> None:
        """Start again what was stopped; the first boot, if it never came that far."""
        if not contract.has_image:
            self._boot(contract)
            return
        self._show(contract, "loading", None)
        self._plan(contract, RESTART_S, lambda: self._run(contract))

    def _run(self, contract: Contract) -> None:
        contract.has_run = True
        image = contract.wish.image
        self._show(contract, "running", f"success, running {image}")

    def _halt(self, contract: Contract, message: str | None) -> None:
        """End what an instance does, and free its GPUs."""
        self._end_pull(contract)
        contract.box.release(contract.holding)
        self._show(contract, "stopped", message)

    def _show(self, contract: Contract, status: str | None, message: str | None) -> None:
        """Give an instance a status; bill its GPUs while that is running."""
        was_running, now = contract.running_unix_s is not None, self._timeline.now
        running = status == "running"
        contract.plan += 1
        contract.status, contract.message = status, message
        contract.meter.charge_gpu(now, contract.gpu_usd_per_hour if running else 0.0)
        contract.running_unix_s = now if running else None
        self._log_event(contract, "status", status=status)
        if was_running and not running:
            contract.endpoint = None
            self._on_halted(contract)
        if running:
            self._on_running(contract)

    def _end_pull(self, contract: Contract) -> None:
        """Bill the traffic of what came of the image until now."""
        if contract.pulled_unix_s is None:
            return
        passed = self._timeline.now - contract.pulled_unix_s
        share = min(passed / contract.boot.pull_s, 1.0)
        price, amount = contract.ask["inet_down_cost"], share * contract.boot.image_gb
        contract.pulled_unix_s = None
        contract.meter.traffic_usd += price * amount
        self._log_event(contract, "traffic", gb=amount, usd_per_gb=price)

    def _plan(
        self, contract: Contract, seconds: float, action: Callable[[], None]
    ) -> None:
        """Let something happen to an instance, unless something else does before."""
        contract.plan += 1
        plan = contract.plan

        def act() -> None:
            if contract.plan == plan and not contract.is_over:
                action()

        self._timeline.after(seconds, act)

    def _take(self, contract: Contract) -> None:
        self.evict(contract.box.hold(contract.holding))

    def _can_hold(self, contract: Contract) -> bool:
        box, holding = contract.box, contract.holding
        obtainable = box.obtainable(holding.bid_usd_per_gpu_hour)
        return box.up and set(holding.gpu_ids) <= set(obtainable)

    def _is_below_floor(self, contract: Contract) -> bool:
        bid = contract.holding.bid_usd_per_gpu_hour
        return bid is not None and contract.box.is_below_floor(bid)

    def _waits(self, contract: Contract) -> bool:
        """Say whether an instance would run if its GPUs were free."""
        return (
            contract.status == "stopped"
            and contract.intended == "running"
            and not contract.is_broken
        )

    def _is_under_way(self, contract: Contract) -> bool:
        return contract.box.holds(contract.holding)

    def _log_event(self, contract: Contract, kind: str, **facts: Any) -> None:
        now = self._timeline.now
        self._log.add(now, kind, instance_id=contract.instance_id, **facts)
        self._on_bill(contract)


def _precedence(contract: Contract) -> tuple[float, int]:
    """Order those that wait: on demand, then the highest bid, then the oldest."""
    bid = contract.holding.bid_usd_per_gpu_hour
    return (float("-inf") if bid is None else -bid, contract.instance_id)
