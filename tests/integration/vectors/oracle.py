"""What a filter means, in the plainest way: read from Pinecone's documentation, and nothing of the gateway."""

from typing import Any


def holds(filter_: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """Whether a filter finds a record with this metadata."""
    return all(_holds(name, condition, metadata) for name, condition in filter_.items())


def _holds(name: str, condition: Any, metadata: dict[str, Any]) -> bool:
    if name == "$and":
        return all(holds(part, metadata) for part in condition)
    if name == "$or":
        return any(holds(part, metadata) for part in condition)
    if not isinstance(condition, dict):
        condition = {"$eq": condition}
    return all(_compare(operator, operand, name, metadata) for operator, operand in condition.items())


def _compare(operator: str, operand: Any, name: str, metadata: dict[str, Any]) -> bool:
    if operator == "$exists":
        return bool((name in metadata) == operand)
    if name not in metadata:
        return False
    value = metadata[name]
    match operator:
        case "$eq":
            return _matches(value, [operand])
        case "$ne":
            return not _matches(value, [operand])
        case "$in":
            return _matches(value, operand)
        case "$nin":
            return not _matches(value, operand)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    sides = {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}
    return bool(sides[operator])


def _matches(value: Any, wanted: list[Any]) -> bool:
    own = value if isinstance(value, list) else [value]
    return any(_kind(one) == _kind(other) and one == other for one in own for other in wanted)


def _kind(value: Any) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "string"
