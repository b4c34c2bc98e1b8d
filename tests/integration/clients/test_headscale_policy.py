"""headscale's policy: examined before it is put, never put over another's, back to none where there was none."""

import pytest

from homespun.clients.errors import InvalidPolicy, Stale
from homespun.clients.headscale import Headscale as Client
from homespun.clients.tailnet import Policy
from tests.integration.parts.headscale import Headscale

POLICY = """{ // für uns
  "hosts": {"m0": "100.64.0.1", "m1": "100.64.0.2"},
  "acls": [{"action": "accept", "src": ["m0"], "dst": ["m1:22"]}],
  "tests": [{"src": "m0", "accept": ["m1:22"], "deny": ["m1:80"]}],
}
"""
FAILING = POLICY.replace('"deny": ["m1:80"]', '"deny": ["m1:22"]')


def test_a_policy_is_kept_as_it_is_written(headscale: Headscale, client: Client) -> None:
    before = client.policy()
    assert before == Policy("", etag="", untouched=True)
    assert client.check_policy(POLICY) == ()
    assert client.put_policy(POLICY, before) == client.policy() == Policy(POLICY, etag="", untouched=False)
    assert headscale.run("policy", "get").strip() == POLICY.strip()


def test_a_policy_whose_tests_fail_is_refused_before_it_is_put(client: Client) -> None:
    with pytest.raises(InvalidPolicy, match=r"test\(s\) failed:\nm0 -> m1:22: expected DENIED, got ALLOWED"):
        client.check_policy(FAILING)
    assert client.policy().untouched


def test_and_as_it_is_put(client: Client) -> None:
    before = client.put_policy(POLICY, client.policy())
    with pytest.raises(InvalidPolicy, match="expected DENIED, got ALLOWED"):
        client.put_policy(FAILING, before)
    assert client.policy() == before


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{", "unexpected EOF"),
        ('{"nosuch": 1}', 'unknown field: "nosuch"'),
        ('{"acls": [{"action": "accept", "src": ["tag:a"], "dst": ["*:*"]}]}', 'tag not found: "tag:a"'),
        ('{"tagOwners": {"tag:a": ["autogroup:admin"]}}', "invalid owner format"),
    ],
)
def test_a_policy_that_can_not_be_read_is_refused_in_its_words(client: Client, policy: str, words: str) -> None:
    with pytest.raises(InvalidPolicy, match=words):
        client.check_policy(policy)


def test_a_test_of_a_tag_fails_until_a_device_has_it(client: Client) -> None:
    policy = """{
      "tagOwners": {"tag:a": []},
      "acls": [{"action": "accept", "src": ["tag:a"], "dst": ["tag:a:22"]}],
      "tests": [{"src": "tag:a", "accept": ["tag:a:22"]}],
    }"""
    with pytest.raises(InvalidPolicy, match='source "tag:a" resolved to no IP addresses'):
        client.check_policy(policy)


def test_what_somebody_changed_meanwhile_is_not_overwritten(headscale: Headscale, client: Client) -> None:
    before = client.policy()
    theirs = headscale.folder / "theirs.hujson"
    theirs.write_text('{"acls": []}')
    headscale.run("policy", "set", "--file", str(theirs))
    with pytest.raises(Stale, match="nothing was replaced"):
        client.put_policy(POLICY, before)
    assert client.policy().text == '{"acls": []}'


def test_where_there_was_none_there_can_be_none_again(client: Client) -> None:
    before = client.policy()
    client.put_policy(before.text, client.put_policy(POLICY, before))
    assert client.policy() == before
