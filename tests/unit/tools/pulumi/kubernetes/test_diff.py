"""What differs between declared then, declared now and alive."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.pulumi.kubernetes import diff
from tools.pulumi.kubernetes.diff import Change

MANAGED = {"__fieldManager": "pulumi-kubernetes-1"}
JSON = st.recursive(
    st.booleans() | st.integers() | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(diff.differences(value, value)) == []
    assert diff.project(value, value) == value


def test_each_leaf_is_named_by_its_path() -> None:
    old = {"a": {"b": 1, "gone": 1}, "l": [1, {"x": 1}, 3], "t": 1}
    new = {"a": {"b": 2}, "l": [1, {"x": 2}], "t": {"now": "object"}, "dotted.key": 1}
    assert dict(diff.differences(old, new)) == {
        "a.b": Change.UPDATE,
        "a.gone": Change.DELETE,
        "l[1].x": Change.UPDATE,
        "l[2]": Change.DELETE,
        "t": Change.UPDATE,
        '["dotted.key"]': Change.ADD,
    }


def test_what_the_engine_alone_keeps_is_no_difference() -> None:
    old, new = {**MANAGED, "data": {}}, {"__fieldManager": "other", "data": {}}
    assert diff.declared_difference(old, new, "default") == {}


@pytest.mark.parametrize(
    ("was", "now", "differs"),
    [(None, "default", False), ("default", None, False), (None, "other", True), ("default", "other", True)],
)
def test_a_namespace_left_to_the_default_is_the_default(was: str | None, now: str | None, differs: bool) -> None:
    def obj(namespace: str | None) -> dict[str, Any]:
        return {**MANAGED, "metadata": {"name": "a", **({"namespace": namespace} if namespace else {})}}

    assert bool(diff.declared_difference(obj(was), obj(now), "default")) == differs


def test_of_an_imported_object_only_what_is_declared_counts() -> None:
    read = {"spec": {"replicas": 1, "strategy": {"type": "RollingUpdate"}}}
    assert diff.declared_difference(read, {"spec": {"replicas": 1}}, "default") == {}
    assert diff.declared_difference(read, {"spec": {"replicas": 2}}, "default") == {"spec.replicas": Change.UPDATE}


@pytest.mark.parametrize("path", ["apiVersion", "kind", "metadata.name", "metadata.namespace"])
def test_what_makes_another_object_replaces_it(path: str) -> None:
    assert diff.replacing({path: Change.UPDATE, "spec.a": Change.ADD}, {}, frozenset()) == {path}


def test_data_replaces_config_maps_and_secrets_unless_they_are_mutable() -> None:
    new = {"apiVersion": "v1", "kind": "ConfigMap"}
    changes = {"data.a": Change.ADD, "metadata.labels.b": Change.ADD}
    assert diff.replacing(changes, new, frozenset()) == {"data.a"}
    assert diff.replacing(changes, new, frozenset({"ConfigMap"})) == frozenset()
    assert diff.replacing(changes, {"apiVersion": "example.test/v1", "kind": "ConfigMap"}, frozenset()) == frozenset()


def test_a_refusal_replaces_for_the_fields_that_it_names_else_for_all() -> None:
    changes = {"spec.selector.app": Change.UPDATE, "spec.replicas": Change.UPDATE}
    assert diff.refused(changes, ("spec.selector",)) == {"spec.selector.app"}
    assert diff.refused(changes, ()) == set(changes)


def test_live_values_are_projected_onto_what_is_declared_and_items_matched_by_name() -> None:
    live = {"c": [{"name": "sidecar", "image": "s"}, {"name": "c", "image": "2", "defaulted": True}], "other": 1}
    declared = {"c": [{"name": "c", "image": "1"}], "gone": 1}
    assert diff.project(live, declared) == {"c": [{"name": "c", "image": "2"}]}


def test_a_list_of_another_length_is_taken_as_it_is() -> None:
    assert diff.project([1, 2], [1]) == [1, 2]


def test_a_changed_secret_shows_as_the_text_that_would_declare_it() -> None:
    inputs = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "old", "gone": "x"}, **MANAGED}
    live = {"kind": "Secret", "data": {"a": base64.b64encode(b"new").decode(), "b": "AAAA"}}
    assert diff.drifted(inputs, live) == {**inputs, "stringData": {"a": "new"}}


def test_objects_of_one_name_cannot_be_there_at_once() -> None:
    here = {"metadata": {"name": "a", "namespace": "n"}}
    assert diff.same_name(here, here)
    assert not diff.same_name(here, {"metadata": {"name": "b", "namespace": "n"}})
