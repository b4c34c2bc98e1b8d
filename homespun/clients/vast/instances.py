"""What is rented: the request for it, and what vast.ai tells of it.

Sources: vast-ai/docs `api-reference/openapi/yaml/{create_instance,show_instances}.yaml`, `cli/reference/show-instance`
(what the words of a status mean), `guides/instances/virtual-machines.mdx`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from homespun.clients.errors import Refused

VM_IMAGES: Final = "docker.io/vastai/kvm:"
"""What a virtual machine's image must begin with: from one without its registry vast.ai makes a container, silently."""
MOST_LABEL, MOST_ONSTART, MOST_VALUE, MOST_VALUES, LEAST_DISK_GB = 256, 4048, 256, 32768, 8
LEAST_BID, MOST_BID = Decimal("0.001"), Decimal(128)


class Status(StrEnum):
    """What can be done about an instance."""

    PENDING = "Pending"
    """Wait: it is being made. GPUs cost nothing yet, the disk does."""
    RUNNING = "Running"
    FAILED = "Failed"
    """Destroy it and take another machine: it ended, was outbid, or its host is not heard of. It will not run again by
    itself, and goes on costing money."""
    GONE = "Gone"
    """It is destroyed, and vast.ai still lists it."""


STATUSES: Final[Mapping[str, Status]] = {
    "": Status.PENDING,
    "created": Status.PENDING,
    "loading": Status.PENDING,
    "rebooting": Status.PENDING,
    "running": Status.RUNNING,
    "stopped": Status.FAILED,
    "frozen": Status.FAILED,
    "exited": Status.FAILED,
    "unknown": Status.FAILED,
    "offline": Status.FAILED,
}
"""Of `actual_status`. A word that is not here is waited for: the caller has a deadline."""


@dataclass(frozen=True)
class Intent:
    """What an offer is to become. Its label is its identity: the one thing by which it is found after a lost reply."""

    label: str
    """At most 256 characters, and no other instance's."""
    image: str
    disk_gb: int
    """Never more later."""
    onstart: str = field(default="", repr=False)
    """Run at the first boot; at most 4048 characters, for a VM with a shebang."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """A VM has it in /etc/environment."""
    vm: bool = True
    bid: Decimal | None = None
    """Dollars an hour for all its GPUs, without the disk; None rents on demand, at the offer's price."""

    def body(self) -> dict[str, Any]:
        """The request's JSON. Raises Refused for what vast.ai refuses, or takes for something else."""
        for place, expected, found in self._faults():
            raise Refused(f"vast.ai: instance {self.label!r}: {place}: expected {expected}, got {found}")
        return {
            "client_id": "me",
            "image": self.image,
            "disk": self.disk_gb,
            "label": self.label,
            "env": dict(self.environment),
            "onstart": self.onstart,
            "vm": self.vm,
            "runtype": "ssh_direct",  # the proxy reaches no VM
            "target_state": "running",
            "cancel_unavail": True,  # else one that can't start is made all the same, and its disk is paid for
            **({"price": float(self.bid)} if self.bid is not None else {}),
        }

    def _faults(self) -> list[tuple[str, str, str]]:
        values = self.environment.values()
        long = [name for name, value in self.environment.items() if len(value) > MOST_VALUE]
        checks = [
            (0 < len(self.label) <= MOST_LABEL, "label", f"1 to {MOST_LABEL} characters", str(len(self.label))),
            (bool(self.image), "image", "a name", "none"),
            (not self.vm or self.image.startswith(VM_IMAGES), "image", f"{VM_IMAGES}… for a VM", repr(self.image)),
            (self.disk_gb >= LEAST_DISK_GB, "disk", f"{LEAST_DISK_GB} GB and more", f"{self.disk_gb} GB"),
            (len(self.onstart) <= MOST_ONSTART, "onstart", f"at most {MOST_ONSTART} characters",
             f"{len(self.onstart)}; fetch the rest at the boot"),
            (not self.vm or not self.onstart or self.onstart.startswith("#!"), "onstart", "a shebang in a VM", "none"),
            (not long, "environment", f"at most {MOST_VALUE} characters a value", f"more in {', '.join(long)}"),
            (sum(map(len, values)) <= MOST_VALUES, "environment", f"at most {MOST_VALUES} characters", "more"),
            (self.bid is None or LEAST_BID <= self.bid <= MOST_BID, "bid", f"{LEAST_BID} to {MOST_BID}", str(self.bid)),
        ]  # fmt: skip
        return [(place, expected, found) for holds, place, expected, found in checks if not holds]


@dataclass(frozen=True)
class Created:
    """An offer that was rented. Whether it becomes a machine is seen by looking at it."""

    id: int
    api_key: str = field(repr=False)
    """Opens this instance alone, to stop or destroy it; '' where vast.ai gave none. It is told once."""


@dataclass(frozen=True)
class Instance:
    """An instance as vast.ai tells it."""

    id: int
    label: str
    machine_id: int | None
    """The box, for a list of those that failed: addresses are used again by others."""
    status: Status
    word: str
    """vast.ai's own for it, '' while there is none."""
    message: str
    """vast.ai's own words about it."""
    dollars_an_hour: Decimal | None
    """While it runs, disk included; None where it is not told."""
    address: str
    """Public, perhaps shared with others; '' while there is none."""
    ssh_host: str
    """'' while there is none."""
    ssh_port: int
    since: float | None
    """When it was rented, in seconds of the Unix clock."""


def read(row: Mapping[str, Any]) -> Instance:
    """An instance of an answer. Raises ValueError where it lacks what it is known by."""
    number = row.get("id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f"id: expected a number, got {number!r}")
    label = row.get("label") or ""
    if not isinstance(label, str):
        raise ValueError(f"instance {number}: label: expected a text, got {label!r}")
    address = str(row.get("public_ipaddr") or "").strip()  # it may end in a newline
    host, port = _ssh(row, address)
    machine, since = row.get("machine_id"), row.get("start_date")
    return Instance(
        id=number,
        label=label,
        machine_id=machine if isinstance(machine, int) else None,
        status=_status(row),
        word=str(row.get("actual_status") or ""),
        message=" ".join(str(row.get("status_msg") or "").split()),
        dollars_an_hour=_price(row.get("dph_total")),
        address=address,
        ssh_host=host,
        ssh_port=port,
        since=float(since) if isinstance(since, int | float) else None,
    )


def _status(row: Mapping[str, Any]) -> Status:
    states = [row.get(name) for name in ("cur_state", "next_state", "intended_status")]
    if states[0] == "unloaded":  # "released on destroy"
        return Status.GONE
    if states == ["stopped"] * 3:  # outbid, or a bid that never sufficed: actual_status may lag (dstack's compute.py)
        return Status.FAILED
    if "OCI runtime create failed" in str(row.get("status_msg")):  # it stays "created" for ever (dstack's compute.py)
        return Status.FAILED
    return STATUSES.get(str(row.get("actual_status") or ""), Status.PENDING)


def _ssh(row: Mapping[str, Any], address: str) -> tuple[str, int]:
    """Directly where its port 22 is mapped; else, as it reaches no VM, by the proxy for a container."""
    try:
        mapped = int(row["ports"]["22/tcp"][0]["HostPort"])
    except (KeyError, IndexError, TypeError, ValueError):
        mapped = 0  # `ports` is null until it runs
    if address and mapped:
        return address, mapped
    if row.get("ssh_host") and row.get("ssh_port") and not str(row.get("image_uuid")).startswith(VM_IMAGES):
        return str(row["ssh_host"]), int(row["ssh_port"])
    return "", 0


def _price(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
