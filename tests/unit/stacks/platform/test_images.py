"""Images are brought where their references change or the cluster is another one, and at no other time."""

from typing import Any

import pytest

from stacks.platform.images import MachineImagesProvider, RegistryImagesProvider

PROPS: dict[str, Any] = {
    "cluster": "a",
    "connections": {"m0": {"address": "10.41.0.10"}},
    "seeing": ["m0"],
    "references": {"operator": "localhost/operator:1"},
}


@pytest.mark.parametrize(
    ("changed", "changes", "replaces"),
    [
        ({}, False, []),
        ({"connections": {"m0": {"address": "10.41.0.11"}}}, True, []),
        ({"connections": {**PROPS["connections"], "m1": {"address": "10.41.0.11"}}}, True, []),
        ({"seeing": ["m0", "m1"]}, True, []),
        ({"references": {"operator": "localhost/operator:2"}}, True, []),
        ({"cluster": "b"}, True, ["cluster"]),
    ],
    ids=[
        "nothing",
        "another way to the same machine",
        "one more machine",
        "another site",
        "another reference",
        "another cluster",
    ],
)
def test_what_brings_them(changed: dict[str, Any], changes: bool, replaces: list[str]) -> None:
    found = MachineImagesProvider().diff("", PROPS, {**PROPS, **changed})
    assert (found.changes, found.replaces) == (changes, replaces)


def test_a_registry_gets_what_has_another_reference() -> None:
    references = {"references": {"operator": "registry.example.org/me/operator:1"}}
    assert not RegistryImagesProvider().diff("", references, references).changes
    assert RegistryImagesProvider().diff("", references, {"references": {}}).changes
