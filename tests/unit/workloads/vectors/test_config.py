"""The configuration is read back as it was written, by neighbouring versions too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.edge.document import ConfigError, NewerFormatError, render_placements
from workloads.vectors.config import (
    FORMAT_VERSION,
    Collection,
    Config,
    Failure,
    Field,
    Placement,
    State,
    parse,
    parse_placements,
    render,
)

texts = st.text(max_size=20)
collections = st.builds(
    Collection,
    name=texts,
    dimension=st.integers(2, 20000),
    metric=texts,
    fields=st.lists(st.builds(Field, name=texts, type=texts), max_size=3).map(tuple),
    address=texts,
    tokens=st.lists(texts, max_size=2).map(tuple),
)
configs = st.builds(Config, collections=st.lists(collections, max_size=3).map(tuple), probe_token=texts)
placements = st.builds(
    Placement,
    collection=texts,
    state=st.sampled_from(State),
    reason=st.none() | st.sampled_from(Failure),
    message=texts,
    rows=st.integers(0, 10**9),
    loads=st.integers(0, 9),
    server=texts,
)


@given(configs)
def test_a_configuration_survives_the_document(config: Config) -> None:
    assert parse(render(config)) == config


@given(st.lists(placements, max_size=3).map(tuple))
def test_placements_survive_the_answer(found: tuple[Placement, ...]) -> None:
    assert parse_placements(render_placements(found)) == found


@given(configs)
def test_fields_of_a_later_version_are_ignored(config: Config) -> None:
    document = json.loads(render(config))
    document["later"] = 1
    for collection in document["collections"]:
        collection["later"] = {"a": 1}
        for field in collection["fields"]:
            field["later"] = []
    assert parse(json.dumps(document)) == config


def test_a_newer_format_is_told_apart() -> None:
    with pytest.raises(NewerFormatError):
        parse(json.dumps({"formatVersion": FORMAT_VERSION + 1}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"formatVersion": 1, "collections": [{}]}'])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_what_is_built_once_is_told_by_the_schema_and_the_rest_is_not() -> None:
    one = Collection("papers", 384, "cosine", (Field("year", "int"), Field("venue", "string")))
    assert one.schema == Collection("other", 384, "cosine", one.fields[::-1], ef=9, tokens=("x",)).schema
    assert one.schema != Collection("papers", 768, "cosine", one.fields).schema
    assert one.schema != Collection("papers", 384, "cosine", (Field("year", "float"), Field("venue", "string"))).schema
