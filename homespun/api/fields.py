"""What the specs and statuses of all kinds are made of."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP: Final = "homespun.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class Fields(BaseModel):
    """A group of fields: snake_case in Python, camelCase in YAML; attribute docstrings become descriptions."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",  # a newer API server's object may have more fields than we know
        use_attribute_docstrings=True,
    )


class SecretKey(Fields):
    """A key of a Secret in the object's namespace."""

    name: str = Field(min_length=1)
    """Name of the Secret."""
    key: str = Field(default="token", min_length=1)
    """Key in it."""


class AccessToken(Fields):
    """One token that may use it."""

    secret_ref: SecretKey
    """Where the token stands."""


class Access(Fields):
    """Who may use it."""

    tokens: tuple[AccessToken, ...] = Field(default=(), max_length=32)
    """Whoever sends one of these. Empty: whoever reaches the gateway."""


class Condition(Fields):
    """A condition by the Kubernetes API conventions."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    """One word, for programs."""
    message: str = ""
    """For people: what was expected, what was found, what to do."""
    last_transition_time: str
    """When the status last changed, RFC 3339."""
    observed_generation: int
    """The generation of the object that this condition speaks of."""


def rules(*rules: tuple[str, str]) -> dict[str, Any]:
    """CEL rules with their messages, for a model's `json_schema_extra`."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def conditions(description: str) -> Any:
    """The `conditions` of a status."""
    return Field(
        default=(),
        description=description,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
