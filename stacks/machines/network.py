"""The bridge that machines of a lab's site are on, and their way out: a masquerade, and forwarding where it was off.

As behind a router at home: who is in goes out under its address, nobody is let in but where a port is published. All of
it is named after lab and site and goes with them. Forwarding is switched per interface, not for the whole box; that of
the uplink was the box's, so it is noted under /run, which forgets as the kernel does, and put back by the last lab.
"""

import contextlib
import json
import subprocess
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Final

from stacks.machines.errors import LabError

FORWARDING_NOTES: Final = Path("/run/homespun/forwarding")
RESOLVERS: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


@dataclass(frozen=True)
class Network:
    """A LAN of a lab; the box is its first address."""

    lab: str
    bridge: str
    range: IPv4Network
    site: str = ""
    """'' for the lab's first one."""
    published: tuple[str, ...] = ()
    """What is let in from outside, to every machine: in nft's words, such as `tcp dport 443`."""

    @property
    def gateway(self) -> IPv4Address:
        """The box's own address in it."""
        return self.range[1]

    @property
    def table(self) -> str:
        """The nftables table that holds all rules of the lab."""
        return f"homespun-{self.name}"

    @property
    def name(self) -> str:
        """Its name among all labs' networks on this box."""
        return f"{self.lab}-{self.site}" if self.site else self.lab


def record(network: Network, path: Path) -> None:
    """Write it down, for when no settings speak of it any more."""
    path.write_text(json.dumps({**asdict(network), "range": str(network.range)}))


def recorded(path: Path) -> Network | None:
    """What was written down; None if nothing was."""
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return Network(**{**found, "range": IPv4Network(found["range"]), "published": tuple(found["published"])})


def check(network: Network) -> None:
    """Raises LabError where its range or bridge is in use by something else."""
    if taken := _taken(network):
        raise LabError(f"lab network {network.range}: expected to be free on this machine, {taken}")


def up(network: Network) -> None:
    """Make what is missing of it. Raises LabError where the range is in use by something else."""
    check(network)
    if not _exists(network.bridge):
        _ip("link", "add", network.bridge, "type", "bridge")
    _ip("address", "replace", f"{network.gateway}/{network.range.prefixlen}", "dev", network.bridge)
    _ip("link", "set", network.bridge, "up")
    _nft(ruleset(network))
    _sysctl(network.bridge).write_text("1")
    for uplink in _uplinks():
        _forward(uplink, network.name)


def down(network: Network) -> None:
    """Take away what is there of it."""
    if _exists(network.bridge):
        _ip("link", "delete", network.bridge)
    if network.table in _tables():
        _nft(f"delete table ip {network.table}")
    for note in FORWARDING_NOTES.glob(f"*/{network.name}"):
        note.unlink()
        _restore(note.parent)


def unplug(machine: str) -> None:
    """Take away a dead machine's end of its cable: the kernel may be slow to, and the next start would stumble on it.

    systemd-nspawn(1), --network-bridge=: the box's end is called `vb-` and the machine's name, cut to what Linux takes.
    """
    cable = f"vb-{machine}"[:15]
    if _exists(cable):
        subprocess.run(["ip", "link", "delete", cable], capture_output=True)  # it may go by itself meanwhile


def plugged(network: Network) -> bool:
    """Whether any machine's cable is in it."""
    cables = Path("/sys/class/net") / network.bridge / "brif"
    return cables.exists() and any(cables.iterdir())


def leftovers(network: Network) -> list[str]:
    """What is still there of it."""
    found = [f"link {network.bridge}"] if _exists(network.bridge) else []
    found += [f"nftables table {network.table}"] if network.table in _tables() else []
    return found + [f"forwarding note {note}" for note in FORWARDING_NOTES.glob(f"*/{network.name}")]


def ruleset(network: Network) -> str:
    """Everything of ours in the box's netfilter, in nft's language; loading it twice changes nothing."""
    published = "".join(f"        {words} accept\n" for words in network.published)
    return f"""\
table ip {network.table}
delete table ip {network.table}
table ip {network.table} {{
    chain egress {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {network.range} oifname != "{network.bridge}" masquerade
    }}
    chain ingress {{
        type filter hook forward priority filter; policy accept;
        oifname != "{network.bridge}" accept
        iifname "{network.bridge}" accept
        ct state established,related accept
{published}        drop
    }}
}}
"""


def nameservers() -> list[str]:
    """The box's DNS servers that its machines can reach too: none on loopback."""
    for path in RESOLVERS:
        lines = path.read_text().splitlines() if path.exists() else []
        servers = [fields[1] for line in lines if (fields := line.split())[:1] == ["nameserver"]]
        if servers := [server for server in servers if not server.startswith(("127.", "::1"))]:
            return servers
    return []


def foreign_drop() -> str | None:
    """A chain not ours that drops what is forwarded by default (Docker's habit), if there is one."""
    chains = json.loads(_run("nft", "--json", "list", "chains"))["nftables"]
    for chain in (entry["chain"] for entry in chains if "chain" in entry):
        if chain.get("hook") == "forward" and chain.get("policy") == "drop":
            return f"{chain['family']} {chain['table']} {chain['name']}"
    return None


def _taken(network: Network) -> str | None:
    """Who else has addresses or routes within the range."""
    for route in json.loads(_run("ip", "-json", "-4", "route", "show", "table", "all")):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == network.bridge:
            continue
        if IPv4Network(destination).overlaps(network.range):
            return f"found a route to {destination} by {route.get('dev')}; choose another by homespun:lab.range"
    for link in (
        json.loads(_run("ip", "-json", "-4", "address", "show", "dev", network.bridge))
        if _exists(network.bridge)
        else []
    ):
        for address in link["addr_info"]:
            found = IPv4Interface(f"{address['local']}/{address['prefixlen']}")
            if found.network != network.range:
                return f"found {network.bridge} with {found}; choose another by homespun:lab.bridge"
    return None


def _uplinks() -> set[str]:
    routes = json.loads(_run("ip", "-json", "-4", "route", "show", "default"))
    return {route["dev"] for route in routes if "dev" in route}


def _forward(interface: str, network: str) -> None:
    note = FORWARDING_NOTES / interface
    note.mkdir(parents=True, exist_ok=True)
    before = note / ".before"
    if not before.exists():
        before.write_text(_sysctl(interface).read_text())
    (note / network).touch()
    _sysctl(interface).write_text("1")


def _restore(note: Path) -> None:
    """Put an interface's forwarding back, if the last network has gone."""
    if any(path.name != ".before" for path in note.iterdir()):
        return
    if _exists(note.name):
        _sysctl(note.name).write_text((note / ".before").read_text())
    (note / ".before").unlink()
    for folder in (note, FORWARDING_NOTES, FORWARDING_NOTES.parent):
        with contextlib.suppress(OSError):  # another lab's
            folder.rmdir()


def _sysctl(interface: str) -> Path:
    return Path("/proc/sys/net/ipv4/conf") / interface / "forwarding"


def _exists(interface: str) -> bool:
    return (Path("/sys/class/net") / interface).exists()


def _tables() -> set[str]:
    listed = json.loads(_run("nft", "--json", "list", "tables", "ip"))["nftables"]
    return {entry["table"]["name"] for entry in listed if "table" in entry}


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _nft(rules: str) -> None:
    _run("nft", "-f", "-", input=rules)


def _run(*command: str, input: str | None = None) -> str:
    ran = subprocess.run(command, input=input, capture_output=True, text=True)
    if ran.returncode:
        raise LabError(f"`{' '.join(command)}` failed: {ran.stderr.strip()}")
    return ran.stdout
