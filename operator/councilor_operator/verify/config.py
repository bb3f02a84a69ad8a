"""The settings of `verify`, read once from the environment."""

from typing import Annotated

from pydantic import Field, StringConstraints

from councilor_operator.config import PREFIX, EnvironmentConfig

_NAMESPACE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class VerifyConfig(EnvironmentConfig):
    """Every setting of `verify`; the environment variable of one is `COUNCILOR_VERIFY_` and the name in upper case."""

    namespace: Annotated[str, StringConstraints(max_length=63, pattern=_NAMESPACE)]
    """Namespace in which the Councilor is made: one that the operator watches, with the runner's Secret."""
    agent_id: Annotated[str, StringConstraints(max_length=253, pattern=r"^[^\s/\x00-\x1f\x7f]+$")] | None = None
    """An agent to run, at what a run of it costs; if not set, one that Conductor does not know is asked for."""
    cwd: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Directory on the Conductor host in which the agent works; the operator's default if not set."""
    timeout_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """How long all of it may take."""

    @classmethod
    def variable(cls, name: str) -> str:
        return f"{PREFIX}VERIFY_{name.upper()}"
