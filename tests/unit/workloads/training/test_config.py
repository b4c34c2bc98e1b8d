"""The job and its progress are read back as written, by neighbouring versions too; a bad job is told where."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.edge.document import ConfigError, NewerFormatError
from workloads.training.config import (
    FORMAT_VERSION,
    Checkpoint,
    Checkpoints,
    Data,
    Family,
    Job,
    Model,
    Optimizer,
    Progress,
    Schedule,
    Shape,
    State,
    Strategy,
    parse,
    parse_progress,
    render,
    render_progress,
)

JOB = Job(
    name="gpt2-shakespeare",
    model=Model(Family.GPT2, size="124M"),
    data=Data(path="/data/shakespeare", sequence_length=1024, tokenizer="/data/gpt2"),
    checkpoints=Checkpoints(folder="/job"),
    steps=5000,
    global_batch_tokens=524288,
    optimizer=Optimizer(warmup_steps=200),
)
SHAPE = {"layers": 1, "heads": 1, "width": 8, "context": 8, "vocabulary": 8}
texts, numbers, floats = st.text(max_size=20), st.integers(1, 10**9), st.floats(0, 100)
shapes = st.builds(Shape, layers=numbers, heads=st.just(1), width=numbers, context=numbers, vocabulary=numbers)
jobs = st.builds(
    Job,
    name=texts,
    model=st.builds(Model, st.sampled_from(Family), texts.filter(bool), st.none() | shapes, texts),
    data=st.builds(Data, texts, st.just(8), texts),
    checkpoints=st.builds(Checkpoints, texts, numbers, numbers),
    steps=numbers,
    global_batch_tokens=numbers.map(lambda sequences: sequences * 8),
    microbatch=numbers,
    optimizer=st.builds(Optimizer, st.floats(1e-9, 1), st.sampled_from(Schedule), st.just(0), floats),
    strategy=st.sampled_from(Strategy),
    seed=st.integers(0, 10**9),
)
progresses = st.builds(
    Progress,
    state=st.sampled_from(State),
    step=numbers,
    steps=numbers,
    loss=st.none() | floats,
    tokens_per_second=floats,
    remaining_seconds=st.none() | floats,
    checkpoint=st.none() | st.builds(Checkpoint, numbers, texts),
    recoveries=numbers,
    rejected=st.lists(texts, max_size=2).map(tuple),
    workers=numbers,
    strategy=st.sampled_from(Strategy),
    parameters=numbers,
    message=texts,
)


@given(jobs)
def test_a_job_survives_the_document(job: Job) -> None:
    assert parse(render(job)) == job


@given(progresses)
def test_progress_survives_the_line(progress: Progress) -> None:
    line = render_progress(progress)
    assert "\n" not in line
    assert parse_progress(line) == progress


def test_unknown_fields_are_ignored_at_each_level() -> None:
    document = json.loads(render(JOB))
    for entry in (document, document["model"], document["data"], document["optimizer"], document["checkpoints"]):
        entry["later"] = {"is": "unknown"}
    assert parse(json.dumps(document)) == JOB


def test_what_is_left_out_has_its_default() -> None:
    document = json.loads(render(JOB))
    del document["strategy"], document["seed"], document["microbatch"], document["optimizer"]["weight_decay"]
    assert parse(json.dumps(document)) == JOB


@pytest.mark.parametrize("read", [parse, parse_progress])
def test_a_newer_format_is_told_from_a_broken_one(read: Any) -> None:
    with pytest.raises(NewerFormatError, match=f"at most {FORMAT_VERSION}, got {FORMAT_VERSION + 1}"):
        read(json.dumps({"formatVersion": FORMAT_VERSION + 1}))


@pytest.mark.parametrize("read", [parse, parse_progress])
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"formatVersion": 1}', '{"formatVersion": "x"}'])
def test_what_is_no_document_is_refused(read: Any, text: str) -> None:
    with pytest.raises(ConfigError, match="not a training job"):
        read(text)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("steps", 0, "steps: expected > 0, got 0"),
        ("microbatch", -1, "microbatch: expected > 0, got -1"),
        ("global_batch_tokens", 1000, "expected a multiple of data.sequence_length 1024, got 1000"),
        ("data.sequence_length", 0, "data.sequence_length: expected > 0"),
        ("checkpoints.keep", 0, "checkpoints.keep: expected > 0"),
        ("checkpoints.every_steps", 0, "checkpoints.every_steps: expected > 0"),
        ("optimizer.learning_rate", float("nan"), "optimizer.learning_rate: expected > 0, got nan"),
        ("optimizer.warmup_steps", 5000, "optimizer.warmup_steps: expected < steps 5000, got 5000"),
        ("optimizer.schedule", "linear", "'linear' is not a valid Schedule"),
        ("model.size", "", "model: expected size, shape or init"),
        ("model.family", "llama", "'llama' is not a valid Family"),
        ("strategy", "tp", "'tp' is not a valid Strategy"),
        ("model.shape", SHAPE | {"heads": 0}, "shape.heads: expected > 0, got 0"),
        ("model.shape", SHAPE | {"heads": 3}, "shape.heads: expected a divisor of the width 8, got 3"),
        ("model.shape", {"layers": 1}, "not a training job"),
        ("steps", "many", "not a training job"),
    ],
)
def test_a_job_that_is_wrong_by_itself_is_told_where(place: str, value: object, told: str) -> None:
    document = json.loads(render(JOB))
    *parents, name = place.split(".")
    entry = document[parents[0]] if parents else document
    entry[name] = value
    with pytest.raises(ConfigError, match=told):
        parse(json.dumps(document))
