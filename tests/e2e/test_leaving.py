"""All of it goes. Runs last."""

from homespun import places
from stacks.machines import network, nspawn
from tests.e2e import lab as labs
from tests.e2e.conftest import sysctls
from tests.e2e.lab import Lab


def test_down_leaves_nothing_of_the_lab_on_the_box(lab: Lab, box_before: dict[str, str]) -> None:
    assert "gone" in labs.down()
    assert nspawn.check_leftovers(lab.machine) == []
    assert network.leftovers(lab.machine.network) == []
    assert not places.state().exists()
    assert sysctls() == box_before
