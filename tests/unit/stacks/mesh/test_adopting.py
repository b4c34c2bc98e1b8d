"""A policy that is somebody's stays theirs to the byte: our part is added, replaced, taken out, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun.clients import hujson
from stacks.mesh import marked, policy
from stacks.mesh.errors import MeshError

NETWORKS = ["10.42.0.0/16", "192.168.1.20/32"]
THEIRS = """// Ours since 2021; "grants": [] is in a comment
{
  "tagOwners": { // {
    "tag:nas": ["autogroup:admin"], // who may
  },
  "acls": [
    /* all of us ] */
    {"action": "accept", "src": ["autogroup:member"], "dst": ["tag:nas:*"]}
  ],
  "hosts": {"a}b": "10.0.0.1"}
}
"""
ADDED = """// Ours since 2021; "grants": [] is in a comment
{
  BEGIN
  "autoApprovers": {"routes": {"10.42.0.0/16": ["tag:homespun"], "192.168.1.20/32": ["tag:homespun"]}},
  END
  "tagOwners": {
    BEGIN
    "tag:homespun": [],
    END // {
    "tag:nas": ["autogroup:admin"], // who may
  },
  "acls": [
    BEGIN
    {"action": "accept", "src": RANGES, "dst": ["tag:homespun:*", "10.42.0.0/16:*", "192.168.1.20/32:*"]},
    END
    /* all of us ] */
    {"action": "accept", "src": ["autogroup:member"], "dst": ["tag:nas:*"]}
  ],
  "hosts": {"a}b": "10.0.0.1"}
}
"""


def added(text: str, networks: list[str] = NETWORKS, cluster: str = "home") -> str:
    return policy.added(text, cluster, networks)


def test_where_the_machines_have_names_members_devices_may_ask_for_them_and_for_what_nodes_show() -> None:
    text = policy.added('{"acls": []}', "home", NETWORKS, named=True)
    expected = {"action": "accept", "src": ["autogroup:member"], "dst": ["tag:homespun:53,30000-32767"]}
    assert said(text)["acls"] == [policy.rule("acls", sorted(NETWORKS)), expected]
    text = policy.added('{"grants": []}', "home", NETWORKS, named=True)
    assert said(text)["grants"][1]["ip"] == ["53", "30000-32767"]


def said(text: str) -> Any:
    return json.loads(hujson.standard(text))


def test_it_is_added_where_its_kind_is_and_all_else_stays_as_it_was_written() -> None:
    expected = ADDED.replace("BEGIN", marked.begin("home")).replace("END", marked.end("home"))
    expected = expected.replace("RANGES", '["tag:homespun", "10.42.0.0/16", "192.168.1.20/32"]')
    text = added(THEIRS)
    assert text == expected
    assert said(text)["tagOwners"] == {"tag:homespun": [], "tag:nas": ["autogroup:admin"]}


def test_another_network_is_put_in_the_place_of_ours_and_nothing_else_changes() -> None:
    assert added(added(THEIRS, ["10.99.0.0/16"])) == added(THEIRS)


def test_what_is_said_already_stays_theirs() -> None:
    theirs = '{"tagOwners": {"tag:homespun": []}, "grants": []}'
    text = added(theirs)
    assert '"tagOwners": {"tag:homespun": []}' in text
    assert marked.removed(text, "home") == theirs


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (
            '{"tagOwners": {"tag:homespun": ["a@example.com"]}, "acls": []}',
            r'tagOwners: tag:homespun: expected \[\], or none, so that ours can be added, found \["a@example.com"\]',
        ),
        (
            '{"autoApprovers": {"routes": {"10.42.0.0/16": ["tag:other"]}}, "acls": []}',
            r'autoApprovers.routes: 10.42.0.0/16: expected \["tag:homespun"\], or none.*found \["tag:other"\]',
        ),
        ('{"tagOwners": []}', "expected `grants` or `acls`, found neither"),
        ('{"tagOwners": [], "acls": []}', r"tagOwners: expected an object, found \[\]"),
        ('{"acls": {}}', "acls: expected a list, found {}"),
        ('{"acls": [], "ACLs": []}', "expected ACLs once, found it twice"),
        ("{", "expected HuJSON, found: "),
        ("[]", "expected an object, found list"),
        (f'{{"acls": [{marked.begin("home")}]}}', "line 1: expected this mark of Homespun's and its other half"),
        (f'{{"acls": [\n{marked.end("home")}]}}', "line 2: expected this mark"),
        (f'{{"acls": [{marked.begin("lab")}{marked.end("lab")}]}}', "expected no cluster in it but home, found lab"),
    ],
)
def test_what_can_not_be_added_to_is_refused_with_the_place(theirs: str, told: str) -> None:
    with pytest.raises(MeshError, match=told):
        added(theirs)


def test_sections_are_found_in_the_letters_of_old_policies_too() -> None:
    text = added('{"ACLs": [{"Action": "accept", "Users": ["*"], "Ports": ["*:*"]}], "TagOwners": {}}')
    assert list(said(text)) == ["autoApprovers", "ACLs", "TagOwners"]


def test_what_somebody_puts_before_ours_stays() -> None:
    mine = '// mine\n    {"action": "accept", "src": ["a"], "dst": ["b:1"]},\n    '
    text = added(THEIRS).replace(
        f'"acls": [\n    {marked.begin("home")}', f'"acls": [\n    {mine}{marked.begin("home")}'
    )
    left = marked.removed(text, "home")
    assert said(left)["acls"][0]["src"] == ["a"]
    assert "// mine" in left


def test_a_comment_that_somebody_puts_before_ours_hides_nothing_of_theirs() -> None:
    text = added('{"acls": []}').replace("[\n", "[\n// as in [\n", 1)
    assert marked.removed(text, "home") == '{"acls": [\n// as in [\n\t]}'


GAPS = st.sampled_from(["", "", " ", "\n", "\r\n\t", '// "{[\n', "/* ,}] */", "/* Homespun home */ "])
TEXTS = st.text(st.sampled_from('ab{}[]",:/*\\é'), max_size=6)
ENTRIES = st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=3)
RULES = st.lists(st.fixed_dictionaries({"src": st.lists(TEXTS, max_size=2), "dst": st.lists(TEXTS, max_size=2)}))
REST: dict[str, st.SearchStrategy[Any]] = {
    "tagOwners": ENTRIES,
    "hosts": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "ssh": RULES,
    "autoApprovers": st.fixed_dictionaries({}, optional={"routes": ENTRIES, "exitNode": st.lists(TEXTS)}),
}
POLICIES = st.sampled_from(["acls", "grants"]).flatmap(lambda kind: st.fixed_dictionaries({kind: RULES}, optional=REST))


@st.composite
def written(draw: st.DrawFn) -> str:
    """A policy as people write them: comments and line ends anywhere, commas at the end of lists."""

    def gap() -> str:
        return draw(GAPS)

    def lot(opening: str, entries: list[str], closing: str) -> str:
        comma = draw(st.sampled_from(["", ","])) if entries else ""
        return opening + gap() + f"{gap()},{gap()}".join(entries) + gap() + comma + gap() + closing

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return lot("{", [f"{json.dumps(name)}{gap()}:{gap()}{text(one)}" for name, one in value.items()], "}")
        if isinstance(value, list):
            return lot("[", [text(one) for one in value], "]")
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    return gap() + text(draw(POLICIES)) + gap()


@given(written(), st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True))
def test_whatever_is_written_there_ours_is_added_and_theirs_is_what_it_was(theirs: str, networks: list[str]) -> None:
    text = added(theirs, networks)
    before, after = said(theirs), said(text)
    rules = "grants" if "grants" in before else "acls"
    assert after["tagOwners"] == {policy.TAG: [], **before.get("tagOwners", {})}
    routes = before.get("autoApprovers", {}).get("routes", {})
    assert marked.value(after, policy.APPROVERS) or {**{one: [policy.TAG] for one in networks}, **routes} == {}
    assert after[rules] == [policy.rule(rules, sorted(networks)), *before[rules]]
    for other in set(before) - {"tagOwners", "autoApprovers", rules}:
        assert after[other] == before[other]
    assert added(text, networks) == text
    assert marked.removed(text, "home") == theirs
