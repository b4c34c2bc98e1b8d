"""The claim `data` is shown to the machines of the first one's site, by that one, and to nobody else."""

from homespun.hosts import share, state
from homespun.hosts.cluster import Member
from homespun.hosts.state import HostState
from tests.unit.hosts.test_state import ARTIFACTS, CLUSTER, IMAGES, MESH, SERVER, content, desired, member


def units(wanted: HostState) -> set[str]:
    return {share.SERVER_UNIT, share.CLIENT_UNIT} & set(wanted.units)


def first(*others: Member) -> HostState:
    return desired(others=others)


def test_a_machine_alone_shows_nothing_and_mounts_nothing() -> None:
    assert units(first()) == set()


def test_the_first_one_shows_and_another_mounts() -> None:
    assert units(first(member(4))) == {share.SERVER_UNIT}
    other = desired(role="worker", others=(member(3, "control-plane"),))
    assert units(other) == {share.CLIENT_UNIT}
    assert "sshfs" in other.packages
    assert "sshfs" not in first(member(4)).packages


def test_nothing_is_shown_to_a_machine_elsewhere_own_or_rented() -> None:
    assert units(first(member(4, site="office"))) == set()
    far = state.desired(
        member(4, site="office"), (member(3, "control-plane"),), SERVER, CLUSTER, MESH, ARTIFACTS, IMAGES
    )
    assert units(far) == set()


def test_one_user_comes_in_by_key_and_finds_one_folder() -> None:
    said = dict(line.split(maxsplit=1) for line in share.server_config(CLUSTER).splitlines())
    assert said["ListenAddress"] == "10.41.0.10:6445"
    assert said["AllowUsers"] == "homespun"
    assert said["AuthenticationMethods"] == "publickey"
    assert said["ForceCommand"] == "internal-sftp"
    assert said["ChrootDirectory"] == share.SHOWN
    assert said["DisableForwarding"] == "yes"
    assert f"BindPaths=/var/lib/homespun-volumes/data:{share.SHOWN}/data" in share.SERVER_SERVICE


def test_that_user_is_the_pods_and_no_other() -> None:
    users = [line.split(":") for line in content(first(member(4)), f"{share.ETC}/passwd").splitlines()]
    assert {name: uid for name, _, uid, *_ in users if name == share.USER} == {share.USER: "10001"}


def test_a_mount_is_where_the_first_one_has_it_and_pins_its_key() -> None:
    said = share.client_service(CLUSTER)
    assert "homespun@10.41.0.10:/ /var/lib/homespun-volumes\n" in said
    assert "StrictHostKeyChecking=yes" in said
    assert f"ConditionPathExists={share.SERVER_KEY}" in said


def test_a_folder_of_the_machines_own_is_not_written_beside() -> None:
    assert "[ ! -e /var/lib/homespun-volumes/data ] ||" in share.client_service(CLUSTER)
