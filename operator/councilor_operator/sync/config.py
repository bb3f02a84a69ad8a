"""The settings of the sync, read once from the environment."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from councilor_operator.config import PREFIX, ProcessConfig
from councilor_operator.schedule import ScheduleError, compile_schedule

_NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def _zone(value: str) -> str:
    try:
        compile_schedule(type="cron", value="0 0 * * *", time_zone=value, default_zone="UTC", uid="")
    except ScheduleError as error:
        raise ValueError(error.message) from None
    return value


class SyncConfig(ProcessConfig):
    """Every setting of the sync; the environment variable of its own is `COUNCILOR_SYNC_` and the name in upper case,
    and `MONGODB_URI` for the connection string."""

    SHARED: ClassVar = frozenset(ProcessConfig.model_fields)

    mongodb_uri: SecretStr
    """Connection string of Conductor's MongoDB, as in the runner's Secret."""
    namespace: Annotated[str, StringConstraints(max_length=63, pattern=_NAMESPACE)]
    """Namespace in which the Councilors are made."""
    cron_dialect: Literal["kubernetes", "conductor"] = "kubernetes"
    """Whose reading of cron expressions counts: a CronJob's, as written, or that of Conductor's own scheduler."""
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """Zone written into every Councilor, since documents have none; the operator's default if not set."""
    poll_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """How often documents are read where there are no change streams."""
    full_seconds: Annotated[int, Field(ge=5, le=86400)] = 300
    """How often everything is compared although nothing was heard of."""
    confirmation_seconds: Annotated[int, Field(ge=1, le=86400)] = 30
    """How long at least half of the documents must be gone before Councilors are deleted for it."""
    max_deletions: Annotated[int, Field(ge=1, le=100_000)] = 100
    """How many Councilors are deleted within the time of a confirmation."""
    workers: Annotated[int, Field(ge=1, le=128)] = 16
    """How many Councilors are written at the same time."""

    @classmethod
    def variable(cls, name: str) -> str:
        if name == "mongodb_uri":
            return "MONGODB_URI"
        return super().variable(name) if name in cls.SHARED else f"{PREFIX}SYNC_{name.upper()}"
