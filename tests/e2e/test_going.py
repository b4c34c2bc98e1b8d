"""A cluster is made anew, and all of it goes. Runs after the other tests on the lab."""

import re

from homespun import places
from stacks.machines import nspawn
from tests.e2e import lab as labs
from tests.e2e.conftest import sysctls
from tests.e2e.lab import Lab, ask


def test_a_cluster_that_is_made_anew_gets_all_of_it_anew(lab: Lab) -> None:
    labs.pulumi("destroy", "--yes", "--skip-preview")
    assert re.search(
        r"cluster \d+s · platform \d+ objects \d+s · model minilm \d+s · collection papers \d+s", labs.up()
    )
    assert ask("hello")[0] == 200


def test_down_leaves_nothing_of_the_lab_on_the_box(lab: Lab, box_before: dict[str, str]) -> None:
    assert "gone" in labs.down()
    assert nspawn.check_leftovers(lab.machine) == []
    assert not places.state().exists()
    assert sysctls() == box_before
