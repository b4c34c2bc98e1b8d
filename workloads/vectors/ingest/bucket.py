"""Where records come from: objects in a bucket, of any server that speaks S3.

    listed ─▶ told from the last run's by key, size and ETag ─▶ fetched into the pod's scratch

An object's key is whatever somebody called it. It is matched, shown and asked for as it is, and never becomes a path.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from workloads.vectors.ingest.errors import Changed, SettingsError, Unavailable
from workloads.vectors.ingest.patterns import matcher, scope
from workloads.vectors.ingest.source import Source
from workloads.vectors.ingestion import ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY, Ingestion

MAX_LISTED: Final = 100_000
"""Keys of a bucket that are looked at: a hundred requests."""
AT_ONCE: Final = 8
"""Objects that are fetched at once."""
BLOCK: Final = 2**20
"""Bytes of an object that are held at a time."""
ROOM: Final = 4
"""Times a source's size that the scratch has to have free: its files, and what Spark lays down of them at each step."""
MARGIN_PERCENT: Final = 15
"""Of the disk, that a source leaves free, or as much as it takes if that is less: below it a kubelet evicts pods if it
is not told otherwise (https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/)."""
SHOWN: Final = 8
"""Names of a message."""
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
TRIES: Final = 5
"""Of one request, with pauses of seconds; what lasts longer is for the Job's next try."""
PAUSES: Final = (1.0, 4.0, 16.0)
"""Seconds before an object that broke off is fetched again; the others go on meanwhile, and none is lost by it."""
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
CHANGED: Final = frozenset({404, 412})
"""What is answered for an object that is another one by now than the one that was listed; not every server says why."""
ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
)
"""What is said to a request that was signed for another region than the bucket's."""
REDIRECTS: Final = frozenset({301, 302, 307})
REGION_HEADER: Final = "x-amz-bucket-region"
NO_S3: Final = "{}: expected an S3 server, found another one{}; name its S3 port in source.s3.endpoint"
CERTIFICATE: Final = (
    "expected a certificate that holds for it, found one that does not{}; see that a publicly known authority gave it,"
    " that it names this host, that it has not expired, and that the node's clock is right"
)
TLS: Final = {
    "CERTIFICATE_VERIFY_FAILED": CERTIFICATE,
    "doesn't match": CERTIFICATE.format(" (host name)"),  # urllib3's words: it compares the names itself
    "no appropriate subjectAltName": CERTIFICATE.format(" (host name)"),
    "WRONG_VERSION_NUMBER": "expected TLS, found a server without; give it a certificate",
}
"""What OpenSSL or urllib3 call it, in our words: no other try can help."""


@dataclass(frozen=True)
class Object:
    """One object, as the list has it."""

    key: str
    size: int
    etag: str
    """'' where the server has none: of a file that came to it otherwise than by S3."""
    modified: str
    """When, ISO 8601."""

    @property
    def identity(self) -> str:
        """Changes with its name and content."""
        return f"{self.key}\0{self.size}\0{self.etag or self.modified}"


@dataclass(frozen=True)
class Bucket:
    """A bucket, as it is asked."""

    name: str
    place: str
    """How messages call it."""
    client: Any
    signed: bool
    """Whether it is asked with a key."""

    def list(self, prefix: str, deep: bool) -> Iterator[Object]:
        """What begins with a prefix; if not `deep`, what goes on after a further slash only as far as that slash.

        Raises SettingsError, Unavailable.
        """
        within = {} if deep else {"Delimiter": "/"}
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, **within)
        with _failures(self):
            for page in pages:
                for entry in page.get("Contents", ()):
                    modified = entry["LastModified"].isoformat()
                    yield Object(entry["Key"], int(entry["Size"]), entry.get("ETag", ""), modified)
                for entry in page.get("CommonPrefixes", ()):
                    yield Object(entry["Prefix"], 0, "", "")

    def get(self, wanted: Object, file: Path) -> None:
        """Bring an object, just as it was listed, into a file, if need be by a few tries.

        Raises SettingsError, Unavailable, Changed.
        """
        for pause in PAUSES:
            try:
                return self._get(wanted, file)
            except Changed:
                raise
            except Unavailable:
                time.sleep(pause)
        return self._get(wanted, file)

    def _get(self, wanted: Object, file: Path) -> None:
        same = {"IfMatch": wanted.etag} if wanted.etag else {}
        with _failures(self, listed=True), file.open("wb") as target:
            answer = self.client.get_object(Bucket=self.name, Key=wanted.key, **same)
            for block in answer["Body"].iter_chunks(BLOCK):
                target.write(block)
        if (size := file.stat().st_size) != wanted.size:
            raise Unavailable(f"{self.place}: expected {wanted.size} bytes of {shown(wanted.key)}, got {size}")


@dataclass(frozen=True)
class Objects:
    """A `source.Listing`: the objects of an ingestion, in the order of their keys."""

    bucket: Bucket
    objects: tuple[Object, ...]

    @property
    def size(self) -> int:
        """Bytes, of all objects."""
        return sum(one.size for one in self.objects)

    def identities(self) -> Iterator[str]:
        """Key, size and ETag of each object."""
        return (one.identity for one in self.objects)

    def fetch(self, scratch: Path) -> Source:
        """All of them, under names of ours. Raises SettingsError, Unavailable."""
        disk = shutil.disk_usage(scratch)
        if disk.free < (needed := room(self.size, disk.total)):
            raise Unavailable(
                f"{self.bucket.place}: expected {needed} bytes free on the disk of this pod's node, for objects of"
                f" {self.size} and a margin, found {disk.free}; make room there, or name fewer of them in source.uri"
            )
        files = {scratch / f"{number:06d}.jsonl": one for number, one in enumerate(self.objects)}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = [pool.submit(self.bucket.get, one, file) for file, one in files.items()]
            try:
                for one in fetched:
                    one.result()
            finally:
                pool.shutdown(cancel_futures=True)
        return Source({file: one.key for file, one in files.items()})


def find(ingestion: Ingestion) -> Objects:
    """The objects of an `s3://` source. Raises SettingsError, Unavailable."""
    name, pattern = location(ingestion.source)
    bucket = _bucket(name, ingestion)
    prefix, deep = scope(pattern)
    listed = list(islice(bucket.list(prefix, deep), MAX_LISTED + 1))
    if len(listed) > MAX_LISTED:
        raise SettingsError(
            f"{ingestion.source}: expected at most {MAX_LISTED} keys that begin with {shown(prefix)}, found more;"
            " name a longer beginning"
        )
    wanted = matcher(pattern)
    found = sorted((one for one in listed if wanted.fullmatch(one.key)), key=lambda one: one.key)
    if not found:
        there = ", ".join(shown(one.key) for one in listed[:SHOWN])
        raise SettingsError(
            f"{ingestion.source}: expected objects, found none; of what begins with {shown(prefix)}, {bucket.place}"
            f" holds {there or 'nothing'}"
        )
    return Objects(bucket, tuple(found))


def room(size: int, disk: int) -> int:
    """Bytes that have to be free on a disk of so many for a source of `size`, with a margin."""
    taken = ROOM * size
    return taken + min(taken, disk * MARGIN_PERCENT // 100)


def location(uri: str) -> tuple[str, str]:
    """The bucket, and the pattern of the keys in it. Raises SettingsError."""
    bucket, _, pattern = uri.removeprefix(S3).partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) or not pattern or pattern.endswith("/"):
        raise SettingsError(f"{uri}: expected s3://bucket/folder/*.jsonl")
    return bucket, pattern


def shown(key: str) -> str:
    """A key in a message, where nothing that it is made of can be taken for more of it."""
    return repr(key if len(key) <= 100 else f"{key[:100]}…")


def failure(place: str, signed: bool, status: int, code: str, listed: bool = False) -> SettingsError | Unavailable:
    """What an S3 error means (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).

    `listed`: what was asked for is one object that the server itself had listed.
    """
    said = f"{status} {re.sub(r'[^A-Za-z0-9.]', '', code)[:60]}"
    if status in TRANSIENT or code == "SlowDown":
        return Unavailable(f"{place}: {said}")
    if listed and status in CHANGED:
        return Changed(f"{place}: an object was changed while it was fetched ({said}); the next try lists them anew")
    if code == "NoSuchBucket":
        return SettingsError(f"{place}: expected a bucket, found none ({said}); make it, or name another in source.uri")
    if code == "RequestTimeTooSkewed":
        return SettingsError(f"{place}: expected a clock like its own ({said}); set the node's clock, or the server's")
    if code in ELSEWHERE:
        return SettingsError(f"{place}: expected its own region ({said}); name that in source.s3.region")
    if code == str(status) and status not in (401, 403):  # botocore's word for an error without S3's
        return SettingsError(NO_S3.format(place, f" ({status})"))
    if status in (401, 403):
        who = "the key of source.s3.credentials" if signed else "anybody, as there are no source.s3.credentials,"
        return SettingsError(
            f"{place}: expected {who} to be let in, to list and to read, found {said}; mend the key in its Secret, or"
            " what the server allows"
        )
    return SettingsError(
        f"{place}: expected a bucket that can be listed and read, found {said}; see source.uri, and source.s3 for the"
        " endpoint and the key"
    )


def broken_tls(place: str, said: str) -> SettingsError | Unavailable:
    """What a failure of TLS means."""
    for reason, expected in TLS.items():
        if reason in said:
            # OpenSSL's reason is one of X509_verify_cert_error_string's fixed texts.
            why = re.search(r"certificate verify failed: ([A-Za-z][A-Za-z ,()-]{0,99}?) \(_ssl", said)
            found = expected.format(f" ({why[1]})" if why else "")
            return SettingsError(f"{place}: {found}, or an http:// address in source.s3.endpoint")
    return Unavailable(f"{place}: TLS failed")


@contextmanager
def _failures(bucket: Bucket, listed: bool = False) -> Iterator[None]:
    """A call of the client. Its own words can hold a signed request, so none of them are handed on."""
    try:
        yield
    except ClientError as error:
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        code = str(error.response["Error"].get("Code", ""))
        raise failure(bucket.place, bucket.signed, status, code, listed) from None
    except SSLError as error:
        raise broken_tls(bucket.place, str(error)) from None
    except ResponseParserError:
        raise SettingsError(NO_S3.format(bucket.place, "")) from None
    except (BotoCoreError, HTTPError) as error:  # a body may break off in urllib3's own words
        raise Unavailable(
            f"{bucket.place}: expected an answer, found none ({type(error).__name__}); see that the server runs and is"
            " reached from a pod, or name another source.s3.endpoint"
        ) from None


def _refuse_pages(event_name: str, response: tuple[Any, Any] | None, **_: Any) -> None:
    """Raises ResponseParserError for what no S3 server answers, and botocore would misread.

    A page for people in place of a list is a fault that passes to it, or an empty list. A redirect that names no region
    makes it ask for one, to be redirected again, until Python's stack is full.
    """
    if response is None:
        return
    answer, parsed = response
    status = answer.raw.status  # that of `answer` is what botocore has made of it
    html = str(answer.headers.get("content-type", "")).startswith("text/html")
    page = status == 200 and html and event_name.endswith(".ListObjectsV2")
    wordless = parsed.get("Error", {}).get("Code") == str(status)
    if page or (status in REDIRECTS and wordless and REGION_HEADER not in answer.headers):
        raise ResponseParserError


def _bucket(name: str, ingestion: Ingestion) -> Bucket:
    """The bucket, asked with what the environment has, and with nothing that the client would look for elsewhere."""
    keys = [os.environ.get(variable, "").strip() for variable in (ACCESS_KEY_ID, SECRET_ACCESS_KEY)]
    signed = any(keys)
    if signed and not all(key.isascii() and key.isprintable() and key for key in keys):
        raise SettingsError(
            "source.s3.credentials: expected two texts of visible ASCII characters in the Secret, found something else;"
            " write them into it anew"
        )
    config = Config(
        signature_version=None if signed else UNSIGNED,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=AT_ONCE,
        s3={"addressing_style": "path" if ingestion.endpoint else "auto"},  # a name at home has no subdomains
    )
    try:
        client = botocore.session.Session().create_client(
            "s3",
            region_name=ingestion.region or "us-east-1",
            endpoint_url=ingestion.endpoint or None,
            aws_access_key_id=keys[0] or None,
            aws_secret_access_key=keys[1] or None,
            config=config,
        )
    except ValueError:
        raise SettingsError(
            f"source.s3.endpoint: expected http://host:port or https://host:port, got {ingestion.endpoint}"
        ) from None
    client.meta.events.register_first("needs-retry.s3.*", _refuse_pages)
    return Bucket(name, f"bucket {name} at {ingestion.endpoint or 'Amazon S3'}", client, signed)
