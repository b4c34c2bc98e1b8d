"""Who may reach whom on the tailnet, as far as that is our business: a pure function of the cluster's networks.

HuJSON; its sections: https://tailscale.com/kb/1337/policy-syntax
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from homespun.hosts import names
from homespun.hosts.cluster import NODE_PORTS
from stacks.mesh import marked
from stacks.mesh.errors import MeshError

TAG: Final = "tag:homespun"
"""What all machines of ours are tagged with: they are nobody's, and their keys don't expire."""
MARK: Final = "// Homespun's: `pulumi up` writes it anew."
"""The first line of a policy that is ours as a whole."""
MEMBERS: Final = "autogroup:member"
"""All people in the tailnet, by their own devices."""
OWNERS: Final = ("tagOwners",)
APPROVERS: Final = ("autoApprovers", "routes")


def document(networks: Iterable[IPv4Network]) -> str:
    """Our machines, and the networks that they carry for pods and nodes, reach each other; nobody else reaches them."""
    carried = sorted(map(str, networks))
    policy = {
        "tagOwners": {TAG: []},
        "autoApprovers": {"routes": _approved(carried)},
        "acls": [rule("acls", carried)],
    }
    return f"{MARK}\n{json.dumps(policy, indent=2)}\n"


def ours(text: str) -> bool:
    """Whether a policy is ours as a whole."""
    return text.startswith(MARK)


def rule(section: str, carried: Iterable[str]) -> dict[str, Any]:
    """Our machines and what they carry reach each other, as `acls` or `grants` say it."""
    everything = [TAG, *carried]
    if section == "acls":
        return {"action": "accept", "src": everything, "dst": [f"{one}:*" for one in everything]}
    return {"src": everything, "dst": everything, "ip": ["*"]}


def entrance(section: str) -> dict[str, Any]:
    """Whose devices are people's find our machines by name, and reach what the cluster shows to the outside."""
    ports = [str(names.PORT), f"{NODE_PORTS[0]}-{NODE_PORTS[-1]}"]
    if section == "acls":
        return {"action": "accept", "src": [MEMBERS], "dst": [f"{TAG}:{','.join(ports)}"]}
    return {"src": [MEMBERS], "dst": [TAG], "ip": ports}


def added(text: str, cluster: str, networks: Iterable[str], named: bool = False) -> str:
    """A policy that is somebody's, with the cluster's part as it ought to be; all else is as it was.

    Our machines are tagged, the networks that they carry approved, and these reach each other; `named`: people's own
    devices find them by names. What somebody has said in the same words already stays theirs. Raises MeshError where
    they have said otherwise.
    """
    theirs = marked.removed(text, cluster)
    if others := marked.owners(theirs):
        raise MeshError(
            f"the tailnet's policy: expected no cluster in it but {cluster}, found {', '.join(sorted(others))}: a"
            " tailnet holds one. Take that down first; if it is gone, take away what its marks enclose"
        )
    found, carried = marked.read(theirs), sorted(networks)
    section = _section(found)
    sections: dict[tuple[str, ...], marked.Entries] = {
        OWNERS: _missing(found, OWNERS, {TAG: []}),
        APPROVERS: _missing(found, APPROVERS, _approved(carried)),
        (section,): _rules(section, carried, named),
    }
    return marked.added(theirs, cluster, {path: entries for path, entries in sections.items() if entries})


def part(networks: Iterable[str], named: bool = False) -> str:
    """What `added` adds, for people who read a preview."""
    carried = sorted(networks)
    return json.dumps(
        {"tagOwners": {TAG: []}, ".".join(APPROVERS): _approved(carried), "rules": _rules("grants", carried, named)}
    )


def difference(before: str, after: str) -> str:
    """What changes, as a unified diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "the policy", "with our part", lineterm="")
    return "\n".join(lines)


def _approved(networks: Iterable[str]) -> dict[str, list[str]]:
    return {network: [TAG] for network in networks}


def _rules(section: str, carried: Iterable[str], named: bool) -> list[dict[str, Any]]:
    return [rule(section, carried), *([entrance(section)] if named else [])]


def _section(found: Mapping[str, Any]) -> str:
    """Which of the two kinds of rules it has."""
    for section in ("grants", "acls"):
        if marked.value(found, [section]) is not None:
            return section
    raise MeshError(
        "the tailnet's policy: expected `grants` or `acls`, found neither: what it then means for your own devices"
        ' would be another thing once there is a rule of ours. Say it first: "grants": [] if they do not reach each'
        ' other, "grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}] if they do'
    )


def _missing(found: Mapping[str, Any], path: tuple[str, ...], wanted: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is not there yet. Raises MeshError for what is there, and is another thing."""
    there = marked.value(found, path)
    if not isinstance(there, dict):
        return dict(wanted)  # whoever puts it in looks whether it can be
    for name in wanted:
        if there.get(name, wanted[name]) != wanted[name]:
            raise MeshError(
                f"the tailnet's policy: {'.'.join(path)}: {name}: expected {json.dumps(wanted[name])}, or none, so that"
                f" ours can be added, found {json.dumps(there[name])}; change it, or take it out"
            )
    return {name: entry for name, entry in wanted.items() if name not in there}
