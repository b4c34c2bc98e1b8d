"""What is asked about before it goes is what surely goes, not what a preview merely can't rule out."""

from typing import Any

import pytest

from cli.project import UNKNOWN, surely_goes
from cli.up import in_words


def replaced(**inputs: Any) -> dict[str, Any]:
    return {"op": "replace", "replaceReasons": list(inputs), "newState": {"inputs": inputs}}


@pytest.mark.parametrize(
    ("step", "goes"),
    [
        ({"op": "delete"}, True),
        ({"op": "update"}, False),
        ({"op": "create-replacement"}, False),
        (replaced(cluster="another"), True),
        (replaced(connection=UNKNOWN), False),
        (replaced(connection=UNKNOWN, node="m1"), True),
        ({"op": "replace"}, False),  # as what it depends on is
    ],
)
def test_a_step_takes_away_by_what_is_known(step: dict[str, Any], goes: bool) -> None:
    assert surely_goes(step) is goes


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (["Device fir", "Host 10.0.0.22", "Node fir", "OwnMachine 10.0.0.22", "Share 10.0.0.22"], "node fir"),
        (["Host m1", "LabMachine m1", "Node m1"], "machine m1, node m1"),
        (["Cluster lab"], "cluster lab"),
        (["Headscale tailnet"], "tailnet"),
        (["Device fir"], "Device fir"),
    ],
)
def test_people_are_asked_about_machines_nodes_and_clusters_in_their_words(taken: list[str], said: str) -> None:
    assert in_words(taken) == said
