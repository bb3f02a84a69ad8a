"""The operator's configuration, read once from the environment: what the people who run the operator decide.

A Councilor says what is asked and when; image, addresses, Secret names and defaults stand here. Low layer: pure values
that builders and decisions take as an argument. kopf's own settings stand beside the entry point.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    StringConstraints,
    ValidationError,
)

from councilor_operator.errors import ConfigurationError

PREFIX = "COUNCILOR_"


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as http://conductor.conductor.svc:8000")
    if parts.username or parts.password:
        raise ValueError("keep credentials out of the address: the token belongs in the Secret")
    return value.rstrip("/")


def _list(value: Any) -> Any:
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_http_url)]
Names = Annotated[tuple[str, ...], BeforeValidator(_list)]
Text = Annotated[str, StringConstraints(min_length=1)]


class OperatorConfig(BaseModel):
    """Every setting; the environment variable is `COUNCILOR_` and the field's name in upper case."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    runner_image: Text
    """Image of the runner."""
    runner_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """Pull policy of the runner's image."""
    runner_image_pull_secrets: Names = ()
    """Names of image pull Secrets in the Councilors' namespaces, separated by commas."""
    runner_secret: Text = "councilor-runner"  # noqa: S105 - the name of a Secret
    """Secret in the Councilors' namespaces with MONGODB_URI and CONDUCTOR_TOKEN, each optional."""
    notifications_secret: Text = "councilor-notifications"  # noqa: S105 - the name of a Secret
    """Secret in the Councilors' namespaces with an Apprise URL for each notification channel but panel and toast."""
    runner_resources: Json[dict[str, dict[str, str]]] = Field(
        default={"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    )
    """Resources of the runner's container (JSON), where a Councilor sets none."""
    runner_node_selector: Json[dict[str, str]] = Field(default={})
    """Node selector of the runner's Pod (JSON), where a Councilor sets none."""
    runner_tolerations: Json[list[dict[str, Any]]] = Field(default=[])
    """Tolerations of the runner's Pod (JSON), where a Councilor sets none."""

    conductor_url: Url
    """Address of Conductor as the runner reaches it."""
    conductor_gateway_url: Url | None = None
    """Address of Conductor's gateway: polling and notifications."""
    conductor_protocol: Literal["current", "seed"] = "current"
    """Which of Conductor's two protocols is spoken."""
    conductor_headers: Json[dict[str, str]] = Field(default={})
    """Extra headers (JSON) that a proxy before Conductor demands; no secrets."""
    database: Text = "conductor_state"
    """Name of Conductor's MongoDB database."""

    default_time_zone: Text = "UTC"
    """Zone of schedules that name none."""
    default_cwd: Text | None = None
    """Working directory of Councilors that name none."""

    namespaces: Names = ()
    """Namespaces to watch, separated by commas; all if empty."""
    workers: Annotated[int, Field(ge=1, le=128)] = 16
    """How many Councilors are reconciled at the same time."""
    resync_seconds: Annotated[int, Field(ge=5)] = 600
    """How often everything is listed anew and compared."""
    health_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of /healthz and /readyz; 0 switches them off."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """Port of /metrics; 0 switches it off."""
    metrics_per_councilor: bool = True
    """Whether /metrics has the series of each Councilor, about ten for each."""
    listen_address: Text = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus reach a Pod by its own address
    """Address on which /healthz, /readyz and /metrics listen."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "OperatorConfig":
        """Read the configuration; raises `ConfigurationError` naming each variable that is missing or wrong.

        Empty variables count as unset, as Helm charts leave them.
        """
        values = {
            name: environment[variable]
            for name in cls.model_fields
            if environment.get(variable := PREFIX + name.upper(), "").strip()
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(
                f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_input=False)
            )
            raise ConfigurationError(f"set these environment variables of the operator right: {problems}") from None
