"""A policy in use is never overwritten unseen, a bad one never put, and a lost answer is no lost policy."""

from dataclasses import replace

import pytest

from homespun.clients.errors import Broken, InvalidPolicy, Stale, Unreachable
from homespun.clients.tailscale import Tailscale
from tests.integration.parts.tailscale_api import DEFAULT_POLICY, Fault, Refusal, TailscaleApi

OURS = """{ // für uns
	"tagOwners": {"tag:node": [],},
	"acls": [{"action": "accept", "src": ["tag:node"], "dst": ["tag:node:22"],},],
	"tests": [{"src": "tag:node", "accept": ["tag:node:22"]}],
}
"""
FAILING = OURS.replace('"accept": ["tag:node:22"]', '"accept": ["tag:node:80"]')


def test_the_untouched_default_is_replaced_as_it_is_written(api: TailscaleApi, tailnet: Tailscale) -> None:
    before = tailnet.policy()
    assert (before.text, before.untouched) == (DEFAULT_POLICY, True)
    after = tailnet.put_policy(OURS, before)
    assert api.policy == OURS
    assert after == tailnet.policy()
    assert not after.untouched


def test_one_that_says_the_same_but_is_somebodys_is_not(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.edit(DEFAULT_POLICY)
    before = tailnet.policy()
    assert before.untouched
    with pytest.raises(Stale, match="precondition failed, invalid old hash: it is not the one that Tailscale made"):
        tailnet.put_policy(OURS, before)
    assert api.policy == DEFAULT_POLICY


def test_it_is_where_it_is_to_be_replaced_in_any_case(api: TailscaleApi, by_key: Tailscale) -> None:
    api.edit(DEFAULT_POLICY)
    by_key.put_policy(OURS, replace(by_key.policy(), untouched=False))
    assert api.policy == OURS


def test_what_somebody_changes_meanwhile_is_not_overwritten(api: TailscaleApi, tailnet: Tailscale) -> None:
    api.edit("{}")
    before = tailnet.policy()
    api.edit('{"acls": []}')
    with pytest.raises(Stale, match="it was changed since it was read; nothing was replaced"):
        tailnet.put_policy(OURS, before)
    assert api.policy == '{"acls": []}'


def test_a_policy_whose_tests_fail_is_refused_before_it_is_put(api: TailscaleApi, tailnet: Tailscale) -> None:
    with pytest.raises(
        InvalidPolicy, match=r'test\(s\) failed: tag:node: address "tag:node:80": want: Accept, got: Drop'
    ):
        tailnet.check_policy(FAILING)
    assert api.policy == DEFAULT_POLICY


def test_and_as_it_is_put(api: TailscaleApi, tailnet: Tailscale) -> None:
    with pytest.raises(InvalidPolicy, match="tag:node:80"):
        tailnet.put_policy(FAILING, tailnet.policy())
    assert api.policy == DEFAULT_POLICY


def test_one_that_can_not_be_read_is_refused_in_its_words(tailnet: Tailscale) -> None:
    with pytest.raises(InvalidPolicy, match="json: unknown field"):
        tailnet.check_policy('{"nosuch": 1}')


def test_one_that_passes_is_told_by_silence(tailnet: Tailscale) -> None:
    assert tailnet.check_policy(OURS) == ()


def test_where_the_answer_is_lost_it_is_put_once_and_known_to_be_there(api: TailscaleApi, tailnet: Tailscale) -> None:
    before = tailnet.policy()
    api.faults.append(Fault("POST", "/acl", lost=True))
    assert tailnet.put_policy(OURS, before).text == OURS
    assert api.version == 2
    assert api.asked.count(("POST", "/api/v2/tailnet/-/acl")) == 1


def test_where_it_failed_before_it_was_put_that_is_told(api: TailscaleApi, tailnet: Tailscale) -> None:
    before = tailnet.policy()
    api.faults.append(Fault("POST", "/acl", refusal=Refusal(502, "bad gateway")))
    with pytest.raises(Broken, match="502: bad gateway"):
        tailnet.put_policy(OURS, before)
    assert api.policy == DEFAULT_POLICY


def test_where_nobody_answers_any_more_that_is_told(api: TailscaleApi, by_key: Tailscale) -> None:
    before = by_key.policy()
    api.stop()
    with pytest.raises(Unreachable):
        by_key.put_policy(OURS, before)
    api.start()
