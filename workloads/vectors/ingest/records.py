"""What a line of the source must be to become a vector. Pure.

Limits as Pinecone has them: https://docs.pinecone.io/reference/api/database-limits.
"""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from workloads.vectors.ingestion import Ingestion
from workloads.vectors.layout import MAX_ID, MAX_LIST, MAX_METADATA, MAX_STRING, MAX_WHOLE

MAX_FLOAT: Final = 1.7e308
"""What is beyond it JSON may write, but a float64 can't hold."""
SHOWN: Final = 2000
"""Characters of a quarantined line that are kept."""

_NO_TEXT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is to lie in the collection."""

    id: str
    text: str
    """What is embedded; normalised."""
    metadata: Metadata
    """All its fields but the id; normalised."""
    file: str

    @property
    def text_key(self) -> bytes:
        """Equal for equal texts, whatever their case."""
        return hashlib.sha256(self.text.casefold().encode()).digest()[:16]

    def digest(self, revision: str) -> str:
        """Identity of the vector that it becomes, with the model's revision."""
        content = json.dumps([self.text, self.metadata, revision], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line that can't be taken, and why."""

    file: str
    reason: str
    line: str

    def render(self) -> str:
        """As it stands in quarantine.jsonl."""
        return json.dumps({"file": self.file, "reason": self.reason, "record": self.line[:SHOWN]}) + "\n"


class _Bad(Exception):
    """A record can't be taken; the message is the reason."""


def check(line: bytes, file: str, ingestion: Ingestion) -> Record | Quarantined | None:
    """The record in a line, or why there is none; None for a blank line."""
    if not line.strip():
        return None
    try:
        return _record(line, file, ingestion)
    except _Bad as error:
        return Quarantined(file, str(error), line.decode(errors="replace"))


def fields_of(line: bytes) -> frozenset[str]:
    """The names of the fields in a line; none if it is no JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(found) if isinstance(found, dict) else frozenset()


def normalise(text: str) -> str:
    """One form for what looks the same: Unicode NFC, single spaces, no control characters or halves of pairs."""
    return " ".join(_NO_TEXT.sub(" ", unicodedata.normalize("NFC", text)).split())


def _record(line: bytes, file: str, ingestion: Ingestion) -> Record:
    try:
        document = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _Bad(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise _Bad("expected a JSON object")
    identity = _id(document.get(ingestion.id_field), ingestion.id_field)
    declared = {field.name: field.type for field in ingestion.fields}
    if bad := [name for name in document if not name or name.startswith("$") or "\0" in name]:
        raise _Bad(f"expected names that are not empty and begin with no $, got {bad[0][:60]!r}")
    metadata = {
        name: _value(value, name, declared.get(name))
        for name, value in document.items()
        if name != ingestion.id_field and value is not None
    }
    size = len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA:
        raise _Bad(f"expected at most {MAX_METADATA} bytes of fields, got {size}")
    texts = [_text(metadata.get(name), name) for name in ingestion.text_fields]
    return Record(identity, ". ".join(texts), metadata, file)


def _no_number(name: str) -> None:
    raise _Bad(f"expected JSON numbers, got {name}")


def _id(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise _Bad(f"{name}: expected a text or a whole number as id, got {_shown(value)}")
    if len(value) > MAX_ID or not value.isascii() or "\0" in value:
        raise _Bad(f"{name}: expected at most {MAX_ID} ASCII characters, got {_shown(value)}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise _Bad(f"{name}: expected a text to embed, got {_shown(value)}")
    return value


def _value(value: Any, name: str, declared: str | None) -> Any:
    """A metadata value, normalised. `declared` is the field's type, None if it has no column of its own."""
    if isinstance(value, str) and declared in (None, "string"):
        return _string(value, name, declared)
    if isinstance(value, bool) and declared in (None, "bool"):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and declared in (None, "int", "float"):
        return _number(value, name, declared)
    if isinstance(value, list) and all(isinstance(item, str) for item in value) and declared in (None, "stringList"):
        if declared and len(value) > MAX_LIST:
            raise _Bad(f"{name}: expected at most {MAX_LIST} texts, got {len(value)}")
        return [_string(item, name, declared) for item in value]
    expected = f"a value of type {declared}" if declared else "a text, a number, true, false or a list of texts"
    raise _Bad(f"{name}: expected {expected}, got {_shown(value)}")


def _string(value: str, name: str, declared: str | None) -> str:
    text = normalise(value)
    if declared and (size := len(text.encode())) > MAX_STRING:
        raise _Bad(f"{name}: expected at most {MAX_STRING} bytes in a declared field, got {size}")
    return text


def _number(value: float, name: str, declared: str | None) -> float:
    if isinstance(value, int) or declared == "int":
        if abs(value) > MAX_WHOLE or value != int(value):
            raise _Bad(f"{name}: expected a whole number of at most 2^53, got {_shown(value)}")
        return int(value)
    if abs(value) > MAX_FLOAT:
        raise _Bad(f"{name}: expected a number that fits into 64 bits")
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return "nothing" if value is None else text if len(text) <= 60 else f"{text[:60]}…"
