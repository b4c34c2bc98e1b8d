"""What an InferenceModel may say."""

import pytest
from pydantic import ValidationError

from homespun.api.inference import Batching, InferenceModelSpec, Source

MINIMAL = {"modelId": "a/b", "task": "feature-extraction", "source": {"uri": "pvc://models/minilm"}}


def test_three_fields_suffice() -> None:
    spec = InferenceModelSpec.model_validate(MINIMAL)
    assert (spec.runtime.framework, spec.batching.max_batch_size, spec.access.tokens) == ("onnx", 32, ())


@pytest.mark.parametrize(("delay", "microseconds"), [("2ms", 2000), ("0us", 0), ("750us", 750)])
def test_a_delay_is_read_in_its_unit(delay: str, microseconds: int) -> None:
    assert Batching(max_queue_delay=delay).max_queue_delay_us == microseconds


@pytest.mark.parametrize(
    "uri", ["http://x/y", "hf://only-one", "pvc://", "pvc://UPPER/x", "hf://a/b/c", "pvc://m/a//b", "pvc://m/a b"]
)
def test_a_source_that_is_no_source_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError):
        Source(uri=uri)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    assert InferenceModelSpec.model_validate({**MINIMAL, "newer": 1}).model_id == "a/b"
