"""Every error is an answer with a status and a body of its own."""

import json

from workloads.edge import errors


def _all(kind: type[errors.EdgeError]) -> list[type[errors.EdgeError]]:
    return [found for child in kind.__subclasses__() for found in (child, *_all(child))]


def test_every_error_has_a_status_of_its_own() -> None:
    kinds = [kind for kind in _all(errors.EdgeError) if kind is not errors.Internal]
    assert len({kind.status for kind in kinds}) == len(kinds)
    assert all(400 <= kind.status < 600 and kind.status != 500 for kind in kinds)


def test_a_body_has_the_text_and_the_kind() -> None:
    status, headers, body = errors.answer(errors.NotFound("no such model"))
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body) == {"error": "no such model", "error_type": "not_found"}


def test_what_is_loading_says_when_to_come_back() -> None:
    status, headers, body = errors.answer(errors.NotReady("loading", 2.4))
    assert (status, headers["retry-after"]) == (503, "2")
    assert json.loads(body)["estimated_time"] == 2.4
