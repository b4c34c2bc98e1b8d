"""Which objects a source is, and what an S3 server's refusals mean."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError
from urllib3.exceptions import SSLError

from tests.unit.workloads.vectors.test_ingestion import INGESTION
from workloads.vectors.ingest import bucket
from workloads.vectors.ingest.bucket import Object, broken_tls, failure, location, shown
from workloads.vectors.ingest.errors import Changed, SettingsError, Unavailable


def test_a_uri_is_a_bucket_and_a_pattern() -> None:
    assert location("s3://my.library/papers/*.jsonl") == ("my.library", "papers/*.jsonl")


@pytest.mark.parametrize("uri", ["s3://", "s3://library", "s3://library/", "s3://../x", "s3://A/x", "s3://library/x/"])
def test_a_uri_that_names_no_objects_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match=r"expected s3://bucket/folder/\*\.jsonl"):
        location(uri)


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> list[Object]:
    """What the server lists."""
    listed: list[Object] = []
    server = SimpleNamespace(place="bucket library at http://home", list=lambda prefix, deep: iter(listed))
    monkeypatch.setattr(bucket, "_bucket", lambda *asked: server)
    return listed


def find(**change: Any) -> list[str]:
    found = bucket.find(replace(INGESTION, **{"source": "s3://library/papers/*.jsonl", **change}))
    return [one.key for one in found.objects]


def test_objects_come_by_key_and_a_folders_marker_is_none(listing: list[Object]) -> None:
    listing += [Object(key, 1, "", "") for key in ("papers/b.jsonl", "papers/", "papers/a.jsonl", "papers/x.txt")]
    assert find() == ["papers/a.jsonl", "papers/b.jsonl"]
    assert find(source="s3://library/papers/**") == ["papers/a.jsonl", "papers/b.jsonl", "papers/x.txt"]


def test_a_source_without_objects_is_told_what_is_there(listing: list[Object]) -> None:
    with pytest.raises(SettingsError, match=r"found none; of what begins with 'papers/', bucket .* holds nothing"):
        find()
    listing.append(Object("papers/a.json", 1, "", ""))
    with pytest.raises(SettingsError, match=r"holds 'papers/a\.json'"):
        find()


def test_a_list_that_does_not_end_is_refused(listing: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "MAX_LISTED", 3)
    listing += [Object(f"papers/{number}.jsonl", 1, "", "") for number in range(3)]
    assert len(find()) == 3
    listing.append(listing[0])
    with pytest.raises(SettingsError, match="expected at most 3 keys that begin with 'papers/', found more"):
        find()


def test_an_object_is_another_with_another_key_size_or_content() -> None:
    one = Object("a", 1, '"x"', "2026-01-01")
    assert one.identity == Object("a", 1, '"x"', "2026-02-02").identity
    others = [
        Object("b", 1, '"x"', "2026-01-01"),
        Object("a", 2, '"x"', "2026-01-01"),
        Object("a", 1, '"y"', "2026-01-01"),
        Object("a", 1, "", "2026-01-01"),
        Object("a", 1, "", "2026-02-02"),
    ]
    assert len({one.identity, *(other.identity for other in others)}) == 6


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (403, "SignatureDoesNotMatch", SettingsError, "expected the key of source.s3.credentials to be let in"),
        (403, "RequestTimeTooSkewed", SettingsError, "clock"),
        (404, "NoSuchBucket", SettingsError, "expected a bucket, found none (404 NoSuchBucket); make it"),
        (400, "AuthorizationHeaderMalformed", SettingsError, "source.s3.region"),
        (405, "MethodNotAllowed", SettingsError, "found 405 MethodNotAllowed"),
        (501, "NotImplemented", SettingsError, "found 501"),
        (503, "SlowDown", Unavailable, "bucket library: 503 SlowDown"),
    ],
)
def test_a_refusal_says_what_to_do_and_whether_another_try_may_help(
    status: int, code: str, kind: type[Exception], told: str
) -> None:
    found = failure("bucket library", True, status, code)
    assert type(found) is kind
    assert told in str(found)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "NoSuchKey"), (412, "PreconditionFailed"), (404, "404"), (412, "412"), (412, "")]
)
def test_an_object_that_was_listed_and_is_another_one_now_is_listed_anew(status: int, code: str) -> None:
    """botocore makes a code of the status where an answer has no body."""
    assert type(failure("bucket library", True, status, code, listed=True)) is Changed
    assert type(failure("bucket library", True, status, code)) is SettingsError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:992)",
         "found one that does not (self-signed certificate); see"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:992)",
         "found one that does not (certificate has expired); see"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:992)", "found one that does not; see"),
        ("hostname 'home' doesn't match 'elsewhere'", "found one that does not (host name); see"),
        ("no appropriate subjectAltName fields were found", "found one that does not (host name); see"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)", "expected TLS, found a server without; give"),
    ],
)  # fmt: skip
def test_a_certificate_that_does_not_hold_is_told_with_its_reason(said: str, told: str) -> None:
    found = broken_tls("bucket library", f"SSL validation failed for https://home/?X-Amz-Signature=secret {said}")
    assert type(found) is SettingsError
    assert told in str(found)
    assert "secret" not in str(found)
    assert "http://" in str(found)


def test_a_connection_that_breaks_is_tried_again() -> None:
    assert type(broken_tls("bucket library", "[SSL] record layer failure (_ssl.c:992)")) is Unavailable


@dataclass
class Body:
    """Of an answer; it breaks off in its midst as often as is wanted."""

    content: bytes
    breaks: list[Exception]

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        yield self.content[:2]
        if self.breaks:
            raise self.breaks.pop()
        yield self.content[2:]


@dataclass
class Client:
    """Of a bucket whose objects are all the same."""

    breaks: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get_object(self, **asked: str) -> dict[str, Body]:
        self.asked.append(asked["Key"])
        return {"Body": Body(b"12345", self.breaks)}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    return pauses


def broken(times: int) -> list[Exception]:
    kinds = (
        ResponseStreamingError(error="broken"),
        SSLError("broken"),
        IncompleteReadError(actual_bytes=2, expected_bytes=5),
    )
    return [kinds[number % len(kinds)] for number in range(times)]


def test_an_object_that_breaks_off_is_fetched_again_and_no_other_is(tmp_path: Path, slept: list[float]) -> None:
    client = Client(broken(2))
    objects = bucket.Objects(
        bucket.Bucket("b", "bucket b", client, signed=True), (Object("a", 5, "", ""), Object("b", 5, "", ""))
    )
    source = objects.fetch(tmp_path)
    assert [file.read_bytes() for file in source.names] == [b"12345", b"12345"]
    assert len(client.asked) == 4
    assert len(slept) == 2


def test_one_that_always_breaks_off_is_for_the_next_run(tmp_path: Path, slept: list[float]) -> None:
    client = Client(broken(99))
    with pytest.raises(Unavailable, match="bucket b: expected an answer, found none"):
        bucket.Bucket("b", "bucket b", client, signed=True).get(Object("a", 5, "", ""), tmp_path / "a")
    assert slept == sorted({*slept}) == list(bucket.PAUSES)
    assert len(client.asked) == len(slept) + 1


def test_one_that_was_changed_is_not_asked_for_again(tmp_path: Path, slept: list[float]) -> None:
    answer = {"Error": {"Code": "412"}, "ResponseMetadata": {"HTTPStatusCode": 412}}
    client = Client(breaks=[ClientError(answer, "GetObject")])
    with pytest.raises(Changed):
        bucket.Bucket("b", "bucket b", client, signed=True).get(Object("a", 5, "", ""), tmp_path / "a")
    assert not slept


def test_a_source_leaves_as_much_as_it_takes_or_what_a_kubelet_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket.room(10, disk=1000) == 80
    assert bucket.room(100, disk=1000) == 550
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=1000, free=39))
    objects = bucket.Objects(bucket.Bucket("b", "bucket b", Client(), signed=True), (Object("a", 5, "", ""),))
    with pytest.raises(Unavailable, match=r"expected 40 bytes free .* and a margin, found 39; make room"):
        objects.fetch(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=1000, free=40))
    assert len(objects.fetch(tmp_path).names) == 1


class WebServer(ThreadingHTTPServer):
    """It answers everything alike."""

    answer: tuple[int, dict[str, str], bytes] = (404, {}, b"")


class Answer(BaseHTTPRequestHandler):
    """To one request."""

    def do_GET(self) -> None:
        assert isinstance(self.server, WebServer)
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    """One that is no S3 server."""
    server = WebServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


HTML = {"content-type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><title>Welcome<br></title>"


@pytest.mark.parametrize(
    "answer",
    [(200, HTML, PAGE), (200, HTML, b"<html/>"), (404, HTML, PAGE), (404, {}, b""), (400, {}, b"{}"),
     (301, {"location": "/"}, b""), (302, {"location": "/login"}, PAGE)],
    ids=["page", "xhtml", "no-page", "nothing", "json", "circle", "login"],
)  # fmt: skip
def test_a_web_server_that_is_no_s3_server_is_told_apart(
    web_server: WebServer, answer: tuple[int, dict[str, str], bytes]
) -> None:
    web_server.answer = answer
    with pytest.raises(SettingsError, match=r"expected an S3 server, found another one.*; name its S3 port in source"):
        find(endpoint=f"http://127.0.0.1:{web_server.server_port}")


def test_one_who_is_nobody_is_told_so_and_a_servers_words_stay_words() -> None:
    found = str(failure("bucket library", False, 403, "Access\nDenied <script>"))
    assert "as there are no source.s3.credentials" in found
    assert "403 AccessDeniedscript" in found


def test_a_key_in_a_message_ends_where_it_ends() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 1000)) < 110
