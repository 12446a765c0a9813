"""The simulated market as a whole: what its API acts on, one request at a time."""

from __future__ import annotations

import contextlib
import hmac
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from advisor.base.units import SECONDS_PER_HOUR
from advisor.simulator.accounts import Account, account_id_of
from advisor.simulator.activity import Activity
from advisor.simulator.billing import EventLog
from advisor.simulator.box import Box
from advisor.simulator.clock import SimClock
from advisor.simulator.containers import Container, ContainerHost, Porter
from advisor.simulator.contract import Contract, Wish
from advisor.simulator.faults import Fault, FaultBook
from advisor.simulator.fitness import unfit_by_fact, unfit_by_fault
from advisor.simulator.fleet import Fleet
from advisor.simulator.generate.machines import HostCpu
from advisor.simulator.habits import QUIET, Habits
from advisor.simulator.offer_cache import priced_offer
from advisor.simulator.parts import Parts
from advisor.simulator.refusal import (
    RefusalError,
    invalid,
    no_such_ask,
    no_such_instance,
)
from advisor.simulator.rentals import Rentals
from advisor.simulator.timeline import Timeline
from advisor.software.misfit import Misfit

CREDIT_USD = 100.0


class World:
    """A market. It moves on whenever it is looked at; the same seed repeats it.

    Parameters
    ----------
    offers : at least so many are listed at the start
    seed : of all draws, not negative
    clock : its time; None for the real one
    calm : nothing happens by itself and every boot succeeds
    habits : how often things happen otherwise
    rate_limited : whether calls that come too often are refused
    faults : what goes wrong on purpose
    host : runs the containers of instances; None for none
    credit_usd : what every new account has, $
    cpu : what every machine is listed with; None: each with a CPU of its own
    key : the one account's; None: every key that is shown is one of a new account
    search_cap : most rows that a search with a key gets; None for what it asks for

    Attributes
    ----------
    lock : taken by whoever looks at the world or changes it
    log : what happened
    faults : what goes wrong, and how often it did
    """

    def __init__(
        self,
        offers: int = 300,
        seed: int = 7,
        clock: SimClock | None = None,
        *,
        calm: bool = False,
        habits: Habits | None = None,
        rate_limited: bool = False,
        faults: Iterable[Fault] = (),
        host: ContainerHost | None = None,
        credit_usd: float = CREDIT_USD,
        search_cap: int | None = None,
        cpu: HostCpu | None = None,
        key: str | None = None,
    ) -> None:
        self.clock = clock or SimClock()
        self.lock = threading.RLock()
        self.rate_limited = rate_limited
        self.search_cap = search_cap
        self.faults = FaultBook(faults)
        self.log = EventLog()
        self._credit_usd = credit_usd
        self._key = key
        self._host = host
        self._porter = Porter()
        self._accounts: dict[int, Account] = {}
        self._instance_keys: dict[str, Contract] = {}
        self._credit_plans: dict[int, int] = {}
        habits = habits or (QUIET if calm else Habits())
        self._timeline = Timeline(self.clock.now())
        self.fleet = Fleet(offers, seed, habits, self._timeline.now, cpu)
        parts = Parts(seed, habits, self._timeline, self.fleet, self.log)
        self.rentals = Rentals(
            parts,
            on_running=self._start_container,
            on_halted=self._end_container,
            on_bill=self._watch_credit,
        )
        self._activity = Activity(parts, self.rentals)

    @property
    def now(self) -> float:
        """The moment up to which the world has moved, seconds since 1970."""
        return self._timeline.now

    @contextlib.contextmanager
    def looked_at(self) -> Iterator[None]:
        """Hold the world, moved on to the present."""
        with self.lock:
            self._timeline.run_until(self.clock.now())
            yield

    def advance(self, seconds: float) -> float:
        """Let time pass, event by event; return what it is then, s since 1970."""
        self.clock.advance(seconds)
        with self.looked_at():
            return self.now

    def set_faults(self, *faults: Fault) -> None:
        """Let other things go wrong from now on, counted anew."""
        with self.lock:
            self.faults = FaultBook(faults)

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until the host has done what was asked of it; say whether it has."""
        return self._porter.settle(timeout_s)

    def lets_in(self, key: str | None) -> bool:
        """Say whether somebody with a key of an account, or without one, may ask."""
        if self._key is None:
            return True
        return key is not None and hmac.compare_digest(key.encode(), self._key.encode())

    def account(self, key: str) -> Account:
        """Return the account of a key, which is new if the key is."""
        number = account_id_of(key)
        if number not in self._accounts:
            self._accounts[number] = Account(number, self._credit_usd)
        return self._accounts[number]

    def account_by_id(self, account_id: int) -> Account:
        """Return an account that has shown its key."""
        return self._accounts[account_id]

    def owner_of(self, instance_key: str) -> Contract | None:
        """Return the instance that a key belongs to, None if it is no such key."""
        return self._instance_keys.get(instance_key)

    def spent_usd(self, account_id: int) -> float:
        """Return what an account has spent so far, $."""
        contracts = self._contracts_of(account_id)
        return sum(contract.meter.usd(self.now) for contract in contracts)

    def instances_of(self, account_id: int) -> list[Contract]:
        """Return the instances of an account that have not ended, by id."""
        return [one for one in self._contracts_of(account_id) if not one.is_over]

    def ended_since(self, account_id: int, moment: float) -> list[Contract]:
        """Return the instances of an account that ended after a moment, by id."""
        return [
            one
            for one in self._contracts_of(account_id)
            if one.destroyed_unix_s is not None and one.destroyed_unix_s > moment
        ]

    def instance(self, account_id: int, instance_id: int) -> Contract:
        """Return an instance of an account, one that has ended included.

        Raises
        ------
        RefusalError
            if there is no such
        """
        contract = self.rentals.contracts.get(instance_id)
        if contract is None or contract.account_id != account_id:
            raise no_such_instance(instance_id)
        return contract

    def living(self, account_id: int, instance_id: int) -> Contract:
        """Return an instance of an account that has not ended.

        Raises
        ------
        RefusalError
            if there is no such
        """
        contract = self.instance(account_id, instance_id)
        if contract.is_over:
            raise no_such_instance(instance_id)
        return contract

    def rent(
        self,
        account: Account,
        offer_id: int,
        wish: Wish,
        *,
        never_starts: bool = False,
        misfit: Misfit | None = None,
        outbid_after_s: float | None = None,
        cpu_share: float | None = None,
    ) -> Contract:
        """Rent an offer.

        Parameters
        ----------
        never_starts : somebody else had it a moment before, and nobody says so
        misfit : why the machine does not run the image, whatever is listed of it
        outbid_after_s : seconds after which somebody else bids more; None: as it comes
        cpu_share : of the listed CPU that the machine gives from now on; None: as before

        Raises
        ------
        RefusalError
            in the market's words, also where a contract was made all the same
        """
        box, gpu_ids = self._asked(offer_id, wish)
        kind = "on-demand" if wish.bid_usd_per_hour is None else "bid"
        record = box.record(offer_id, gpu_ids)
        if wish.disk_gb > record["disk_space"]:
            message = f"disk: the offer has {record['disk_space']} GB"
            raise invalid(message)
        ask = priced_offer(record, kind, wish.disk_gb, self.now)
        usd_per_hour = wish.bid_usd_per_hour or ask["dph_base"]
        left_usd = account.credit_usd - self.spent_usd(account.account_id)
        if left_usd < usd_per_hour + ask["storage_total_cost"]:
            message = "Your account lacks credit; see the billing page."
            raise RefusalError(400, "insufficient_credit", message)
        contract = self.rentals.create(
            account.account_id,
            box,
            gpu_ids,
            ask,
            wish,
            never_starts=never_starts,
            unfit=(
                unfit_by_fault(misfit, wish.image, record)
                if misfit
                else unfit_by_fact(wish.image, record)
            ),
        )
        contract.ssh_keys += account.ssh_keys
        self._instance_keys[contract.key] = contract
        if cpu_share is not None:
            box.cpu_share = cpu_share
        if outbid_after_s is not None:
            self._timeline.after(outbid_after_s, lambda: self.rentals.outbid(contract))
        if contract.status == "stopped" and contract.is_bid:
            message = "Your bid is below the current least bid"
            number = contract.instance_id
            raise RefusalError(400, "bid_too_low", message, new_contract=number)
        return contract

    def _asked(self, offer_id: int, wish: Wish) -> tuple[Box, tuple[int, ...]]:
        """Return machine and GPUs of an offer.

        One that was taken a moment ago makes a contract that waits for its place,
        unless the buyer would rather have nothing.
        """
        box = self.fleet.find(offer_id)
        if box is not None and (box.end_unix_s is None or box.end_unix_s > self.now):
            return box, box.gpus_of(offer_id)
        former = self.fleet.find_former(offer_id)
        if former is None or wish.cancel_unavail:
            raise no_such_ask(offer_id)
        box, gpu_ids = former
        if not (box.up and box.listed):
            raise no_such_ask(offer_id)
        return box, gpu_ids

    def ledger(self) -> dict[str, Any]:
        """Return what every account owes and which instances exist or did."""
        return {
            "accounts": {
                str(number): {
                    "credit_usd": account.credit_usd - self.spent_usd(number),
                    "spent_usd": self.spent_usd(number),
                }
                for number, account in self._accounts.items()
            },
            "instances": [
                {
                    "id": contract.instance_id,
                    "account": str(contract.account_id),
                    "label": contract.label,
                    "state": "destroyed" if contract.is_over else contract.status,
                    "destroyed": contract.is_over,
                    "billed_usd": contract.meter.usd(self.now),
                    "machine_id": contract.box.machine.machine_id,
                    "gpu_ids": list(contract.holding.gpu_ids),
                }
                for contract in self.rentals.contracts.values()
            ],
        }

    def _contracts_of(self, account_id: int) -> list[Contract]:
        return [
            contract
            for contract in self.rentals.contracts.values()
            if contract.account_id == account_id
        ]

    def _watch_credit(self, contract: Contract) -> None:
        """Set the moment when an account runs dry, as its costs are now."""
        number = contract.account_id
        plan = self._credit_plans[number] = self._credit_plans.get(number, 0) + 1
        meters = [one.meter for one in self.instances_of(number)]
        usd_per_hour = sum(one.gpu_usd_per_hour for one in meters)
        if usd_per_hour <= 0:
            return  # disks alone may bill into debt

        def run_dry() -> None:
            if self._credit_plans[number] == plan:
                self.rentals.out_of_credit(number)

        left_usd = self._accounts[number].credit_usd - self.spent_usd(number)
        usd_per_hour += sum(one.disk_usd_per_hour for one in meters)
        self._timeline.after(left_usd / usd_per_hour * SECONDS_PER_HOUR, run_dry)

    def _start_container(self, contract: Contract) -> None:
        """Let the host run what an instance runs, outside the lock."""
        host, plan, number = self._host, contract.plan, contract.instance_id
        if host is None:
            return
        contract.has_host = True
        wish = contract.wish
        env = {key: value for key, value in wish.env.items() if not key.startswith("-")}
        container = Container(
            instance_id=number,
            image=wish.image,
            onstart=wish.onstart,
            env={**env, "CONTAINER_ID": str(number), "CONTAINER_API_KEY": contract.key},
            ssh_keys=tuple(contract.ssh_keys),
            disk_gb=wish.disk_gb,
            unfit=contract.unfit,
            cpu_share=contract.box.cpu_share,
        )

        def start() -> None:
            try:
                endpoint = host.start(container)
            except Exception as error:  # whatever a host may raise
                with self.looked_at():
                    if contract.plan == plan:
                        self.rentals.fail(contract, f"Error: {error}")
                return
            with self.lock:
                if contract.plan == plan:
                    contract.endpoint = endpoint

        self._porter.carry(number, start)

    def _end_container(self, contract: Contract) -> None:
        host, number = self._host, contract.instance_id
        if host is not None:
            self._porter.carry(number, lambda: host.stop(number))
