"""The CRDs are generated from the types, and in the words that Kubernetes takes."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from homespun.api.crd import FOLDER, KINDS, Kind, definition, render, structural

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)


@each_kind
def test_the_file_is_what_the_types_say(kind: Kind) -> None:
    assert (FOLDER / f"{kind.plural}.yaml").read_text() == render(kind), "run `python -m homespun.api`"


@each_kind
def test_every_field_of_a_spec_is_described(kind: Kind) -> None:
    assert not [place for place, node in _nodes(structural(kind.spec), kind.kind) if "description" not in node]


@each_kind
def test_a_schema_is_structural(kind: Kind) -> None:
    for place, node in _nodes(definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"], kind.kind):
        assert "type" in node, place
        assert not {"$ref", "anyOf", "exclusiveMinimum", "exclusiveMaximum", "title"} & set(node), place
        assert node["type"] != "number", place


@each_kind
def test_a_status_has_no_defaults(kind: Kind) -> None:
    status = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert not [place for place, node in _nodes(status, "status") if "default" in node]


@each_kind
def test_kubectl_get_homespun_shows_it(kind: Kind) -> None:
    assert "homespun" in definition(kind)["spec"]["names"]["categories"]


def test_a_float_is_refused_with_its_place() -> None:
    class Wrong(BaseModel):
        ratio: float

    with pytest.raises(ValueError, match=r"Wrong\.ratio: expected no float"):
        structural(Wrong)


def test_an_exclusive_bound_becomes_an_inclusive_one() -> None:
    class Right(BaseModel):
        count: int = Field(gt=0, lt=10)

    node = structural(Right)["properties"]["count"]
    assert (node["minimum"], node["maximum"]) == (1, 9)


def test_an_optional_field_is_its_type_and_not_required() -> None:
    class Right(BaseModel):
        name: str | None = None

    schema = yaml.safe_load(yaml.safe_dump(structural(Right)))
    assert schema["properties"]["name"] == {"type": "string"}
    assert "name" not in schema.get("required", [])


def _nodes(node: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(child, f"{place}.{name}")
    if "items" in node:
        yield from _nodes(node["items"], f"{place}[]")
