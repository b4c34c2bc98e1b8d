"""What folders want of one disk is added up."""

from pathlib import Path

import pytest

from cli.obstacles import short_of_room

STATE, CACHE = Path("/state"), Path("/cache")
GB = 1 << 30


@pytest.mark.parametrize(
    ("devices", "free", "said"),
    [
        ({STATE: 1, CACHE: 1}, 30, []),
        ({STATE: 1, CACHE: 1}, 29, ["/state and /cache: expected 30 GB free, found 29"]),
        ({STATE: 1, CACHE: 2}, 20, []),
        ({STATE: 1, CACHE: 2}, 19, ["/cache: expected 20 GB free, found 19"]),
    ],
    ids=["room for both", "one disk is short of both", "two disks", "one of two is short"],
)
def test_a_disk_has_to_hold_all_that_goes_onto_it(devices: dict[Path, int], free: int, said: list[str]) -> None:
    wanted = {STATE: 10 * GB, CACHE: 20 * GB}
    found = short_of_room(wanted, lambda folder: devices[folder], lambda _: free * GB)
    assert [line.partition(";")[0] for line in found] == said
