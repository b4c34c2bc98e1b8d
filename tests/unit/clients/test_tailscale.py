"""Tailscale's answers as we read them, and what of them is peculiar."""

from dataclasses import replace

import pytest

from homespun.clients import tailscale
from homespun.clients.errors import Broken, InvalidPolicy, Stale, Unreachable
from homespun.clients.tailnet import AuthKey, Device, Dns, Policy
from homespun.clients.tailscale import Tailscale, looks_untouched
from tests.unit.clients.scripted import Answer, Scripted, serve

BEFORE = Policy("{}", etag="abc", untouched=False)
DEFAULT = """// Example/default ACLs for unrestricted connections.
{
	// "groups": {
	//  	"group:example": ["alice@example.com", "bob@example.com"],
	// },
	"grants": [
		// Allow all connections.
		{"src": ["*"], "dst": ["*"], "ip": ["*"]},
	],
	"ssh": [
		{
			"action": "check",
			"src":    ["autogroup:member"],
			"dst":    ["autogroup:self"],
			"users":  ["autogroup:nonroot", "root"],
		},
	],
}
"""
OLDER = '{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}'


def client(server: Scripted) -> Tailscale:
    made = tailscale.by_api_key("tskey-api-mine", server.url)
    return replace(made, service=replace(made.service, back_off=0.001))


def text(policy: str, etag: str = '"abc"') -> Answer:
    return Answer(body=policy.encode(), headers={"Content-Type": "application/hujson", "ETag": etag})


@pytest.mark.parametrize("etag", ['"abc"', "abc", 'W/"abc"'])
def test_a_policy_is_read_as_it_was_written(etag: str) -> None:
    with serve(text('{ // für alle\n"acls": [],}', etag)) as server:
        assert client(server).policy() == Policy('{ // für alle\n"acls": [],}', "abc", untouched=False)
    assert server.asked[0].headers["Accept"] == "application/hujson"


def test_a_policy_without_an_etag_can_not_be_replaced_safely() -> None:
    with serve(Answer(body=b"{}")) as server, pytest.raises(Broken, match="expected an ETag"):
        client(server).policy()


@pytest.mark.parametrize("policy", [DEFAULT, DEFAULT.replace("autogroup:member", "autogroup:members"), OLDER])
def test_a_policy_that_says_what_tailscales_own_says_looks_untouched(policy: str) -> None:
    assert looks_untouched(policy)


@pytest.mark.parametrize(
    "policy",
    [
        DEFAULT.replace('"ip": ["*"]', '"ip": ["22"]'),
        DEFAULT.replace('"grants"', '"groups": {}, "grants"'),
        DEFAULT.replace('"check"', '"accept"'),
        "{}",
        "[]",
        "{",
        "",
    ],
)
def test_any_other_policy_does_not(policy: str) -> None:
    assert not looks_untouched(policy)


def test_a_policy_is_replaced_only_where_it_is_the_one_that_was_read() -> None:
    with serve(text("{'new'}", '"def"')) as server:
        assert client(server).put_policy("{'new'}", BEFORE) == Policy("{'new'}", "def", untouched=False)
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/v2/tailnet/-/acl", b"{'new'}")
    assert asked.headers["If-Match"] == '"abc"'
    assert asked.headers["Content-Type"] == "application/hujson"


def test_of_one_that_looks_untouched_the_server_decides_whether_it_is() -> None:
    with (
        serve(Answer(412, {"message": "precondition failed, invalid old hash"})) as server,
        pytest.raises(Stale, match="it is not the one that Tailscale made; nothing was replaced"),
    ):
        client(server).put_policy("{}", replace(BEFORE, untouched=True))
    assert server.asked[0].headers["If-Match"] == '"ts-default"'


def test_one_that_was_not_read_from_it_is_never_replaced() -> None:
    with serve(text("{}")) as server, pytest.raises(Stale, match="got one without an ETag"):
        client(server).put_policy("{}", Policy("", etag="", untouched=False))
    assert server.asked == []


@pytest.mark.parametrize("lost", [Answer(cut=True), Answer(502, b"bad gateway")], ids=["cut", "502"])
def test_where_the_answer_is_lost_the_policy_in_force_says_that_it_was_done(lost: Answer) -> None:
    with serve(lost, text("{'new'}\n", '"def"')) as server:
        assert client(server).put_policy("{'new'}", BEFORE) == Policy("{'new'}\n", "def", untouched=False)
    assert [asked.method for asked in server.asked] == ["POST", "GET"]


def test_where_the_answer_is_lost_and_it_was_not_done_that_is_told() -> None:
    with serve(Answer(cut=True), text("{}")) as server, pytest.raises(Unreachable):
        client(server).put_policy("{'new'}", BEFORE)
    assert [asked.method for asked in server.asked] == ["POST", "GET"]


FAILED = {"message": "test(s) failed", "data": [{"user": "a@b.c", "errors": ['address "2.2.2.2:22": want: Drop']}]}


@pytest.mark.parametrize("status", [200, 400])
def test_a_policy_that_fails_its_tests_is_told_in_the_servers_words(status: int) -> None:
    with (
        serve(Answer(status, FAILED)) as server,
        pytest.raises(InvalidPolicy, match=r'it says: test\(s\) failed: a@b.c: address "2.2.2.2:22": want: Drop'),
    ):
        client(server).check_policy("{}")


def test_so_it_is_where_it_is_refused_only_as_it_is_put() -> None:
    with serve(Answer(400, FAILED)) as server, pytest.raises(InvalidPolicy, match=r"a@b.c: address"):
        client(server).put_policy("{}", BEFORE)


def test_a_policy_that_can_not_be_read_is_told_in_the_servers_words() -> None:
    with (
        serve(Answer(body={"message": 'src=tag not found: "tag:a"'})) as server,
        pytest.raises(InvalidPolicy, match='src=tag not found: "tag:a"'),
    ):
        client(server).check_policy("{}")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"message": "", "data": null}'])
def test_a_policy_that_passes_is_silent(body: bytes) -> None:
    with serve(Answer(body=body)) as server:
        assert client(server).check_policy("{}") == ()


def test_a_warning_is_no_failure() -> None:
    warned = {"message": "warning(s) found", "data": [{"user": "group:a", "warnings": ["group is not syncing"]}]}
    with serve(Answer(body=warned)) as server:
        assert client(server).check_policy("{}") == ("group:a: group is not syncing",)


DEVICE = {
    "addresses": ["100.64.0.1", "fd7a:115c:a1e0::1"],
    "id": "92960230385",
    "nodeId": "n292kg92CNTRL",
    "name": "m0-1.tailfe8c.ts.net",
    "hostname": "m0",
    "created": "",
    "tags": ["tag:node"],
    "isExternal": False,
    "isEphemeral": True,
    "connectedToControl": False,
    "advertisedRoutes": ["10.42.0.0/24"],
    "enabledRoutes": [],
}


def test_a_device_is_read() -> None:
    with serve(Answer(body={"devices": [DEVICE]})) as server:
        assert client(server).devices() == (
            Device(
                id="n292kg92CNTRL",
                name="m0-1",
                hostname="m0",
                addresses=("100.64.0.1", "fd7a:115c:a1e0::1"),
                tags=("tag:node",),
                online=False,
                ephemeral=True,
                advertised_routes=("10.42.0.0/24",),
                enabled_routes=(),
            ),
        )
    assert server.asked[0].path == "/api/v2/tailnet/-/devices?fields=all"


def test_a_device_of_another_tailnet_is_no_member() -> None:
    with serve(Answer(body={"devices": [{**DEVICE, "isExternal": True}]})) as server:
        assert client(server).devices() == ()


@pytest.mark.parametrize(("seen", "online"), [({}, True), ({"lastSeen": "2026-01-01T00:00:00Z"}, False)])
def test_a_device_that_was_never_away_is_online(seen: dict[str, str], online: bool) -> None:
    device = {name: value for name, value in DEVICE.items() if name != "connectedToControl"} | seen
    with serve(Answer(body={"devices": [device]})) as server:
        assert client(server).devices()[0].online is online


def test_a_key_is_not_asked_for_twice() -> None:
    with serve(Answer(cut=True)) as server, pytest.raises(Unreachable):
        client(server).create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    assert len(server.asked) == 1


def test_half_an_answer_with_a_key_in_it_is_told_without_the_key() -> None:
    with serve(Answer(body=b'{"key": "tskey-auth-secret", "capabilities": {')) as server, pytest.raises(Broken) as told:
        client(server).create_key(("tag:node",), ephemeral=False, expiry_seconds=600)
    assert "tskey-auth-secret" not in str(told.value)


def test_only_auth_keys_that_are_good_count() -> None:
    create = {"reusable": True, "ephemeral": False, "preauthorized": True, "tags": ["tag:node"]}
    capabilities = {"devices": {"create": create}}
    good = {"id": "k1", "keyType": "auth", "description": "dev access", "capabilities": capabilities}
    listed = [
        good,
        {"id": "k2", "keyType": "client", "scopes": ["all"]},
        {"id": "k3", "keyType": "api"},
        {**good, "id": "k4", "invalid": True},
        {"id": "k5"},
    ]
    with serve(Answer(body={"keys": listed})) as server:
        assert client(server).keys() == (
            AuthKey("k1", ("tag:node",), reusable=True, ephemeral=False, description="dev access"),
            AuthKey("k5", (), reusable=False, ephemeral=False),
        )
    assert server.asked[0].path == "/api/v2/tailnet/-/keys?all=true"


def test_what_is_gone_already_is_deleted() -> None:
    with serve(Answer(404, {"message": "not found"})) as server:
        client(server).delete_device("n/1")
        client(server).delete_key("k1")
    assert [asked.path for asked in server.asked] == ["/api/v2/device/n%2F1", "/api/v2/tailnet/-/keys/k1"]


BARE = Dns(magic=False, nameservers=(), search_paths=(), split={})


def test_nothing_is_asked_where_no_name_changes() -> None:
    with serve(Answer()) as server:
        client(server).put_dns(BARE, BARE)
    assert server.asked == []


def test_a_domain_of_others_stays_as_it_is() -> None:
    before = replace(BARE, split={"theirs.test": ("10.0.0.1",), "old.test": ("10.0.0.2",)})
    wanted = replace(BARE, split={"theirs.test": ("10.0.0.1",), "ours.test": ("10.0.0.3",)})
    with serve(Answer()) as server:
        client(server).put_dns(wanted, before)
    assert [(asked.method, asked.path) for asked in server.asked] == [("PATCH", "/api/v2/tailnet/-/dns/split-dns")]
    assert server.asked[0].body == b'{"old.test": null, "ours.test": ["10.0.0.3"]}'
