"""`TrainingJob`: distributed PyTorch, for the models that Homespun brings and for anybody's own program."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from homespun.api.fields import Condition, Fields, conditions, rules

KIND: Final = "TrainingJob"
PLURAL: Final = "trainingjobs"
RULES: Final = (
    (
        "self.metadata.name.matches('^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$')",
        "metadata.name: expected at most 40 lower-case letters, digits and dashes, a letter first: workers are hosts"
        " of that name",
    ),
)
CLAIM_URI: Final = r"^pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[\w.-]+)+$"
DECIMAL: Final = r"^[0-9]{1,6}(\.[0-9]{1,12})?(e-?[0-9]{1,2})?$"


class Shape(Fields):
    """The size of a model, where none of the named ones is meant."""

    layers: int = Field(ge=1, le=256)
    """Blocks."""
    heads: int = Field(ge=1, le=256)
    """Of attention, in a block; they divide the width."""
    width: int = Field(ge=8, le=32768)
    """Of the residual stream."""
    context: int = Field(ge=8, le=1048576)
    """Tokens of the longest sequence."""
    vocabulary: int = Field(ge=2, le=1048576)
    """Tokens that there are."""


class Init(Fields):
    """What training starts from."""

    uri: str = Field(max_length=512, pattern=CLAIM_URI)
    """`pvc://<claim>/<folder>` with a model.safetensors and a config.json, named as on the hub."""


class Model(Fields):
    """A model that Homespun brings."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.size), has(self.shape), has(self.init)].exists(x, x)",
                "model: expected size, shape or init, got none of them",
            ),
            ("!(has(self.size) && has(self.shape))", "model: expected size or shape, got both"),
        )
    )

    family: Literal["gpt2", "bert"]
    """gpt2: the next token from those before it; bert: masked tokens from those around them."""
    size: Literal["124M", "355M", "774M", "1558M", "base", "large"] | None = None
    """gpt2: 124M, 355M, 774M, 1558M; bert: base, large."""
    shape: Shape | None = None
    init: Init | None = None


class Program(Fields):
    """Anybody's own."""

    image: str = Field(default="", max_length=512)
    """It has to run as a user that is not root, on a file system that it can't write to but for /tmp and claims; empty:
    Homespun's own, with Python 3.11, torch, tokenizers and safetensors."""
    command: tuple[Annotated[str, Field(description="A word of it.")], ...] = Field(min_length=1, max_length=64)
    """Started once in each worker, with MASTER_ADDR, MASTER_PORT, WORLD_SIZE and RANK, as torch.distributed reads
    them."""


class Data(Fields):
    """What is learnt from."""

    uri: str = Field(max_length=512, pattern=CLAIM_URI)
    """`pvc://<claim>/<folder>` with *.txt and *.jsonl (field `text`)."""
    tokenizer: str = Field(default="", max_length=512, pattern=rf"^$|{CLAIM_URI}")
    """`pvc://<claim>/<folder>` with a tokenizer.json, or GPT-2's encoder.json and vocab.bpe; empty: the data
    is tokens already."""
    seq_len: int = Field(default=1024, ge=8, le=1048576)
    """Tokens of a sequence."""


class Objective(Fields):
    """When it is done."""

    steps: int = Field(ge=1)
    """Updates of the weights."""
    global_batch_tokens: int = Field(ge=8)
    """Tokens in a step of all workers together: a multiple of seqLen."""


class Optimizer(Fields):
    """How it learns."""

    name: Literal["adamw"] = "adamw"
    """AdamW (https://arxiv.org/abs/1711.05101)."""
    lr: str = Field(default="0.0006", pattern=DECIMAL)
    """Learning rate at the end of the warm-up, such as 6e-4."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps from a learning rate of 0 to the full one."""


class Mesh(Fields):
    """How workers are laid out."""

    dp: int = Field(default=1, ge=1, le=64)
    """Data parallel: how many workers share each batch."""


class Parallelism(Fields):
    """How workers share the work."""

    strategy: Literal["auto", "ddp", "fsdp2"] = "auto"
    """ddp: each worker holds all; fsdp2: each holds a part of weights, gradients and optimizer state; auto: ddp as long
    as all fits."""
    mesh: Mesh | None = None
    """What it multiplies to is the number of workers."""


class Workers(Fields):
    """The pods."""

    count: int = Field(default=1, ge=1, le=64)
    """How many; they start and stop together."""
    cpu: str = Field(default="1", pattern=r"^[0-9]+m?$")
    """CPUs that each asks for."""
    memory: str = Field(default="3Gi", pattern=r"^[0-9]+(Mi|Gi)$")
    """Memory that each may take."""


class Checkpoint(Fields):
    """What survives a worker."""

    uri: str = Field(default="", max_length=512, pattern=rf"^$|{CLAIM_URI}")
    """`pvc://<claim>/<folder>`; empty: the folder .training/<name of the job> of the claim `data`."""
    every_steps: int = Field(default=200, ge=1)
    """A worker that dies costs at most so many steps."""
    keep: int = Field(default=3, ge=1, le=100)
    """The newest ones that stay."""


UNCHANGED: Final = "of a job that runs only suspend and deadline can be changed; declare another job"


class TrainingJobSpec(Fields):
    """What ought to be trained."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.model) != has(self.program)", "expected either model or program"),
            (
                "!has(self.model) || (has(self.data) && has(self.objective))",
                "expected data and objective beside model: what it learns from, and when it is done",
            ),
            (
                "!has(self.model) || !has(self.data) || !has(self.objective)"
                " || self.objective.globalBatchTokens % self.data.seqLen == 0",
                "objective.globalBatchTokens: expected a multiple of data.seqLen",
            ),
            (
                "!has(self.model) || !has(self.data) || !has(self.model.shape)"
                " || self.data.seqLen <= self.model.shape.context",
                "data.seqLen: expected at most model.shape.context",
            ),
            (
                "!has(self.parallelism.mesh) || self.parallelism.mesh.dp == self.workers.count",
                "parallelism.mesh: expected it to multiply to workers.count",
            ),
            ("!has(self.objective) || self.optimizer.warmupSteps < self.objective.steps",
             "optimizer.warmupSteps: expected fewer than objective.steps"),
        )
    )  # fmt: skip

    model: Model | None = Field(default=None, json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    program: Program | None = Field(default=None, json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    data: Data | None = Field(default=None, json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    objective: Objective | None = Field(default=None, json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    optimizer: Optimizer = Field(default=Optimizer(), json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    parallelism: Parallelism = Field(default=Parallelism(), json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    workers: Workers = Field(default=Workers(), json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    checkpoint: Checkpoint = Field(default=Checkpoint(), json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    seed: int = Field(default=0, ge=0, json_schema_extra=rules(("self == oldSelf", UNCHANGED)))
    """Of the weights and of the order of the data."""
    suspend: bool = False
    """True: the workers go, the checkpoints stay; false again: it goes on from the newest."""
    deadline: str = Field(default="", pattern=r"^$|^[0-9]{1,5}[smhd]$")
    """Such as 6h, from its first start; empty: none."""

    @property
    def deadline_seconds(self) -> int | None:
        """The deadline in seconds; None: there is none."""
        if not self.deadline:
            return None
        return int(self.deadline[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[self.deadline[-1]]


class CheckpointStatus(Fields):
    """A checkpoint that can be resumed from."""

    step: int
    """Steps that it holds."""
    digest: str
    """`sha256:<hex>` of its manifest, which holds the sha256 of each file."""


class CurvePoint(Fields):
    """A point of the loss curve."""

    step: int
    """Steps done."""
    loss: str
    """Nats a token, over the whole batch."""


FailureReason = Literal["OOMKilled", "Evicted", "SentAway", "PodFailed", "Killed", "Exited"]


class WorkerFailureStatus(Fields):
    """A worker that died."""

    reason: FailureReason
    """OOMKilled: it wanted more memory than workers.memory; Evicted: its machine was short of something; SentAway: its
    machine was drained, lost or wanted by another pod; PodFailed: its pod ended before its program, as the message
    says; Killed: by a signal, exit code 137; Exited: with another exit code."""
    message: str
    """Which worker, why, and what to do."""
    worker: int
    """Its number, from 0."""
    restart: int
    """How often the workers had been started again before."""
    time: str = ""
    """When it ended, RFC 3339."""
    job_set: str = ""
    """The uid of the JobSet that `restart` is counted in."""


class TrainingJobStatus(Fields):
    """How far it is."""

    observed_generation: int = 0
    state: Literal["Pending", "Starting", "Running", "Suspended", "Succeeded", "Failed"] = "Pending"
    """Where the job stands."""
    started: str = ""
    """When its workers were first asked for, RFC 3339."""
    step: int = 0
    """Steps done."""
    steps: int = 0
    """Steps that it takes."""
    loss: str = ""
    """Of the last step, nats a token."""
    tokens_per_second: int = 0
    """Of all workers together."""
    remaining_seconds: int | None = None
    checkpoint: CheckpointStatus | None = None
    recoveries: int = 0
    """How often it was started again after it had begun: a worker had died, or it had been suspended."""
    last_failure: WorkerFailureStatus | None = None
    rejected_checkpoints: tuple[str, ...] = ()
    """Those that were not what their manifest says, and were passed over."""
    strategy: str = ""
    """The one in use."""
    parameters: int = 0
    """Numbers that are learnt."""
    output: str = ""
    """Where checkpoints, curve and, in the end, the model are."""
    curve: tuple[CurvePoint, ...] = ()
    """At most 64 points."""
    message: str = ""
    """What the trainer last said to people."""
    conditions: tuple[Condition, ...] = conditions(
        "Accepted: the object makes sense. Running: a step was done and more follow, or"
        " a program of one's own runs. Succeeded: all steps are done, or all of its workers ended with exit code 0."
    )
