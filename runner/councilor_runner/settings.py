"""The runner's environment as one typed value: contract, identity of the run, secrets.

Everything that can be found wrong without asking anybody is found here, with the name of the field or variable and what
to write instead. Values are never quoted: they may be secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from councilor_runner import contract as contracts
from councilor_runner.contract import Agent, Reason, RunContract, RunReport, Trigger

_Document = TypeVar("_Document", bound=BaseModel)


class SettingsError(Exception):
    """The environment does not describe a run."""

    def __init__(self, message: str, reason: Reason = Reason.INVALID_CONTRACT) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Settings:
    """One run: what to do, under which ids, with which secrets (None: not configured)."""

    contract: RunContract
    job_name: str
    prompt: str | None
    task_id: str
    execution_id: str
    scheduled_at: datetime | None
    notifications_path: Path
    mongodb_uri: str | None = field(repr=False)
    conductor_token: str | None = field(repr=False)
    proxy_credentials: str | None = field(repr=False)
    ca_file: Path | None

    @property
    def trigger(self) -> Trigger:
        return "manual" if self.scheduled_at is None else "scheduled"

    def of_execution(self, execution_id: str, agent_id: str) -> "Settings":
        """Return the settings of this run as it was started: the Councilor may have got another agent since."""
        contract = self.contract
        if agent_id != contract.agent.id:
            contract = contract.model_copy(update={"agent": Agent(id=agent_id)})
        return replace(self, contract=contract, execution_id=execution_id)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings.

    Raises SettingsError for a missing variable, a contract that does not validate, or a value no request can be made
    with.
    """
    contract = _read_document(RunContract, environment, contracts.ENV_CONTRACT, "the CronJob's Pod template")
    _check_url("endpoints.conductorUrl", contract.endpoints.conductor_url)
    if contract.endpoints.gateway_url is not None:
        _check_url("endpoints.gatewayUrl", contract.endpoints.gateway_url)
    _check_headers(contract.endpoints.headers)
    job_name = _required(environment, contracts.ENV_JOB_NAME)
    scheduled_at = contracts.scheduled_time(job_name, contract.councilor.cron_job_name)
    manual_uid = _required(environment, contracts.ENV_JOB_UID) if scheduled_at is None else None
    task_id = contracts.task_id(contract.councilor.uid, job_name, manual_uid)
    return Settings(
        contract=contract,
        job_name=job_name,
        prompt=contract.task.prompt or environment.get(contracts.ENV_PROMPT),
        task_id=task_id,
        execution_id=contracts.execution_id(contract.agent.id, task_id, scheduled_at),
        scheduled_at=scheduled_at,
        notifications_path=Path(environment.get(contracts.ENV_NOTIFICATIONS_PATH) or contracts.NOTIFICATIONS_PATH),
        mongodb_uri=_secret(environment, contracts.ENV_MONGODB_URI),
        conductor_token=_secret(environment, contracts.ENV_CONDUCTOR_TOKEN),
        proxy_credentials=_secret(environment, contracts.ENV_PROXY_CREDENTIALS),
        ca_file=Path(ca_file) if (ca_file := environment.get(contracts.ENV_CA_FILE)) else None,
    )


def read_told(environment: Mapping[str, str], settings: Settings) -> tuple[Settings, RunReport]:
    """Return the run that `report` is to record and tell, as the operator counted it, and the settings that fit it.

    Raises SettingsError when the variable is missing, does not validate, or speaks of another run than the settings.
    """
    told = _read_document(RunReport, environment, contracts.ENV_REPORT, "the Pod template of a report Job")
    agent_id = contracts.agent_of(told.execution_id, settings.task_id, settings.scheduled_at)
    if told.task_id != settings.task_id or agent_id is None:
        raise SettingsError(
            f"{contracts.ENV_REPORT} speaks of another run than {contracts.ENV_JOB_NAME} and {contracts.ENV_JOB_UID}: "
            "all three have to be those of the Job that is reported"
        )
    return settings.of_execution(told.execution_id, agent_id), told


def _read_document(model: type[_Document], environment: Mapping[str, str], name: str, place: str) -> _Document:
    text = environment.get(name)
    if not text:
        raise SettingsError(f"the variable {name} is not set: the operator writes it into {place}")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'the document'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise SettingsError(
            f"{name} is not valid ({len(problems)} problems): {'; '.join(problems[:5])}. "
            "Operator and runner image have to be of the same version: see COUNCILOR_RUNNER_IMAGE of the operator"
        ) from None


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"the variable {name} is not set: it comes from the Pod's labels through the downward API")
    return value


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    # A Secret made with `echo value | base64` ends in a line break.
    value = environment.get(name, "").strip()
    if not value:
        return None
    if name == contracts.ENV_CONDUCTOR_TOKEN and not (value.isascii() and value.isprintable()):
        raise SettingsError(
            f"{name} holds characters that no HTTP header can carry: write the bare token into the Secret",
            Reason.CREDENTIALS_REFUSED,
        )
    return value


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (contracts.HEADER_NAME.fullmatch(name) and contracts.HEADER_VALUE.fullmatch(value)):
            raise SettingsError(
                "endpoints.headers holds what no HTTP header can carry: correct COUNCILOR_CONDUCTOR_HEADERS in the "
                "operator's configuration"
            )


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{name} is not an HTTP address: write it as http://host:port in the operator's configuration"
        )
