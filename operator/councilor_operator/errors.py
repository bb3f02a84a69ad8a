"""What may go wrong between the operator and the API server, as few kinds as the reconciler tells apart.

`connection.py` maps HTTP answers to them; `reconciler.py` is the one place that turns them into a condition or a retry.
"""

from dataclasses import dataclass


class ApiError(Exception):
    """The API server did not do what was asked; `message` is fit for a person and holds no request body."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class TransientError(ApiError):
    """Worth trying again: no connection, a time-out, 429, a server error. `retry_after` in seconds if the server
    said."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class ConflictError(ApiError):
    """Somebody else wrote in between (409): read again, decide again."""


class NotFoundError(ApiError):
    """The object is gone (404)."""


class NamespaceGoneError(ApiError):
    """Nothing can be created in the namespace: it is being deleted (403), or gone (404)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What the API server has against one field of an object (meta/v1 StatusCause)."""

    field: str
    message: str


class RejectedError(ApiError):
    """Refused for good (400, 403, 413, 422 and the like): the same request will be refused again.

    `causes` are the API server's own complaints about fields, if it named any.
    """

    def __init__(self, message: str, *, status: int | None = None, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message, status=status)
        self.causes = causes


class ConfigurationError(Exception):
    """The operator's own configuration is unusable; the message names the variable and what to write."""
