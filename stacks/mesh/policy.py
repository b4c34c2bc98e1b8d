"""Who may reach whom on the tailnet, as far as that is our business: a pure function of the cluster's networks.

HuJSON; its sections: https://tailscale.com/kb/1337/policy-syntax
"""

import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Final

TAG: Final = "tag:homespun"
"""What all machines of ours are tagged with: they are nobody's, and their keys don't expire."""
MARK: Final = "// Homespun's: `pulumi up` writes it anew."
"""The first line of a policy that is ours as a whole."""


def document(networks: Iterable[IPv4Network]) -> str:
    """Our machines, and the networks that they carry for pods and nodes, reach each other; nobody else reaches them."""
    carried = sorted(map(str, networks))
    policy = {
        "tagOwners": {TAG: []},
        "autoApprovers": {"routes": {network: [TAG] for network in carried}},
        "acls": [{"action": "accept", "src": [TAG, *carried], "dst": [f"{one}:*" for one in (TAG, *carried)]}],
    }
    return f"{MARK}\n{json.dumps(policy, indent=2)}\n"


def ours(text: str) -> bool:
    """Whether a policy is ours as a whole."""
    return text.startswith(MARK)
