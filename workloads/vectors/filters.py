"""Pinecone's filter language, read once into a small tree and written as an expression of Milvus.

    read        JSON → Filter, or InvalidRequest
    Columns     Filter → expression, over the columns of one collection

The language (https://docs.pinecone.io/guides/search/filter-by-metadata): `{"year": {"$gte": 2016}}`; several fields,
and several operators of one field, must all hold; `{"venue": "ICML"}` is short for `$eq`. What it means:

- A list has all of its strings as values: `$eq` and `$in` hold if any of them matches, `$ne` and `$nin` if none does.
- `$ne` and `$nin` hold only where the field is there.
- A value of another type than the field's never matches; numbers are one type, true and false another.
- `$gt`, `$gte`, `$lt` and `$lte` take numbers.

Nothing of a request becomes part of an expression but as a literal: strings by one encoder, numbers by `repr`, the
names of undeclared fields as keys within the JSON column.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from workloads.edge.errors import InvalidRequest
from workloads.vectors import layout
from workloads.vectors.layout import MAX_WHOLE

MAX_DEPTH: Final = 8
"""Levels of $and and $or."""
MAX_TERMS: Final = 1000
"""Comparisons in a filter."""
MAX_VALUES: Final = 10_000
"""Values in all lists of a filter."""
MAX_EXPRESSION: Final = 2**20
"""Bytes of an expression."""
NOTHING: Final = f'{layout.PK} == ""'
"""Holds for no row: Milvus 2.3 knows no `false`, and no key is empty."""

Value = str | float | bool
"""What a field is compared with; JSON's whole numbers come as int, which Python takes for float too."""


class Operator(StrEnum):
    """How a field is compared with one number."""

    GT = "$gt"
    GTE = "$gte"
    LT = "$lt"
    LTE = "$lte"


SIGNS: Final = {Operator.GT: ">", Operator.GTE: ">=", Operator.LT: "<", Operator.LTE: "<="}


@dataclass(frozen=True)
class AnyOf:
    """The field has one of these values ($eq, $in)."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class NoneOf:
    """The field is there and has none of these values ($ne, $nin)."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Compare:
    """The field is a number on this side of another one."""

    field: str
    operator: Operator
    number: float


@dataclass(frozen=True)
class Exists:
    """The field is there, or isn't."""

    field: str
    wanted: bool


@dataclass(frozen=True)
class Both:
    """All of them hold ($and)."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True)
class Either:
    """One of them holds ($or)."""

    parts: "tuple[Filter, ...]"


Filter = AnyOf | NoneOf | Compare | Exists | Both | Either


def read(document: Any, where: str = "filter") -> Filter:
    """The filter in a JSON value. Raises InvalidRequest."""
    found = _read(document, where, MAX_DEPTH)
    terms = list(_leaves(found))
    if len(terms) > MAX_TERMS:
        raise InvalidRequest(f"{where}: expected at most {MAX_TERMS} comparisons, got {len(terms)}")
    if (values := sum(len(term.values) for term in terms if isinstance(term, AnyOf | NoneOf))) > MAX_VALUES:
        raise InvalidRequest(f"{where}: expected at most {MAX_VALUES} values in its lists, got {values}")
    return found


def literal(text: str) -> str:
    """A string as Milvus reads it. Its parser unescapes as Go does; what it takes raw stays as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\0", "\\x00") + '"'


@dataclass(frozen=True)
class Columns:
    """Where the fields of a collection are: by name, the type of each that has a column of its own."""

    types: Mapping[str, str]

    def expression(self, wanted: Filter) -> str:
        """What Milvus is asked. Raises InvalidRequest for what can't be said to it."""
        written = self._write(wanted)
        if len(written.encode()) > MAX_EXPRESSION:
            raise InvalidRequest(
                f"filter: expected at most {MAX_EXPRESSION} bytes as an expression, got more: split it"
            )
        return written

    def _write(self, wanted: Filter) -> str:
        match wanted:
            case Both(parts):
                return _join("and", map(self._write, parts))
            case Either(parts):
                return _join("or", map(self._write, parts))
            case AnyOf(field, values):
                return self._any_of(field, values)
            case NoneOf(field, values):
                return _join("and", [self._exists(field), f"not ({self._any_of(field, values)})"])
            case Compare(field, operator, number):
                return self._compare(field, operator, number)
            case Exists(field, there):
                return self._exists(field) if there else f"not ({self._exists(field)})"

    def _any_of(self, field: str, values: tuple[Value, ...]) -> str:
        strings = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        truths = [value for value in values if isinstance(value, bool)]
        match self.types.get(field):
            case "string":
                return _in(layout.column(field), map(literal, strings))
            case "stringList" if strings:
                return f"array_contains_any({layout.column(field)}, {_list(map(literal, strings))})"
            case "int":
                whole = [int(number) for number in numbers if number == int(number) and abs(number) <= MAX_WHOLE]
                return _in(layout.column(field), map(str, whole))
            case "float":
                return _in(layout.column(field), map(_float, numbers))
            case "bool":
                return _in(layout.column(field), (str(int(truth)) for truth in truths))
            case None:
                return self._any_in_json(key(field), strings, numbers, truths)
            case _:
                return NOTHING

    def _any_in_json(self, name: str, strings: list[str], numbers: list[float], truths: list[bool]) -> str:
        """Milvus compares values of JSON by their types; a list is not equal to any of its elements."""
        choices = [f"{name} == {str(truth).lower()}" for truth in set(truths)]
        if strings:
            written = _list(map(literal, strings))
            choices += [f"{name} in {written}", f"json_contains_any({name}, {written})"]
        if numbers:
            choices.append(f"{name} in {_list(map(_float, numbers))}")
        return _join("or", choices) if choices else NOTHING

    def _compare(self, field: str, operator: Operator, number: float) -> str:
        match self.types.get(field):
            case "int":
                # On whole numbers > 2016.5 is > 2016, and >= 2016.5 is >= 2017.
                down = operator in (Operator.GT, Operator.LTE)
                bound = max(-MAX_WHOLE - 1, min(math.floor(number) if down else math.ceil(number), MAX_WHOLE + 1))
                return _join("and", [f"{layout.column(field)} {SIGNS[operator]} {bound}", self._exists(field)])
            case "float":
                compared = f"{layout.column(field)} {SIGNS[operator]} {_float(number)}"
                return _join("and", [compared, self._exists(field)])
            case None:
                return f"{key(field)} {SIGNS[operator]} {_float(number)}"
            case _:
                return NOTHING

    def _exists(self, field: str) -> str:
        column = layout.column(field)
        match self.types.get(field):
            case "string":
                return f"{column} != {literal(layout.MISSING['string'])}"
            case "int":
                return f"{column} >= {-MAX_WHOLE}"  # its 'not there' is a literal that Milvus can't read
            case "float":
                return f"{column} > {layout.MISSING['float']!r}"
            case "bool":
                return f"{column} != {layout.MISSING['bool']}"
            case "stringList":
                return f"not (array_contains({column}, {literal(layout.MISSING['stringList'][0])}))"
            case _:
                return f"(exists {key(field)})"


def key(field: str) -> str:
    """An undeclared field, within the JSON column.

    Milvus 2.3 takes a key apart at brackets and does not unescape it, so some names can't be asked for. Raises
    InvalidRequest.
    """
    if any(character in "\"\\[]'" or character < " " for character in field):
        raise InvalidRequest(
            f"filter: field {field[:60]!r}: expected a name without quotes, brackets, backslashes and control"
            " characters: declare the field, or rename it"
        )
    return f'{layout.METADATA}["{field}"]'


def _read(document: Any, where: str, depth: int) -> Filter:
    if not isinstance(document, dict) or not document:
        raise InvalidRequest(f"{where}: expected an object with at least one field")
    parts: list[Filter] = []
    for name, condition in document.items():
        if name in ("$and", "$or"):
            parts.append(_read_group(name, condition, where, depth - 1))
        elif name.startswith("$"):
            raise InvalidRequest(f"{where}: expected a field, $and or $or, got {name[:40]}")
        else:
            parts += _read_field(name, condition, where)
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


def _read_group(name: str, conditions: Any, where: str, depth: int) -> Filter:
    if depth < 0:
        raise InvalidRequest(f"{where}: expected at most {MAX_DEPTH} levels of $and and $or, got more")
    if not isinstance(conditions, list) or not conditions:
        raise InvalidRequest(f"{where}.{name}: expected a list of filters, at least one")
    parts = tuple(_read(condition, f"{where}.{name}", depth) for condition in conditions)
    return Both(parts) if name == "$and" else Either(parts)


def _read_field(name: str, condition: Any, where: str) -> list[Filter]:
    shown = f"{where}.{name[:60]}"
    _check_text(name, shown)
    if not name:
        raise InvalidRequest(f"{where}: expected a field's name, got an empty one")
    if not isinstance(condition, dict):
        return [AnyOf(name, (_value(condition, shown),))]
    if not condition:
        raise InvalidRequest(f"{shown}: expected an operator and a value, got an empty object")
    return [_read_operator(name, operator, operand, shown) for operator, operand in condition.items()]


def _read_operator(name: str, operator: str, operand: Any, where: str) -> Filter:
    where = f"{where}.{operator[:20]}"
    match operator:
        case "$eq":
            return AnyOf(name, (_value(operand, where),))
        case "$ne":
            return NoneOf(name, (_value(operand, where),))
        case "$in":
            return AnyOf(name, _values(operand, where))
        case "$nin":
            return NoneOf(name, _values(operand, where))
        case "$exists":
            if not isinstance(operand, bool):
                raise InvalidRequest(f"{where}: expected true or false")
            return Exists(name, operand)
        case "$gt" | "$gte" | "$lt" | "$lte":
            number = _value(operand, where)
            if isinstance(number, str | bool):
                raise InvalidRequest(f"{where}: expected a number")
            return Compare(name, Operator(operator), number)
    raise InvalidRequest(f"{where}: expected $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin or $exists")


def _values(operand: Any, where: str) -> tuple[Value, ...]:
    if not isinstance(operand, list):
        raise InvalidRequest(f"{where}: expected a list")
    return tuple(_value(value, where) for value in operand)


def _value(operand: Any, where: str) -> Value:
    if isinstance(operand, bool):
        return operand
    if isinstance(operand, str):
        _check_text(operand, where)
        return operand
    if isinstance(operand, int | float) and math.isfinite(operand):
        return operand
    raise InvalidRequest(f"{where}: expected a string, a finite number, true or false")


def _check_text(text: str, where: str) -> None:
    if "\0" in text:
        raise InvalidRequest(f"{where}: expected a text without NUL")


def _leaves(tree: Filter) -> Iterable[AnyOf | NoneOf | Compare | Exists]:
    if isinstance(tree, Both | Either):
        for part in tree.parts:
            yield from _leaves(part)
    else:
        yield tree


def _float(number: float) -> str:
    return repr(float(number))


def _list(literals: Iterable[str]) -> str:
    return f"[{', '.join(literals)}]"


def _in(column: str, literals: Iterable[str]) -> str:
    written = _list(literals)
    return f"{column} in {written}" if written != "[]" else NOTHING


def _join(word: str, parts: Iterable[str]) -> str:
    """Joined as a balanced tree: Milvus's parser goes as deep as a chain is long."""
    pieces = [f"({part})" for part in parts]
    while len(pieces) > 1:
        pieces = [
            f"({f' {word} '.join(pieces[index : index + 2])})" if index + 1 < len(pieces) else pieces[index]
            for index in range(0, len(pieces), 2)
        ]
    return pieces[0]
