"""CustomResourceDefinitions out of the typed kinds.

Kubernetes takes only structural schemas (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
custom-resource-definitions/#specifying-a-structural-schema): no `$ref`, no `anyOf` with null, no numeric
`exclusiveMinimum`; and its API conventions know no floats.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from homespun.api import inference, training, vectors
from homespun.api.fields import GROUP, VERSION, rules

Schema = dict[str, Any]
RULES: Final = "x-kubernetes-validations"
FOLDER: Final = Path(__file__).parent / "crds"
"""Where the generated files stand; `python -m homespun.api` writes them, a test holds them to the types."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; priority 1 shows with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True)
class Kind:
    """All that a CRD says beside its schema."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    rules: tuple[tuple[str, str], ...] = ()
    """CEL rules on the whole object, with their messages."""


def _ready(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].status'


KINDS: Final = (
    Kind(
        kind=inference.KIND,
        plural=inference.PLURAL,
        short_name="im",
        description="A model served by Triton behind the Hugging Face API.",
        spec=inference.InferenceModelSpec,
        status=inference.InferenceModelStatus,
        columns=(
            Column("Model", ".spec.modelId"),
            Column("Task", ".spec.task"),
            Column("State", ".status.state"),
            Column("Ready", _ready("Ready")),
            Column("UpToDate", _ready("UpToDate")),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
            Column("URL", ".status.url", priority=1),
        ),
    ),
    Kind(
        kind=vectors.KIND,
        plural=vectors.PLURAL,
        short_name="vc",
        description="A collection of vectors in Milvus behind the Pinecone API.",
        spec=vectors.VectorCollectionSpec,
        status=vectors.VectorCollectionStatus,
        columns=(
            Column("Dimension", ".spec.vectors.dimension", "integer"),
            Column("Metric", ".spec.vectors.metric"),
            Column("Rows", ".status.rows", "integer"),
            Column("State", ".status.state"),
            Column("Ready", _ready("Ready")),
            Column("Ingested", '.status.conditions[?(@.type=="Ingested")].reason'),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
            Column("URL", ".status.url", priority=1),
        ),
        rules=vectors.RULES,
    ),
    Kind(
        kind=training.KIND,
        plural=training.PLURAL,
        short_name="tj",
        description="Distributed PyTorch: a model that Homespun brings, or anybody's own program.",
        spec=training.TrainingJobSpec,
        status=training.TrainingJobStatus,
        columns=(
            Column("State", ".status.state"),
            Column("Step", ".status.step", "integer"),
            Column("Of", ".status.steps", "integer"),
            Column("Loss", ".status.loss"),
            Column("Tokens/s", ".status.tokensPerSecond", "integer"),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Checkpoint", ".status.checkpoint.step", "integer", priority=1),
            Column("Recoveries", ".status.recoveries", "integer", priority=1),
            Column("Reason", '.status.conditions[?(@.type=="Running")].reason', priority=1),
        ),
        rules=training.RULES,
    ),
)


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec),
            "status": _without_defaults(structural(kind.status)),
        },
        **(rules(*kind.rules) if kind.rules else {}),
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": schema},
    }
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": [kind.short_name],
        "categories": ["homespun"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model. Raises ValueError for what Kubernetes has no words for."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.pop("$defs", {})
    return _structural(schema, definitions, model.__name__)


def _structural(node: Schema, definitions: dict[str, Schema], place: str) -> Schema:
    if "$ref" in node:
        referenced = definitions[node["$ref"].rsplit("/", 1)[1]]
        node = _merged(referenced, {key: value for key, value in node.items() if key != "$ref"})
    if "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise ValueError(f"{place}: expected one type or null, got {len(choices)} types")
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        (choice,) = choices
        referenced = definitions[choice["$ref"].rsplit("/", 1)[1]] if "$ref" in choice else choice
        return _structural(_merged(referenced, rest), definitions, place)
    if node.get("type") == "number":
        raise ValueError(f"{place}: expected no float (API conventions); use an integer, a quantity or a string")
    for name, step in (("exclusiveMinimum", 1), ("exclusiveMaximum", -1)):
        if name in node:
            node = {**node, "minimum" if step > 0 else "maximum": node[name] + step}
    if "const" in node:
        node = {**node, "enum": [node["const"]], "type": "string"}
    if isinstance(node.get("default"), dict):  # no value is no default: null is of no type
        node = {**node, "default": {key: value for key, value in node["default"].items() if value is not None}}
    dropped = ("title", "const", "additionalProperties", "exclusiveMinimum", "exclusiveMaximum", "$defs")
    kept = {key: value for key, value in node.items() if key not in dropped}
    if "properties" in kept:
        kept["properties"] = {
            name: _structural(child, definitions, f"{place}.{name}") for name, child in kept["properties"].items()
        }
    if "items" in kept:
        kept["items"] = _structural(kept["items"], definitions, f"{place}[]")
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].split())
    return kept


def _merged(node: Schema, more: Schema) -> Schema:
    """Both together; of what both say `more` counts, but the rules of both."""
    both = [*node.get(RULES, ()), *more.get(RULES, ())]
    return {**node, **more} | ({RULES: both} if both else {})


def _without_defaults(node: Schema) -> Schema:
    """A status says what was observed: the API server has nothing to add to it."""
    kept = {key: value for key, value in node.items() if key != "default"}
    if "properties" in kept:
        kept["properties"] = {name: _without_defaults(child) for name, child in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _without_defaults(kept["items"])
    return kept


def render(kind: Kind) -> str:
    """The definition as YAML, as it stands in the folder of generated files."""
    head = "# Generated by `python -m homespun.api` from homespun/api; not to be edited.\n"
    return head + yaml.dump(definition(kind), Dumper=_WithoutAliases, sort_keys=False, width=120)


class _WithoutAliases(yaml.SafeDumper):
    """Writes a list that occurs twice twice: `&id001` helps no reader."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.priority:
        entry["priority"] = column.priority
    return entry
