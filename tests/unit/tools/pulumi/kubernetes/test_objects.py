"""What an object says about itself."""

import base64
from typing import Any

from tools.pulumi.kubernetes import objects
from tools.pulumi.kubernetes.values import UNKNOWN

LIVE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "managedFields": [{}]},
    "data": {"password": "aHVudGVyMjI="},
}


def test_outputs_leave_out_what_changes_although_nobody_changes_it() -> None:
    outputs = objects.outputs(LIVE, "manager")
    assert outputs["metadata"] == {"name": "a", "namespace": "n", "uid": "u"}
    assert (outputs["__fieldManager"], outputs["__initialApiVersion"]) == ("manager", "v1")
    assert LIVE["metadata"]["resourceVersion"] == "7"


def test_what_is_sent_holds_nothing_of_the_engines() -> None:
    assert objects.manifest({"kind": "A", "__fieldManager": "m", "status": {}}) == {"kind": "A"}


def test_an_object_is_known_by_namespace_and_name() -> None:
    assert objects.identity(LIVE) == "n/a"
    assert objects.title({"kind": "Node", "metadata": {"name": "m0"}}) == "Node m0"
    assert objects.bare(LIVE) == {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "n"}}


def test_the_data_of_a_secret_is_secret_whatever_the_program_says() -> None:
    assert objects.secret_paths(LIVE, frozenset()) == {("data",)}
    assert objects.secret_paths(LIVE, frozenset({("data", "password")})) == {("data",)}
    applied = {**LIVE, "metadata": {"annotations": {objects.LAST_APPLIED: "{}"}}}
    assert ("metadata", "annotations", objects.LAST_APPLIED) in objects.secret_paths(applied, frozenset())
    assert objects.secret_paths({**LIVE, "kind": "ConfigMap"}, frozenset({("x",)})) == {("x",)}


def test_a_dry_run_says_nothing_of_what_only_a_real_creation_decides() -> None:
    dry = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "uid": "made up"},
        "spec": {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "type": "ClusterIP"},
        "status": {},
    }
    foreseen = objects.foreseen(dry, {"spec": {}})
    assert foreseen["metadata"] == {"name": "s"}
    assert foreseen["spec"] == {"clusterIP": UNKNOWN, "clusterIPs": UNKNOWN, "type": "ClusterIP"}
    assert "status" not in foreseen


def test_a_secrets_data_is_read_as_text_where_it_is_text() -> None:
    binary = base64.b64encode(b"\xff\xfe").decode()
    assert objects.decoded_data({"data": {"a": "aHVudGVyMjI=", "b": binary}}) == {"a": "hunter22"}


def test_annotations_of_pulumi_are_read_and_others_are_not() -> None:
    obj = {"metadata": {"annotations": {"pulumi.com/skipAwait": "true", "skipAwait": "false"}}}
    assert objects.annotation(obj, "skipAwait") == "true"
    assert objects.annotation({}, "skipAwait") == ""
    assert objects.annotation({"metadata": UNKNOWN}, "skipAwait") == ""
