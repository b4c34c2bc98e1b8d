"""The engine's wire values survive the way in and out, and secrets are never lost on it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.pulumi.kubernetes.values import (
    OUTPUT,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    decode,
    encode,
    has_unknown,
    outermost,
    redact,
)

KEYS = st.text("abc", min_size=1, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


@given(OBJECTS)
def test_json_comes_back_as_it_went(value: dict[str, Any]) -> None:
    assert decode(encode(value)).value == value


@given(OBJECTS)
def test_secrets_come_back_at_the_same_paths(value: dict[str, Any]) -> None:
    paths = frozenset((key,) for key in value)
    decoded = decode(encode(value, paths))
    assert decoded.value == value
    assert decoded.secrets == paths


def test_whole_numbers_are_ints_and_others_are_not() -> None:
    assert decode(encode({"a": 3.0, "b": 0.5})).value == {"a": 3, "b": 0.5}
    assert isinstance(decode(encode({"a": 3.0})).value["a"], int)


def test_secrets_within_lists_and_within_secrets_are_noted() -> None:
    wire = encode({"list": [{SIGNATURE: SECRET, "value": {"inner": {SIGNATURE: SECRET, "value": "x"}}}]})
    decoded = decode(wire)
    assert decoded.value == {"list": [{"inner": "x"}]}
    assert decoded.secrets == {("list", 0), ("list", 0, "inner")}
    assert encode(decoded.value, decoded.secrets) == wire


def test_an_output_is_its_value_or_unknown() -> None:
    outputs = {"a": {SIGNATURE: OUTPUT, "value": 1, "secret": True}, "b": {SIGNATURE: OUTPUT}}
    decoded = decode(encode(outputs))
    assert decoded.value == {"a": 1, "b": UNKNOWN}
    assert decoded.secrets == {("a",)}


def test_a_path_that_leads_nowhere_is_left_out() -> None:
    assert encode({"a": 1}, [("b",), ("a", 0), ("a", "c")]) == encode({"a": 1})


@pytest.mark.parametrize("value", [UNKNOWN, [UNKNOWN], {"a": {"b": [1, UNKNOWN]}}])
def test_an_unknown_is_found_at_any_depth(value: Any) -> None:
    assert has_unknown(value)
    assert not has_unknown({"a": ["b", 1, None]})


def test_of_nested_paths_the_outer_one_is_enough() -> None:
    assert outermost([("a",), ("a", "b"), ("c", 0)]) == {("a",), ("c", 0)}


def test_a_secret_that_a_message_quotes_is_blacked_out() -> None:
    value = {"data": {"password": "hunter22", "port": 5432}, "name": "hunter"}
    text = redact('Invalid value: "hunter22" for hunter at 5432', value, [("data",), ("gone",)])
    assert text == 'Invalid value: "[secret]" for hunter at [secret]'


def test_a_secret_that_is_too_short_to_be_one_leaves_messages_readable() -> None:
    assert redact("port 80 of a", {"a": "a", "b": 80}, [("a",), ("b",)]) == "port 80 of a"
