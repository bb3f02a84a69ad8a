"""The Councilor, `councilors.conductor.community/v1alpha1`, as pydantic types: the one source of the CRD and of
parsing.

`crd.py` turns these types into the CustomResourceDefinition: attribute docstrings become descriptions, `Field` bounds
become schema bounds, and `rules()` become CEL validations. The API server therefore refuses most bad input before the
operator sees it; what a schema cannot say (cron expressions, zones) is decided in `schedule` and reported as a
condition.

Field names are camelCase in the API and snake_case here.
"""

from pydantic import ConfigDict

from councilor_operator.api.base import ApiModel
from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.api.status import CouncilorStatus


class Councilor(ApiModel):
    """An AI agent that is asked the same question on a schedule and whose answer is judged."""

    model_config = ConfigDict(extra="ignore")

    spec: CouncilorSpec
    """What is wanted."""
    status: CouncilorStatus = CouncilorStatus()
    """What is so; written by the operator."""
