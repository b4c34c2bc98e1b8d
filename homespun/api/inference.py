"""`InferenceModel`: a model served by Triton behind the Hugging Face API."""

from typing import Final, Literal

from pydantic import ConfigDict, Field

from homespun.api.fields import Access, Condition, Fields, SecretKey, conditions, rules

KIND: Final = "InferenceModel"
PLURAL: Final = "inferencemodels"

Task = Literal["feature-extraction", "sentence-similarity"]


class Source(Fields):
    """Where the weights come from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!self.uri.startsWith('hf://') || (has(self.revision) && self.revision.matches('^[0-9a-f]{40}$'))",
                "source.revision: expected the commit (40 hex digits) that an hf:// source is pinned to;"
                " the model's page on the hub shows it under 'History'",
            ),
            (
                "!self.uri.startsWith('pvc://') || !has(self.revision)"
                " || self.revision.matches('^sha256:[0-9a-f]{64}$')",
                "source.revision: expected nothing or sha256:<64 hex digits> of the folder for a pvc:// source;"
                " `make model` prints it",
            ),
            (
                "!has(self.tokenSecretRef) || self.uri.startsWith('hf://')",
                "source.tokenSecretRef: only an hf:// source takes a token",
            ),
        )
    )

    uri: str = Field(
        max_length=512, pattern=r"^(hf://[\w.-]+/[\w.-]+|pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[\w.-]+)*)$"
    )
    """`hf://<organisation>/<name>` on the hub, or `pvc://<claim>/<folder>` in a claim of this namespace."""
    revision: str | None = Field(default=None, max_length=71)
    """What must be found there: a commit of the hub, or `sha256:<digest>` of the folder."""
    token_secret_ref: SecretKey | None = None
    """The hub's token, for a private repository."""


class Runtime(Fields):
    """What runs the weights."""

    framework: Literal["onnx"] = "onnx"
    """onnx: onnxruntime, on a folder with model.onnx and tokenizer.json in it."""


class Batching(Fields):
    """How Triton puts requests together."""

    max_batch_size: int = Field(default=32, ge=1, le=256)
    """Sentences in one batch, at most."""
    max_queue_delay: str = Field(default="2ms", pattern=r"^[0-9]{1,6}(us|ms)$")
    """How long a request may wait for others to join it."""

    @property
    def max_queue_delay_us(self) -> int:
        """The delay in microseconds."""
        if self.max_queue_delay.endswith("us"):
            return int(self.max_queue_delay[:-2])
        return int(self.max_queue_delay[:-2]) * 1000


class Probe(Fields):
    """The request that must be answered before the model counts as Ready."""

    inputs: str = Field(default="hello", min_length=1, max_length=1024)
    """A sentence."""


class InferenceModelSpec(Fields):
    """What ought to be served."""

    model_id: str = Field(max_length=128, pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """The id in the APIs, such as sentence-transformers/all-MiniLM-L6-v2. The oldest object wins a duplicate."""
    task: Task
    """The Hugging Face task: decides input, output, pre- and post-processing."""
    source: Source
    runtime: Runtime = Runtime()
    batching: Batching = Batching()
    probe: Probe = Probe()
    access: Access = Access()


class RevisionStatus(Fields):
    """One revision of the model."""

    digest: str
    """Identity of the revision."""
    uri: str
    """Where its weights came from."""
    revision: str = ""
    """What was expected there."""


class RevisionsStatus(Fields):
    """What answers, and what is to answer."""

    active: RevisionStatus | None = None
    """The revision that answers requests."""
    target: RevisionStatus | None = None
    """The revision that is declared."""


class PlacementStatus(Fields):
    """A revision on a server."""

    server: str
    revision: str
    """Digest of the revision."""
    state: str
    loads: int
    """How often it was loaded there; a new number means a new engine."""


class FailureStatus(Fields):
    """The last thing that went wrong."""

    reason: str
    message: str
    revision: str
    """Digest of the revision that it went wrong with."""


class InferenceModelStatus(Fields):
    """What is served."""

    observed_generation: int = 0
    state: Literal["Pending", "Fetching", "Loading", "Loaded", "Failed"] = "Pending"
    """Where the model stands: Loaded as soon as some revision of it can answer."""
    url: str = ""
    """Where clients send requests."""
    revision: RevisionsStatus = RevisionsStatus()
    placements: tuple[PlacementStatus, ...] = ()
    last_failure: FailureStatus | None = None
    conditions: tuple[Condition, ...] = conditions(
        "Accepted: the object makes sense. UpToDate: what answers is what is declared. Ready: a request was answered."
    )
