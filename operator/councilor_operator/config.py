"""The operator's configuration, read once from the environment: what the people who run the operator decide.

A Councilor says what is asked and when; image, addresses, Secret names and defaults stand here. Low layer: pure values
that builders and decisions take as an argument. kopf's own settings stand beside the entry point.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
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
from councilor_runner.contract import HEADER_NAME, HEADER_VALUE

PREFIX = "COUNCILOR_"
_OBJECT_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as http://conductor.conductor.svc:8000")
    if parts.username or parts.password:
        raise ValueError("keep credentials out of the address: the token belongs in the Secret")
    return value.rstrip("/")


def _proxy_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write an address such as http://proxy.example:3128")
    if "@" in parts.netloc:
        # It would stand in every Pod template, for everybody to read who may list Jobs.
        raise ValueError(
            "keep credentials out of the proxy's address: write user:password as PROXY_CREDENTIALS into the runner's "
            "Secret"
        )
    return value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if any("/" in host for host in value):
        raise ValueError(
            "name hosts, addresses and domains such as .svc: the runner understands no ranges like 10.0.0.0/8"
        )
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not (HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(text)):
            raise ValueError("names are words of letters, digits and -, values printable ASCII on one line")
        if name.lower() in {"authorization", "proxy-authorization", "cookie"}:
            raise ValueError(
                f"{name} does not belong here: write the token as CONDUCTOR_TOKEN into the runner's Secret"
            )
        if name.lower() in {"connection", "content-length", "content-type", "transfer-encoding"}:
            raise ValueError(f"{name} is not yours to set: it follows from the request")
    return value


def _list(value: Any) -> Any:
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_http_url)]
ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]
Names = Annotated[tuple[str, ...], BeforeValidator(_list)]
Text = Annotated[str, StringConstraints(min_length=1)]


class EnvironmentConfig(BaseModel):
    """Settings from environment variables; that of a setting is `COUNCILOR_` and the field's name in upper case."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of a setting."""
        return PREFIX + name.upper()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the configuration; raises `ConfigurationError` naming each variable that is missing or wrong.

        Empty variables count as unset, as Helm charts leave them.
        """
        values = {
            name: environment[variable]
            for name in cls.model_fields
            if environment.get(variable := cls.variable(name), "").strip()
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(
                f"{cls.variable(str(item['loc'][0]))}: {item['msg']}" for item in error.errors(include_input=False)
            )
            raise ConfigurationError(f"set these environment variables right: {problems}") from None


class ProcessConfig(EnvironmentConfig):
    """What every process of the operator's image that stays is told."""

    database: Text = "conductor_state"
    """Name of Conductor's MongoDB database."""
    default_time_zone: Text = "UTC"
    """Zone of schedules that name none."""
    health_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of /healthz and /readyz; 0 switches them off."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """Port of /metrics; 0 switches it off."""
    listen_address: Text = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus reach a Pod by its own address
    """Address on which /healthz, /readyz and /metrics listen."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""


class OperatorConfig(ProcessConfig):
    """Every setting of the operator itself."""

    runner_image: Text
    """Image of the runner."""
    runner_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """Pull policy of the runner's image."""
    runner_image_pull_secrets: Names = ()
    """Names of image pull Secrets in the Councilors' namespaces, separated by commas."""
    runner_secret: Text = "councilor-runner"  # noqa: S105 - the name of a Secret
    """Secret in the Councilors' namespaces with MONGODB_URI, CONDUCTOR_TOKEN and PROXY_CREDENTIALS, each optional."""
    notifications_secret: Text = "councilor-notifications"  # noqa: S105 - the name of a Secret
    """Secret in the Councilors' namespaces with an Apprise URL for each notification channel but panel and toast."""
    runner_ca_config_map: Annotated[str, StringConstraints(max_length=253, pattern=_OBJECT_NAME)] | None = None
    """ConfigMap in the Councilors' namespaces, optional, whose ca.crt the runner trusts beside public authorities."""
    runner_http_proxy: ProxyUrl | None = None
    """HTTP proxy of the runner for addresses with http://."""
    runner_https_proxy: ProxyUrl | None = None
    """HTTP proxy of the runner for addresses with https://."""
    runner_no_proxy: Annotated[Names, AfterValidator(_hosts)] = ()
    """Hosts and domains that the runner reaches without proxy, separated by commas."""
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
    conductor_headers: Annotated[Json[dict[str, str]], AfterValidator(_headers)] = Field(default={})
    """Extra headers (JSON) that a proxy before Conductor demands; no secrets."""

    default_cwd: Text | None = None
    """Working directory of Councilors that name none."""

    namespaces: Names = ()
    """Namespaces to watch, separated by commas; all if empty."""
    workers: Annotated[int, Field(ge=1, le=128)] = 16
    """How many Councilors are reconciled at the same time."""
    resync_seconds: Annotated[int, Field(ge=5)] = 600
    """How often everything is listed anew and compared."""
    metrics_per_councilor: bool = True
    """Whether /metrics has the series of each Councilor, about ten for each."""
