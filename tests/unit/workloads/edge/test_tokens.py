"""Tokens are told apart by their hashes, and each refusal has its status."""

import hashlib

import pytest

from workloads.edge.errors import Forbidden, Unauthorized, answer
from workloads.edge.tokens import bearer, check, matches

MINE, OTHER = (hashlib.sha256(token).hexdigest() for token in (b"mine", b"other"))


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer mine", "mine"), ("bearer  mine ", "mine"), ("Basic mine", ""), ("mine", ""), ("", ""), ("Bearer", "")],
)
def test_a_bearer_token_is_read(header: str, token: str) -> None:
    assert bearer(header) == token


def test_an_allowed_token_passes() -> None:
    check("mine", [OTHER, MINE], [OTHER, MINE])


def test_no_token_is_unauthorized() -> None:
    with pytest.raises(Unauthorized, match="got none"):
        check("", [MINE], [MINE])


def test_an_unknown_token_is_unauthorized() -> None:
    with pytest.raises(Unauthorized, match="got another"):
        check("unknown", [MINE], [MINE, OTHER])


def test_a_token_for_something_else_is_forbidden() -> None:
    with pytest.raises(Forbidden):
        check("other", [MINE], [MINE, OTHER])


def test_a_refusal_names_its_scheme() -> None:
    status, headers, _ = answer(Unauthorized("no"))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")


def test_no_hash_matches_nothing() -> None:
    assert not matches("mine", [])


def test_bytes_that_are_no_text_match_nothing() -> None:
    assert not matches("\udcff", [MINE])
