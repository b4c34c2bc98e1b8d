"""headscale's answers as we read them, and what of them is peculiar."""

from dataclasses import replace

import pytest

from homespun.clients import headscale
from homespun.clients.errors import Broken, InvalidPolicy, Refused, Stale, Unreachable
from homespun.clients.headscale import Headscale
from homespun.clients.tailnet import AuthKey, Device, Policy
from tests.unit.clients.scripted import Answer, Scripted, serve

BEFORE = Policy('{"acls": []}', etag="", untouched=False)
IN_FORCE = Answer(body={"policy": BEFORE.text, "updatedAt": "2026-11-28T20:14:16.212073978Z"})
KEY = {
    "user": None,
    "id": "7",
    "key": "hskey-auth-aLgJzPrd3IT9-***",
    "reusable": False,
    "ephemeral": True,
    "used": False,
    "expiration": "2126-11-28T20:14:18.051935016Z",
    "createdAt": "2026-11-28T20:14:17.473656077Z",
    "aclTags": ["tag:rented"],
}
NODE = {
    "id": "1",
    "nodeKey": "nodekey:c34bb391a83c9b67",
    "ipAddresses": ["100.64.0.1", "fd7a:115c:a1e0::1"],
    "name": "m0",
    "user": {"id": "2147455555", "name": "tagged-devices"},
    "preAuthKey": None,
    "givenName": "m0-1",
    "online": True,
    "approvedRoutes": [],
    "availableRoutes": ["10.42.0.0/24"],
    "subnetRoutes": [],
    "tags": ["tag:node"],
}


def client(server: Scripted) -> Headscale:
    made = headscale.by_api_key(f"{server.url}/", "hskey-api-mine\n")
    return replace(made, service=replace(made.service, back_off=0.001))


def failed(message: str, status: int = 500, code: int = 2) -> Answer:
    return Answer(status, {"code": code, "message": message, "details": []})


def test_where_there_is_no_policy_it_is_untouched_and_asked_for_once() -> None:
    with serve(failed("loading ACL from database: acl policy not found")) as server:
        assert client(server).policy() == Policy("", etag="", untouched=True)
    assert len(server.asked) == 1
    assert server.asked[0].headers["Authorization"] == "Bearer hskey-api-mine"


def test_any_other_failure_is_told() -> None:
    with serve(failed("loading ACL from database: disk full")) as server, pytest.raises(Broken, match="disk full"):
        client(server).policy()


def test_a_policy_that_another_replaced_meanwhile_is_not_replaced() -> None:
    with (
        serve(Answer(body={"policy": "{}", "updatedAt": None})) as server,
        pytest.raises(Stale, match="expected the policy that was read"),
    ):
        client(server).put_policy('{"acls": [],}', BEFORE)
    assert [asked.method for asked in server.asked] == ["GET"]


def test_one_that_is_to_be_replaced_in_any_case_is_taken_for_the_same() -> None:
    with serve(Answer(body={"policy": "", "updatedAt": None}), Answer(body={})) as server:
        client(server).put_policy("{}", Policy("", etag="", untouched=False))
    assert [asked.method for asked in server.asked] == ["GET", "PUT"]


def test_where_the_answer_is_lost_the_policy_in_force_says_that_it_was_done() -> None:
    new = Answer(body={"policy": "{}", "updatedAt": None})
    with serve(IN_FORCE, Answer(cut=True), new) as server:
        assert client(server).put_policy("{}", BEFORE) == Policy("{}", etag="", untouched=False)
    assert [asked.method for asked in server.asked] == ["GET", "PUT", "GET"]


def test_where_the_answer_is_lost_and_it_was_not_done_that_is_told() -> None:
    with serve(IN_FORCE, Answer(cut=True), IN_FORCE) as server, pytest.raises(Unreachable):
        client(server).put_policy("{}", BEFORE)


@pytest.mark.parametrize("words", ["setting policy: test(s) failed:\ntag:a -> b:22: …", "verifying SSH rules: no"])
def test_a_policy_that_it_does_not_accept_is_the_policys_fault(words: str) -> None:
    with serve(IN_FORCE, failed(words)) as server, pytest.raises(InvalidPolicy) as told:
        client(server).put_policy("{}", BEFORE)
    assert words in str(told.value)


def test_whoever_keeps_the_policy_in_a_file_reads_what_to_change() -> None:
    with (
        serve(IN_FORCE, failed("update is disabled for modes other than 'database'")) as server,
        pytest.raises(Refused, match=r"set policy.mode: database"),
    ):
        client(server).put_policy("{}", BEFORE)


def test_a_policy_that_fails_its_tests_is_told_in_the_servers_words() -> None:
    words = "test(s) failed:\n100.64.0.8 -> x:80: expected ALLOWED, got DENIED"
    with serve(failed(words, 400, 3)) as server, pytest.raises(InvalidPolicy) as told:
        client(server).check_policy("{}")
    assert words in str(told.value)


def test_a_node_is_read() -> None:
    with serve(Answer(body={"nodes": [NODE, {**NODE, "id": "2", "preAuthKey": KEY}]})) as server:
        first, second = client(server).devices()
    assert first == Device(
        id="1",
        name="m0-1",
        hostname="m0",
        addresses=("100.64.0.1", "fd7a:115c:a1e0::1"),
        tags=("tag:node",),
        online=True,
        ephemeral=False,
        advertised_routes=("10.42.0.0/24",),
        enabled_routes=(),
    )
    assert second.ephemeral


def test_a_node_that_is_gone_already_is_deleted() -> None:
    with serve(failed("node not found", 404, 5)) as server:
        client(server).delete_device("1")


def test_a_key_is_read_and_its_secret_is_in_no_repr() -> None:
    with serve(Answer(body={"preAuthKey": {**KEY, "key": "hskey-auth-secret"}})) as server:
        key = client(server).create_key(("tag:rented",), ephemeral=True, expiry_seconds=600)
    assert key == AuthKey("7", ("tag:rented",), reusable=False, ephemeral=True, secret="hskey-auth-secret")
    assert "hskey-auth-secret" not in repr(key)


def test_a_key_is_not_asked_for_twice() -> None:
    with serve(Answer(cut=True)) as server, pytest.raises(Unreachable):
        client(server).create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    assert len(server.asked) == 1


def test_a_key_without_tags_is_refused_unasked() -> None:
    with serve(Answer()) as server, pytest.raises(Refused, match="expected tags"):
        client(server).create_key((), ephemeral=False, expiry_seconds=600)
    assert server.asked == []


def test_only_keys_that_let_somebody_in_count() -> None:
    listed = [
        KEY,
        {**KEY, "id": "8", "used": True},
        {**KEY, "id": "9", "used": True, "reusable": True, "expiration": None},
        {**KEY, "id": "10", "expiration": "2020-01-01T00:00:00Z"},
        {**KEY, "id": "11", "expiration": "0001-01-01T00:00:00Z"},
    ]
    with serve(Answer(body={"preAuthKeys": listed})) as server:
        kept = client(server).keys()
    assert [key.id for key in kept] == ["7", "9"]


def test_a_key_that_made_a_device_ephemeral_is_expired_and_kept() -> None:
    with serve(Answer(body={"nodes": [{**NODE, "preAuthKey": KEY}]})) as server:
        client(server).delete_key("7")
    assert [asked.method for asked in server.asked] == ["POST", "GET"]


def test_any_other_key_is_expired_and_deleted() -> None:
    lasting = {**KEY, "id": "6", "ephemeral": False}
    with serve(Answer(body={"nodes": [NODE, {**NODE, "preAuthKey": lasting}]})) as server:
        client(server).delete_key("6")
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("POST", "/api/v1/preauthkey/expire"),
        ("GET", "/api/v1/node"),
        ("DELETE", "/api/v1/preauthkey?id=6"),
    ]


def test_names_are_not_to_be_had_by_its_api() -> None:
    with serve(Answer()) as server, pytest.raises(Refused, match="`dns` in its configuration"):
        client(server).dns()
    assert server.asked == []
