"""Logs are JSON lines, and requests are named in them by what the client may name them."""

import json
import logging

import pytest

from workloads.edge.logs import JsonLines
from workloads.edge.requests import given_id


def test_a_line_is_json_with_what_was_added_to_it() -> None:
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "said %s", "args": ("so",), "model": "m"})
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["level"], line["logger"], line["model"]) == ("said so", "info", "n", "m")
    assert "args" not in line


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"x-request-id": b"mine-1"}, "mine-1"),
        ({b"x-amzn-trace-id": b"Root=1-67891233-abcdef"}, "Root=1-67891233-abcdef"),
        ({b"x-request-id": b"a b"}, ""),
        ({b"x-request-id": b"x" * 200}, ""),
        ({b"x-request-id": b"\xff"}, ""),
        ({}, ""),
    ],
)
def test_only_a_harmless_id_is_taken_over(headers: dict[bytes, bytes], expected: str) -> None:
    assert given_id(headers) == expected
