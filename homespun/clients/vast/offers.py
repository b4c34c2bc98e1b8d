"""What vast.ai has to rent, and what we ask of it: typed both ways, at a price that holds for the disk that is meant.

Fields, filters and units: vast-ai/docs `api-reference/openapi/yaml/search_offers.yaml`; `inet_down` is in Mb/s, as the
official client says (vastai/cli/commands/offers.py), not in MB/s, as that file does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

HOURS_A_MONTH: Final = 720
"""`storage_cost` is for a GB and a month. The documentation's own example (show_instances.yaml) has 0.15 for 10.08 GB
as 0.0021 an hour, which are months of 30 days; dstack's gpuhunt reckons with the same."""
MOST_OFFERS: Final = 64
"""Of the cheapest: the day's quota counts rows."""


@dataclass(frozen=True)
class Query:
    """What a machine must have. 0, None and () ask for nothing."""

    disk_gb: int
    """What will be rented with it, at least 8: part of the price, and never more later."""
    gpu_names: tuple[str, ...] = ()
    """Any of these, as vast.ai writes them: "RTX 4090"."""
    min_gpus: int = 1
    min_gpu_ram_mib: int = 0
    """Of each GPU. A machine tells what its driver leaves: an RTX 4090's 24 GiB are 24564 and less."""
    max_dollars_an_hour: Decimal | None = None
    """For GPUs and disk together."""
    min_reliability: float = 0.98
    """vast.ai's score of the machine, 0 to 1."""
    verified: bool = True
    """By vast.ai; else the others are taken too."""
    vms: bool = True
    """It can run a virtual machine, which is what a kubelet needs."""
    min_down_mbps: int = 0
    min_seconds: int = 0
    """For which it can be had, from now."""
    excluded_machines: frozenset[int] = frozenset()
    interruptible: bool = False
    """To be rented by a bid: another's higher one stops it, without notice."""

    def body(self) -> dict[str, Any]:
        """The request's JSON: `{field: {operator: value}}`, cheapest first."""
        asked: dict[str, Any] = {
            "type": "bid" if self.interruptible else "ondemand",
            "limit": MOST_OFFERS,
            "order": [["dph_total", "asc"]],
            "allocated_storage": self.disk_gb,
            "rentable": {"eq": True},
            "external": {"eq": False},
            "disk_space": {"gte": self.disk_gb},
            "num_gpus": {"gte": self.min_gpus},
            "reliability": {"gte": self.min_reliability},
        }
        if self.verified:
            asked["verified"] = {"eq": True}
        else:
            asked["verification"] = {"in": ["verified", "unverified"]}
        if self.vms:
            asked["vms_enabled"] = {"eq": True}
        if self.gpu_names:
            asked["gpu_name"] = {"in": list(self.gpu_names)}
        if self.min_gpu_ram_mib:
            asked["gpu_ram"] = {"gte": self.min_gpu_ram_mib}
        if self.max_dollars_an_hour is not None:
            asked["dph_total"] = {"lte": float(self.max_dollars_an_hour)}
        if self.min_down_mbps:
            asked["inet_down"] = {"gte": self.min_down_mbps}
        if self.min_seconds:
            asked["duration"] = {"gte": self.min_seconds}
        if self.excluded_machines:
            asked["machine_id"] = {"notin": sorted(self.excluded_machines)}
        return asked

    def admits(self, offer: "Offer") -> bool:
        """Whether it is what was asked for: answers hold offers that are not (dstack's gpuhunt looks again too)."""
        return (
            offer.free
            and offer.disk_gb >= self.disk_gb
            and (not self.gpu_names or offer.gpu_name in self.gpu_names)
            and offer.num_gpus >= self.min_gpus
            and offer.gpu_ram_mib >= self.min_gpu_ram_mib
            and (self.max_dollars_an_hour is None or offer.dollars_an_hour <= self.max_dollars_an_hour)
            and offer.reliability >= self.min_reliability
            and (offer.verified or not self.verified)
            and (offer.vms or not self.vms)
            and offer.down_mbps >= self.min_down_mbps
            and offer.seconds >= self.min_seconds
            and offer.machine_id not in self.excluded_machines
        )


@dataclass(frozen=True)
class Offer:
    """GPUs of a machine, to be rented together. Its id is good for one rental, and for a short while."""

    id: int
    machine_id: int
    host_id: int
    gpu_name: str
    num_gpus: int
    gpu_ram_mib: int
    """Of each GPU."""
    dollars_an_hour: Decimal
    """While it runs, with the disk that was asked for. Traffic comes on top, by the byte."""
    disk_dollars_an_hour: Decimal
    """Of these the disk's, which are paid for as long as the instance exists, also while it is stopped."""
    min_bid: Decimal | None
    """The least that rents it by a bid now, in dollars an hour for all its GPUs, without the disk."""
    reliability: float
    verified: bool
    vms: bool
    down_mbps: float
    seconds: float
    """For which it can be had, from now."""
    disk_gb: float
    """That can be rented with it."""
    free: bool
    """Not rented at the time of the answer."""

    def at_bid(self, bid: Decimal) -> Decimal:
        """Dollars an hour at this bid, with the disk."""
        return bid + self.disk_dollars_an_hour


def read(row: Mapping[str, Any], disk_gb: int) -> Offer:
    """An offer of an answer, priced with that much disk. Raises ValueError where it lacks what we decide by."""
    try:
        disk = _dollars(row["storage_cost"]) * disk_gb / HOURS_A_MONTH
        # dph_total holds the disk that the server took us to ask for; should that be another, the dearer one counts.
        total = max(_dollars(row["dph_total"]), _dollars(row["dph_base"]) + disk)
        return Offer(
            id=int(row["id"]),
            machine_id=int(row["machine_id"]),
            host_id=int(row["host_id"]),
            gpu_name=str(row["gpu_name"]),
            num_gpus=int(row["num_gpus"]),
            gpu_ram_mib=int(row["gpu_ram"]),
            dollars_an_hour=total,
            disk_dollars_an_hour=disk,
            min_bid=None if row.get("min_bid") is None else _dollars(row["min_bid"]),
            reliability=float(row["reliability"] if row.get("reliability") is not None else row["reliability2"]),
            verified=row.get("verification") == "verified",
            vms=row.get("vms_enabled") is True,
            down_mbps=float(row["inet_down"]),
            seconds=float(row["duration"]),
            disk_gb=float(row["disk_space"]),
            free=row.get("rentable") is True and not row.get("rented"),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"expected an offer, got {type(error).__name__}: {error}") from error


def _dollars(value: Any) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite() or found < 0:
        raise ValueError(f"expected dollars, got {value!r}")
    return found
