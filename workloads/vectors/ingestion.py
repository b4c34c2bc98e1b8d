"""What the operator tells the job that fills a collection, and what the job tells back.

The operator renders one `Ingestion` into a file that the job mounts; the job leaves one `Report` as the termination
message of its container (at most 4096 bytes: https://kubernetes.io/docs/tasks/debug/debug-application/) and beside its
ledger. Standard library only; how the formats may change: `workloads.edge.document`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, Final

from workloads.edge import document
from workloads.edge.document import known
from workloads.vectors.config import Field

FORMAT_VERSION: Final = 1
WRONG_SETTINGS: Final = 64
"""The job's exit code when another try can't help: settings or source are wrong (EX_USAGE of sysexits.h)."""
S3: Final = "s3://"
"""What the URI of a source in a bucket begins with."""
ACCESS_KEY_ID: Final = "AWS_ACCESS_KEY_ID"
SECRET_ACCESS_KEY: Final = "AWS_SECRET_ACCESS_KEY"
"""The variables of the job's environment that a bucket's keys come by; neither: it is asked as anybody."""
MAX_REPORT: Final = 4096
"""Bytes of a rendered report."""
MAX_MESSAGE: Final = 1000
"""Characters of a report's message, and fewer where they take more room than there is."""
ADDRESSES: Final = frozenset({"inference", "vectors", "state", "endpoint", "region"})
"""Fields of an ingestion that don't decide what comes of it."""


@dataclass(frozen=True)
class Ingestion:
    """One collection's source, and the way from it into the collection. Its tokens come by the environment."""

    collection: str
    source: str
    """`pvc://claim/folder/*.jsonl` or `s3://bucket/folder/*.jsonl`: one JSON object a line."""
    state: str
    """`pvc://claim/folder`, this collection's own: ledger, quarantine and last report."""
    id_field: str
    text_fields: tuple[str, ...]
    """What is embedded, joined in this order."""
    model_id: str
    inference: str
    """http://host:port of the gateway that embeds."""
    vectors: str
    """http://host:port of the gateway whose /v/<collection> is filled."""
    namespace: str = ""
    """Of the vectors; '': the default one."""
    fields: tuple[Field, ...] = ()
    """The collection's declared metadata fields."""
    near_duplicate_percent: int = 0
    """A record goes if another with a smaller id shares this much of its shingles; 0: only if its text is the same."""
    endpoint: str = ""
    """http(s)://host:port of the server that has the bucket; '': Amazon's own."""
    region: str = ""
    """The bucket's."""

    @property
    def digest(self) -> str:
        """Identity of what decides the outcome: sha256 (hex) over all but addresses."""
        content = {name: value for name, value in asdict(self).items() if name not in ADDRESSES}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Report:
    """What became of the records: `read` is the sum of the four counts after it once `state` is Done."""

    state: str
    """Done | Failed | Refused (WRONG_SETTINGS)."""
    message: str = ""
    """For people: place, expectation, finding, what to do. Never a secret."""
    read: int = 0
    duplicates: int = 0
    """Records that another one stands for: of the same id, of the same text, or near enough to it."""
    quarantined: int = 0
    """Records that can't be taken; `quarantine.jsonl` in the state folder has each with its reason."""
    upserted: int = 0
    unchanged: int = 0
    """Records that were in the collection already, just so."""
    engine: str = ""
    """spark | python | none: nothing had changed."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage: fetch, start, read, dedupe, deliver; embed and upsert are parts of deliver, summed over its workers."""
    source: str = ""
    """sha256 (hex) over the source's files, the settings and the model's revision that these counts are of."""


def render(ingestion: Ingestion) -> str:
    """The document."""
    return document.render(asdict(ingestion), FORMAT_VERSION)


def parse(text: str) -> Ingestion:
    """The ingestion in a document. Raises NewerFormatError or ConfigError."""
    with document.meaning("an ingestion"):
        fields = known(Ingestion, document.read(text, FORMAT_VERSION))
        fields["fields"] = tuple(Field(**known(Field, entry)) for entry in fields.get("fields", ()))
        fields["text_fields"] = tuple(fields["text_fields"])
        return Ingestion(**fields)


def render_report(report: Report) -> str:
    """The document. A message that is too long for a termination message is cut."""
    fields: dict[str, Any] = asdict(report)
    room = MAX_REPORT - len(document.render({**fields, "message": ""}, FORMAT_VERSION))
    fields["message"] = _cut(report.message[:MAX_MESSAGE], room)
    return document.render(fields, FORMAT_VERSION)


def parse_report(text: str) -> Report:
    """The report in a document. Raises NewerFormatError or ConfigError."""
    with document.meaning("a report"):
        return Report(**known(Report, document.read(text, FORMAT_VERSION)))


def _cut(text: str, room: int) -> str:
    """The beginning of a text that takes at most `room` bytes in JSON, where a character may take twelve."""
    ends = accumulate(len(json.dumps(character)) - 2 for character in text)
    return text[: sum(end <= room for end in ends)]
