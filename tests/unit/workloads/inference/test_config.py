"""The configuration is read back as it was written, by neighbouring versions too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.edge.document import ConfigError, NewerFormatError, render_placements
from workloads.inference.config import (
    FORMAT_VERSION,
    Config,
    Failure,
    Model,
    Placement,
    Revision,
    State,
    parse,
    parse_placements,
    render,
)

texts = st.text(max_size=20)
revisions = st.builds(Revision, digest=st.text("0123456789abcdef", min_size=64, max_size=64), uri=texts, expected=texts)
models = st.builds(
    Model,
    name=texts,
    model_id=texts,
    task=texts,
    framework=texts,
    active=texts,
    revisions=st.lists(revisions, max_size=2).map(tuple),
    max_batch_size=st.integers(1, 128),
    max_queue_delay_us=st.integers(0, 10**6),
    tokens=st.lists(texts, max_size=2).map(tuple),
)
configs = st.builds(Config, models=st.lists(models, max_size=3).map(tuple), probe_token=texts)
placements = st.builds(
    Placement,
    model=texts,
    revision=texts,
    state=st.sampled_from(State),
    reason=st.none() | st.sampled_from(Failure),
    message=texts,
    load_seconds=st.floats(0, 100),
    loads=st.integers(0, 9),
    server=texts,
)


@given(configs)
def test_a_configuration_survives_the_document(config: Config) -> None:
    assert parse(render(config)) == config


@given(st.lists(placements, max_size=3).map(tuple))
def test_placements_survive_the_answer(found: tuple[Placement, ...]) -> None:
    read = parse_placements(render_placements(found))
    assert read == found
    assert [placement.server for placement in read] == [placement.server for placement in found]


@given(configs)
def test_fields_of_a_later_version_are_ignored(config: Config) -> None:
    document = json.loads(render(config))
    document["later"] = 1
    for model in document["models"]:
        model["later"] = {"a": 1}
        for revision in model["revisions"]:
            revision["later"] = []
    assert parse(json.dumps(document)) == config


def test_a_document_of_an_earlier_version_is_read_with_the_defaults() -> None:
    earliest = {"name": "m", "model_id": "m", "task": "t", "framework": "onnx", "active": "", "revisions": []}
    model = parse(json.dumps({"formatVersion": 1, "models": [earliest]})).models[0]
    assert (model.max_batch_size, model.max_queue_delay_us, model.tokens) == (32, 2000, ())


def test_a_newer_format_is_told_apart() -> None:
    with pytest.raises(NewerFormatError):
        parse(json.dumps({"formatVersion": FORMAT_VERSION + 1}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"formatVersion": 1, "models": [{}]}', '{"formatVersion": {}}']
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_a_version_is_a_positive_number_that_json_can_hold() -> None:
    assert Revision("f" * 64, "").version < 2**53
    assert Revision("0" * 64, "").version == 1
