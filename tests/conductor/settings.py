"""How the stub behaves as a whole; changeable while it runs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt


class Settings(BaseModel):
    """Times are seconds. The defaults are upstream's, except for times, which suit tests.

    `era` decides how the second protocol behaves: `seed` works, `current` always fails. `sync_step` is how often a
    waiting call looks at its task (upstream 2), `watcher_interval` how often the watcher looks for tasks it was not
    woken for (upstream 1). `required_headers`, in lower case, are demanded from every call, as by a proxy in front.
    `missing_directories` and `missing_commands` (providers) are absent on the watcher's host. Without `mongo_uri_set`
    the conductor port answers as when its MONGO_URI is unset. With `accept_finished` a submission that does not wait
    for its result is answered as usual, but only when its task has ended, looked at in the same steps: its caller never
    has to wait between two looks, so what is left of its time is its own. `prefix` is the path below which both ports
    answer, as behind a proxy that serves several applications.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    era: Literal["current", "seed"] = "current"
    sync_step: PositiveFloat = 0.05
    sync_slots: PositiveInt = 40
    workers: PositiveInt = 10
    watcher_interval: PositiveFloat = 0.1
    required_headers: dict[str, str] = {}
    missing_directories: frozenset[str] = frozenset({"/app"})
    missing_commands: frozenset[str] = frozenset()
    mongo_uri_set: bool = True
    accept_finished: bool = False
    prefix: str = ""
