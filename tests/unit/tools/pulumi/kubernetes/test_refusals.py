"""An API server's refusals, as they are worded."""

import pytest

from tools.pulumi.kubernetes.errors import Refused


@pytest.mark.parametrize(
    "message",
    [
        'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
        "spec: Forbidden: spec is immutable after creation except resources.requests",
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
        "roleRef: Invalid value: {}: cannot change roleRef",
    ],
)
def test_a_field_that_cannot_be_changed_in_place_is_told_from_a_wrong_one(message: str) -> None:
    assert Refused(422, "Invalid", message).immutable
    assert not Refused(422, "Invalid", "spec.replicas: Invalid value: -1: must be greater than or equal to 0").immutable
    assert not Refused(403, "Forbidden", message).immutable


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "too many requests"),
        (503, "apiserver is shutting down"),
        (500, 'Internal error occurred: failed calling webhook "w": connection refused'),
        (404, 'namespaces "later" not found'),
        (403, 'pods "a" is forbidden: error looking up service account ml/default: serviceaccount "default" not found'),
    ],
)
def test_what_passes_by_itself_is_worth_another_try(status: int, message: str) -> None:
    assert Refused(status, "", message).passing


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "forbidden: User cannot create"), (422, "invalid"), (404, 'widgets "a" not found'), (500, "panic")],
)
def test_what_does_not_pass_is_not_tried_again(status: int, message: str) -> None:
    assert not Refused(status, "", message).passing


def test_a_conflict_with_an_objects_old_self_is_told_from_one_with_somebody_else() -> None:
    ours = 'Apply failed with 1 conflict: conflict with "pulumi-kubernetes-1a2b3c4d": .spec.replicas'
    both = f'{ours}\nconflicts with "kubectl-patch" using v1:\n- .spec.paused'
    assert Refused(409, "Conflict", ours).conflicts_with_us
    assert not Refused(409, "Conflict", both).conflicts_with_us
    assert not Refused(409, "Conflict", "the object has been modified").conflicts_with_us
