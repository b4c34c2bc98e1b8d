"""Bodies are bounded in size and time, and strict JSON."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.edge.bodies import MAX_BYTES, MAX_DEPTH, parse, read
from workloads.edge.errors import BodyTimeout, BodyTooLarge, InvalidRequest, UnsupportedEncoding


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_body_is_its_chunks() -> None:
    assert await read({}, _chunks(b"a", b"", b"b")) == b"ab"


async def test_a_body_that_announces_too_much_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        await read({"content-length": str(MAX_BYTES + 1)}, _chunks(b"a"))


async def test_a_body_that_grows_too_much_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        await read({}, _chunks(*[b"a" * 65536] * 33))


async def test_a_body_of_the_greatest_size_is_read() -> None:
    assert len(await read({"content-length": str(MAX_BYTES)}, _chunks(b"a" * MAX_BYTES))) == MAX_BYTES


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    with pytest.raises(BodyTimeout, match="got 1 bytes"):
        await read({}, never(), seconds=0.01)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        await read({"content-encoding": encoding}, _chunks(b"a"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_a_strict_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(body)


def test_depth_is_allowed_to_its_limit() -> None:
    nested = b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    assert parse(b'{"a": ' + nested + b"}")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(parse(body), dict)


@given(st.dictionaries(st.text(), st.text() | st.booleans() | st.lists(st.integers(-(2**53), 2**53))))
def test_every_plain_object_is_read(document: dict[str, object]) -> None:
    assert parse(json.dumps(document).encode()) == document
