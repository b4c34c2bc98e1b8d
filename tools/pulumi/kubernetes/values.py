"""The engine's wire values: protobuf structs in which secrets, outputs and unknowns are marked by signatures.

Source: sdk/proto/pulumi/provider.proto and sdk/go/common/resource/plugin/rpc.go of Pulumi. Inside, a value is plain
JSON; where its secrets are stands beside it, as paths.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a string that is known only once something else exists; what other types have is of no matter here."""
SHORTEST_SECRET: Final = 4
"""Secrets of fewer characters are not looked for in messages: they would be found everywhere."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Decoded:
    """A JSON object, and the paths in it that are secret."""

    value: dict[str, Any]
    secrets: frozenset[Path] = frozenset()


def decode(struct: Struct) -> Decoded:
    """Whole numbers become ints (the wire has doubles only), secrets are unwrapped and their paths noted."""
    secrets: set[Path] = set()
    value = {key: _plain(field, (key,), secrets) for key, field in struct.fields.items()}
    return Decoded(value, frozenset(secrets))


def encode(value: dict[str, Any], secrets: Iterable[Path] = ()) -> Struct:
    """The inverse of `decode`. Paths that lead nowhere are left out."""
    wrapped: dict[str, Any] = copy.deepcopy(value)
    for path in sorted(secrets, key=len, reverse=True):  # the inner ones first: their paths go through the outer
        try:
            parent = _at(wrapped, path[:-1])
            parent[path[-1]] = {SIGNATURE: SECRET, "value": parent[path[-1]]}
        except (KeyError, IndexError, TypeError):
            continue
    return json_format.ParseDict(wrapped, Struct())


def has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def outermost(paths: Iterable[Path]) -> frozenset[Path]:
    """Without the paths that lie within another of them."""
    paths = frozenset(paths)
    return frozenset(path for path in paths if not any(path[:length] in paths for length in range(1, len(path))))


def redact(text: str, value: dict[str, Any], secrets: Iterable[Path]) -> str:
    """`text` with the secrets of `value` blacked out: an API server's answer may quote what it was sent."""
    found = {str(leaf) for path in secrets for leaf in _leaves(_get(value, path))}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[secret]")
    return text


def _plain(value: Value, path: Path, secrets: set[Path]) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain_struct(value.struct_value, path, secrets)
        case "list_value":
            return [_plain(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _plain_struct(struct: Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    match fields[SIGNATURE].string_value if SIGNATURE in fields else "":
        case "":
            return {key: _plain(field, (*path, key), secrets) for key, field in fields.items()}
        case signature if signature == SECRET:
            secrets.add(path)
        case signature if signature == OUTPUT and "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
    return _plain(fields["value"], path, secrets) if "value" in fields else UNKNOWN


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _get(value: Any, path: Path) -> Any:
    try:
        return _at(value, path)
    except (KeyError, IndexError, TypeError):
        return None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value
