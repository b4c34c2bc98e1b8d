"""Our machines and what they carry reach each other, and nobody else's policy is taken for ours."""

import json
from ipaddress import IPv4Network

from stacks.mesh import policy

TEXT = policy.document([IPv4Network("10.42.0.0/16"), IPv4Network("10.41.0.10/32")])


def parsed() -> dict[str, object]:
    found: dict[str, object] = json.loads(TEXT.partition("\n")[2])
    return found


def test_what_machines_carry_is_approved_by_itself_and_reaches_each_other() -> None:
    document = parsed()
    assert document["autoApprovers"] == {"routes": {"10.41.0.10/32": [policy.TAG], "10.42.0.0/16": [policy.TAG]}}
    everything = [policy.TAG, "10.41.0.10/32", "10.42.0.0/16"]
    assert document["acls"] == [{"action": "accept", "src": everything, "dst": [f"{one}:*" for one in everything]}]


def test_a_policy_is_ours_by_its_first_line_alone() -> None:
    assert policy.ours(TEXT)
    assert not policy.ours(f"// mine\n{TEXT}")
    assert not policy.ours('{"acls": []}')
