"""The market behind the tests' vast.ai: offers, instances and their bill, in memory.

What is not to be read in its documentation is as others met it in practice; each place says who.
"""

import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NoReturn

HOURS_A_MONTH: Final = 720
DAY: Final = 86400


class Refusal(Exception):
    """An error answer: its status and its fields."""

    def __init__(self, status: int, error: str, msg: str, **more: int) -> None:
        super().__init__(msg)
        self.status = status
        self.fields: dict[str, Any] = {"success": False, "error": error, "msg": msg, **more}


@dataclass
class Listing:
    """GPUs that a host offers together."""

    id: int
    machine_id: int
    gpu_name: str = "RTX 4090"
    num_gpus: int = 1
    gpu_ram: int = 24564
    dph_base: float = 0.3
    storage_cost: float = 0.15
    min_bid: float = 0.12
    reliability: float = 0.995
    verification: str = "verified"
    vms_enabled: bool = True
    inet_down: float = 800.0
    duration: float = 30.0 * DAY
    disk_space: float = 500.0
    rented: bool = False
    boots: bool = True
    """Else what is rented here stays "loading" for ever."""

    def row(self, now: float, disk: float, bid: bool) -> dict[str, Any]:
        """As a search tells it, priced with that much disk."""
        gpu, storage = self.min_bid if bid else self.dph_base, self.storage_cost * disk / HOURS_A_MONTH
        price = {"gpuCostPerHour": gpu, "diskHour": storage, "totalHour": gpu + storage}
        return {
            "id": self.id, "ask_contract_id": self.id, "machine_id": self.machine_id, "host_id": self.machine_id + 1000,
            "gpu_name": self.gpu_name, "num_gpus": self.num_gpus, "gpu_ram": self.gpu_ram, "gpu_arch": "nvidia",
            "gpu_frac": 1.0, "cpu_arch": "amd64", "cpu_cores": None, "cpu_cores_effective": 8.0, "cpu_ram": 64000,
            "cuda_max_good": 12.8, "compute_cap": 890, "dph_base": gpu, "dph_total": gpu + storage,
            "min_bid": self.min_bid, "storage_cost": self.storage_cost, "storage_total_cost": storage,
            "disk_space": self.disk_space, "inet_down": self.inet_down, "inet_up": 500.0, "inet_down_cost": 0.002,
            "inet_up_cost": 0.002, "direct_port_count": 100, "static_ip": True, "reliability": self.reliability,
            "reliability2": self.reliability, "verification": self.verification, "vms_enabled": self.vms_enabled,
            "duration": self.duration, "end_date": now + self.duration, "start_date": now - DAY, "dlperf": 90.0,
            "dlperf_per_dphtotal": 90 / (gpu + storage), "score": 300.0, "driver_version": "570.86.15",
            "disk_bw": 3000.0, "pcie_bw": 25.0, "geolocation": "Iceland, IS", "rentable": not self.rented,
            "rented": self.rented, "is_bid": bid, "external": None, "search": price, "instance": price,
        }  # fmt: skip


@dataclass
class Instance:
    """What was rented. A test that boots a machine behind it calls `run` when that is up."""

    id: int
    listing: Listing
    request: dict[str, Any] = field(repr=False)
    """The request to rent it."""
    clock: Callable[[], float]
    since: float
    api_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    label: str | None = None
    actual_status: str | None = None
    cur_state: str = "running"
    next_state: str = "running"
    intended_status: str = "running"
    status_msg: str | None = None
    public_ipaddr: str = ""
    ports: dict[str, int] | None = None
    """Of the host, by those of the instance: {"22/tcp": 40112}."""
    spent: Decimal = Decimal(0)
    billed_until: float = 0.0

    def run(self, public_ipaddr: str = "203.0.113.7", ports: dict[str, int] | None = None) -> None:
        """It is up, reachable there."""
        self.become("running", "success, running")
        self.public_ipaddr, self.ports = public_ipaddr, ports or {"22/tcp": 40000 + self.id}

    def stop(self) -> None:
        """As the account's wish, or since another has bid more."""
        self.become(self.actual_status and "stopped", self.status_msg)
        self.cur_state = self.next_state = self.intended_status = "stopped"
        self.ports = None

    def become(self, actual_status: str | None, status_msg: str | None = None) -> None:
        """What it was until now is billed as that."""
        self.bill()
        self.actual_status, self.status_msg = actual_status, status_msg

    def bill(self) -> None:
        """GPUs by the second while it runs, disk by the second while it exists and its host is there (billing.mdx)."""
        now = self.clock()
        gpu, disk = self.prices()
        running = self.actual_status in ("running", "frozen") and self.cur_state == "running"
        rate = Decimal(0) if self.actual_status == "offline" else disk + (gpu if running else 0)
        self.spent += rate * Decimal(str(max(0.0, now - self.billed_until))) / 3600
        self.billed_until = max(now, self.billed_until)

    def prices(self) -> tuple[Decimal, Decimal]:
        """Dollars an hour of its GPUs and of its disk."""
        bid = self.request.get("price")
        disk = Decimal(str(self.listing.storage_cost)) * Decimal(str(self.request["disk"])) / HOURS_A_MONTH
        return Decimal(str(self.listing.dph_base if bid is None else bid)), disk

    def row(self, now: float) -> dict[str, Any]:
        """As a list tells it."""
        gpu, disk = map(float, self.prices())
        price = {"gpuCostPerHour": gpu, "diskHour": disk, "totalHour": gpu + disk}
        environment = self.request["env"] if isinstance(self.request["env"], dict) else {}
        ports = {port: [{"HostIp": "0.0.0.0", "HostPort": str(host)}] for port, host in (self.ports or {}).items()}
        return {
            "id": self.id, "actual_status": self.actual_status, "cur_state": self.cur_state,
            "next_state": self.next_state, "intended_status": self.intended_status, "label": self.label,
            "image_uuid": self.request["image"], "image_runtype": self.request["runtype"],
            "extra_env": list(environment.items()), "onstart": self.request["onstart"] or "",
            "status_msg": self.status_msg, "public_ipaddr": self.public_ipaddr and f"{self.public_ipaddr}\n",
            "local_ipaddrs": "", "ssh_host": "ssh4.vast.ai", "ssh_idx": "4", "ssh_port": 10000 + self.id,
            "machine_dir_ssh_port": 20000, "machine_id": self.listing.machine_id,
            "host_id": self.listing.machine_id + 1000, "start_date": self.since,
            "end_date": self.since + self.listing.duration, "uptime_mins": None, "duration": self.listing.duration,
            "cpu_arch": "amd64", "cpu_cores": 8, "cpu_cores_effective": 8.0, "cpu_ram": 64000, "cpu_util": 0.0,
            "mem_limit": None, "mem_usage": None, "gpu_name": self.listing.gpu_name, "num_gpus": self.listing.num_gpus,
            "gpu_ram": self.listing.gpu_ram, "gpu_util": None, "gpu_temp": None, "disk_space": self.request["disk"],
            "disk_usage": 0.0, "direct_port_count": 100, "ports": ports or None, "static_ip": True,
            "geolocation": "Iceland, IS", "verification": self.listing.verification,
            "reliability2": self.listing.reliability, "min_bid": self.listing.min_bid,
            "is_bid": self.request["price"] is not None, "dph_base": gpu, "dph_total": gpu + disk,
            "storage_cost": self.listing.storage_cost, "storage_total_cost": disk, "search": price, "instance": price,
        }  # fmt: skip


def _refuse(status: int, error: str, msg: str, ask_id: int) -> NoReturn:
    raise Refusal(status, error, msg, ask_id=ask_id)


def _boot(instance: Instance) -> None:
    instance.run()


def _nothing(instance: Instance) -> None:
    pass


@dataclass
class Market:
    """All offers, and one account."""

    clock: Callable[[], float] = time.time
    """In Unix seconds; a test may put one of its own in its place."""
    on_create: Callable[[Instance], None] = _boot
    """Called for a machine that boots, before the request to rent is answered: to start something, and return."""
    on_destroy: Callable[[Instance], None] = _nothing
    paid_in: Decimal = Decimal(10)
    listings: dict[int, Listing] = field(default_factory=dict)
    instances: dict[int, Instance] = field(default_factory=dict)
    destroyed: list[Instance] = field(default_factory=list)
    ssh_keys: list[str] = field(default_factory=list)
    keyless: bool = False
    """What is rented has no key of its own."""
    careless: bool = False
    """Searches find what was not asked for too (dstack's gpuhunt met it)."""
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def offer(self, **fields: Any) -> Listing:
        """Another offer, on a machine of its own."""
        number = next(self._ids)
        listing = Listing(**{"id": 10_000 + number, "machine_id": 500 + number, **fields})
        self.listings[listing.id] = listing
        return listing

    def rent(self, offer_id: int, request: dict[str, Any]) -> Instance:
        """An instance of the offer. Raises Refusal; with a bid that is too low the instance exists all the same."""
        listing = self.listings.get(offer_id)
        if listing is None:  # documented as 404; in practice this is what comes
            msg = f"error 404/3603: no_such_ask Instance type by id {offer_id} is not available."
            _refuse(400, "invalid_args", msg, offer_id)
        if request["vm"] and not self.ssh_keys:
            _refuse(400, "no_ssh_key_for_vm", "error 400/3591: an SSH key is needed for a VM", offer_id)
        if request["vm"] and request["onstart"] and not request["onstart"].startswith("#!"):
            _refuse(400, "invalid_args", "error 400: onstart of a VM needs a shebang", offer_id)
        if self.credit <= 0:
            _refuse(400, "insufficient_credit", "Your account lacks credit; see the billing page.", offer_id)
        if listing.rented:
            msg = f"error 410/3907: no_such_ask Instance type {offer_id} is no longer available."
            _refuse(410, "no_such_ask", msg, offer_id)
        now = self.clock()
        instance = Instance(
            next(self._ids), listing, request, self.clock, now, label=request["label"], billed_until=now
        )
        self.instances[instance.id] = instance
        if request["price"] is not None and request["price"] < listing.min_bid:  # dstack's api_client.py met it
            instance.stop()
            raise Refusal(400, "invalid_price", "error 400: bid is below the least", new_contract=instance.id)
        listing.rented = True
        instance.become("loading")
        return instance

    def destroy(self, instance: Instance) -> None:
        instance.bill()
        del self.instances[instance.id]
        self.destroyed.append(instance)
        instance.listing.rented = any(other.listing is instance.listing for other in self.instances.values())

    @property
    def spent(self) -> Decimal:
        """Dollars, up to now."""
        existing = list(self.instances.values())
        for instance in existing:
            instance.bill()
        return sum((instance.spent for instance in [*existing, *self.destroyed]), Decimal(0))

    @property
    def credit(self) -> Decimal:
        """Dollars left; at 0 all instances are stopped (billing.mdx)."""
        left = self.paid_in - self.spent
        if left <= 0:
            for instance in self.instances.values():
                instance.stop()
        return left
