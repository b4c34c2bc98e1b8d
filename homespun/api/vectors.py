"""`VectorCollection`: vectors in Milvus behind the Pinecone API."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from homespun.api.fields import Access, Condition, Fields, SecretKey, conditions, rules

KIND: Final = "VectorCollection"
PLURAL: Final = "vectorcollections"
RULES: Final = (
    (
        "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$')",
        "metadata.name: expected at most 45 lower-case letters, digits and dashes: it is the index's name in the API",
    ),
    (
        "self.metadata.name != 'namespaces' && !self.metadata.name.matches('-g[0-9]+$')",
        "metadata.name: expected neither `namespaces` nor an end like -g1: collections in Milvus are called so",
    ),
)
ANEW: Final = "is built into the collection; to change it, declare another collection and fill that one"

Metric = Literal["cosine", "dotproduct", "euclidean"]
FieldType = Literal["string", "int", "float", "bool", "stringList"]


class Vectors(Fields):
    """What is stored."""

    model_config = ConfigDict(json_schema_extra=rules(("self == oldSelf", f"vectors {ANEW}")))

    dimension: int = Field(ge=2, le=20000)
    """Numbers in a vector."""
    metric: Metric = "cosine"
    """What a score is: cosine, dotproduct, or euclidean (the squared distance; less is nearer)."""


class MetadataField(Fields):
    """A metadata field with a typed column of its own."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """As it stands in a record's metadata."""
    type: FieldType
    """What a record may hold there; another value is refused."""


class Metadata(Fields):
    """What stands beside a vector."""

    model_config = ConfigDict(json_schema_extra=rules(("self.fields == oldSelf.fields", f"metadata.fields {ANEW}")))

    fields: tuple[MetadataField, ...] = Field(
        default=(),
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """Fields that are filtered by often: typed, indexed columns. All other fields are kept and filtered by too."""


class IndexParams(Fields):
    """How the graph is built (https://arxiv.org/abs/1603.09320)."""

    model_config = ConfigDict(json_schema_extra=rules(("self == oldSelf", f"index.params {ANEW}")))

    m: int = Field(default=16, ge=2, le=128, alias="M")
    """Edges of a node: more find more and take more memory."""
    ef_construction: int = Field(default=200, ge=8, le=2048)
    """Candidates that are looked at for each new vector."""


class IndexSearch(Fields):
    """How the graph is searched."""

    ef: int = Field(default=64, ge=1, le=16384)
    """Candidates of a query: more find more and take longer."""
    filtered_ef: int = Field(default=512, ge=1, le=16384)
    """Candidates of a query with a filter, of which only some pass it."""


class Index(Fields):
    """How neighbours are found."""

    type: Literal["HNSW"] = "HNSW"
    """HNSW: a graph of near neighbours, in memory."""
    params: IndexParams = IndexParams()
    search: IndexSearch = IndexSearch()


class Engine(Fields):
    """Where the vectors are."""

    model_config = ConfigDict(json_schema_extra=rules(("self == oldSelf", f"engine {ANEW}")))

    address: str = Field(default="", max_length=256, pattern=r"^(https?://[\w.-]+(:[0-9]{1,5})?)?$")
    """http://host:port of a Milvus that is there already; empty: one that Homespun runs in this namespace."""


class Embedding(Fields):
    """How a record becomes a vector."""

    model_ref: str = Field(min_length=1, max_length=253)
    """An InferenceModel of this namespace, of the task feature-extraction."""
    source_fields: tuple[Annotated[str, Field(description="A field.", min_length=1)], ...] = Field(
        min_length=1, max_length=16
    )
    """Fields of a record whose texts are embedded, joined in this order."""


class S3Credentials(Fields):
    """The key that a bucket is listed and read with."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.accessKeyIdSecretRef.name != self.secretAccessKeySecretRef.name"
                " || self.accessKeyIdSecretRef.key != self.secretAccessKeySecretRef.key",
                "source.s3.credentials: expected two keys, got one twice; name each with `key`",
            ),
        )
    )

    access_key_id_secret_ref: SecretKey
    """Where its id stands."""
    secret_access_key_secret_ref: SecretKey
    """Where the key itself stands."""


class S3(Fields):
    """How a bucket is reached."""

    endpoint: str = Field(default="", max_length=256, pattern=r"^(https?://[\w.-]+(:[0-9]{1,5})?)?$")
    """http://host:port, as pods reach it, of a server that speaks S3 (MinIO, Garage, …); empty: Amazon's own."""
    region: str = Field(default="us-east-1", min_length=1, max_length=64, pattern=r"^[\w-]+$")
    """The bucket's; a server at home has its own word for it, or takes any."""
    credentials: S3Credentials | None = None
    """None: the bucket is read as anybody."""


class Source(Fields):
    """Where records come from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.s3) || self.uri.startsWith('s3://')", "source.s3: only an s3:// source is reached by it"),
        )
    )

    uri: str = Field(
        max_length=512,
        pattern=r"^(pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[\w.*?-]+)+"
        r"|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\x00-\x1f\x7f]+)+)$",
    )
    """`pvc://<claim>/<folder>/*.jsonl` in a claim of this namespace (`make data` copies a folder into `data`), or
    `s3://<bucket>/<folder>/*.jsonl`. `*` and `?` end at a slash, `**` does not."""
    s3: S3 | None = None
    """Of an s3:// source: the server and the key. Ledger and quarantine are kept in the claim `data`."""
    format: Literal["jsonl"] = "jsonl"
    """jsonl: one JSON object a line."""
    id_field: str = Field(default="id", min_length=1, max_length=128)
    """The field that tells records apart; a later record of an id replaces an earlier one."""


class Dedupe(Fields):
    """Which records stand for others."""

    method: Literal["exact", "minhash"] = "exact"
    """exact: of the same text; minhash: near enough to it too (https://doi.org/10.1109/SEQUEN.1997.666900)."""
    threshold_percent: int = Field(default=80, ge=50, le=100)
    """minhash: how much of their shingles two texts share at least."""


class Ingestion(Fields):
    """How the collection is filled."""

    engine: Literal["Spark"] = "Spark"
    """Spark: a Job in local mode; where little has changed, its functions run without a JVM."""
    source: Source
    dedupe: Dedupe = Dedupe()
    namespace: str = Field(default="", max_length=512)
    """Of the vectors, in the collection; empty: the default one."""


class VectorCollectionSpec(Fields):
    """What ought to be kept and searched."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.ingestion) || has(self.embedding)", "ingestion: expected embedding beside it: what embeds"),
        )
    )

    vectors: Vectors
    metadata: Metadata = Metadata()
    index: Index = Index()
    engine: Engine = Engine()
    access: Access = Access()
    embedding: Embedding | None = None
    ingestion: Ingestion | None = None


class GenerationStatus(Fields):
    """What stands behind the served name."""

    generation: int
    collection: str
    """Its name in Milvus."""


class CollectionFailureStatus(Fields):
    """The last thing that went wrong."""

    reason: str
    message: str


class IngestionStatus(Fields):
    """What became of the source's records."""

    state: Literal["Pending", "Running", "Succeeded", "Failed"] = "Pending"
    """Where the Job stands."""
    job: str = ""
    """Its name; deleted, it runs again."""
    read: int = 0
    """Records in the source."""
    duplicates: int = 0
    """Records that another one stands for."""
    quarantined: int = 0
    """Records that can't be taken; .ingest/<collection>/quarantine.jsonl in the claim has each with its reason."""
    upserted: int = 0
    """Vectors that were written."""
    unchanged: int = 0
    """Records that were in the collection already, just so."""
    engine: str = ""
    """spark, python, or none where nothing had changed."""
    message: str = ""
    """What went wrong, and what to do."""


class VectorCollectionStatus(Fields):
    """What is served."""

    observed_generation: int = 0
    state: Literal["Pending", "Creating", "Loaded", "Failed"] = "Pending"
    """Where the collection stands in its engine: Loaded as soon as it can answer."""
    url: str = ""
    """The index's host, for clients of the Pinecone API."""
    rows: int = 0
    """Vectors in it, in all namespaces."""
    active: GenerationStatus | None = None
    ingestion: IngestionStatus | None = None
    last_failure: CollectionFailureStatus | None = None
    conditions: tuple[Condition, ...] = conditions(
        "Accepted: the object makes sense. Ready: a write and a query were answered through the gateway. Ingested: all"
        " of the source is in it."
    )
