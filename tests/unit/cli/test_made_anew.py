"""What is asked about before it goes is what surely goes, not what a preview merely can't rule out."""

from typing import Any

import pytest

from cli.project import UNKNOWN, surely_goes


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
