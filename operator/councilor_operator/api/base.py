"""What every type of the API has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def rules(*validations: dict[str, str]) -> dict[str, Any]:
    """Attach CEL rules (`x-kubernetes-validations`, Kubernetes apiextensions v1) to a type or field."""
    return {"x-kubernetes-validations": list(validations)}


class ApiModel(BaseModel):
    """Base of every API type: immutable, camelCase, unknown fields refused as the strict API server does."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        # As the schema: "600" is no number and 1 is no true.
        strict=True,
        use_attribute_docstrings=True,
        # Prompts and answers have no place in logs.
        hide_input_in_errors=True,
    )
