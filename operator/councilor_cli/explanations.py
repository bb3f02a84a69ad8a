"""Answers of the API server, and the lack of them, as sentences for whoever typed. Pure."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import aiohttp

from councilor_cli.errors import CliError, ForbiddenError, MissingError, UnreachableError
from councilor_operator.connection import target
from councilor_operator.constants import GROUP, PLURAL
from councilor_operator.errors import ApiError, ConflictError, NotFoundError, TransientError


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of whom."""

    method: str
    path: str
    server: str
    context: str | None

    @property
    def right(self) -> tuple[str, str]:
        """Verb and resource as RBAC rules name them."""
        path, _, watch = self.path.partition("?")
        verb, resource = target(self.method, path)
        if resource.endswith("/log"):
            verb = "get"
        return ("watch" if watch else verb), resource

    @property
    def where(self) -> tuple[str, str]:
        """Where it was asked, as words and as an option of kubectl."""
        _, _, rest = self.path.partition("/namespaces/")
        namespace = rest.partition("/")[0]
        return (f"in the namespace {namespace}", f"-n {namespace}") if namespace else ("in all namespaces", "-A")


def explain(error: ApiError, question: Question) -> CliError:
    """Return what to tell about an error; the API server's own words where they are about the request."""
    if error.status == 401:
        return CliError(
            f"{question.server} does not know who you are (401): log in again; `kubectl auth whoami{_of(question)}` "
            "shows whether it worked"
        )
    if error.status == 403:
        verb, resource = question.right
        where, option = question.where
        group = f".{GROUP}" if resource.startswith(PLURAL) else ".batch" if resource.startswith("jobs") else ""
        what = "/".join([resource.partition("/")[0] + group, *resource.split("/")[1:]])
        return ForbiddenError(
            f"you may not {verb} {what} {where}: {_words(error)}; ask whoever looks after the cluster for this right, "
            f"`kubectl auth can-i {verb} {what} {option}` tells whether you have it"
        )
    if isinstance(error, TransientError):
        return UnreachableError(_unreachable(error, question))
    if isinstance(error, NotFoundError):
        return MissingError(_words(error))
    if isinstance(error, ConflictError):
        return CliError(f"somebody else changed it at the same moment: try again ({_words(error)})")
    return CliError(f"the API server refused: {_words(error)}")


def _unreachable(error: TransientError, question: Question) -> str:
    which = f"the context {question.context}" if question.context else "this Pod"
    if error.status is not None:
        return f"{question.server} answered {error.status}, {_words(error)}: try again in a moment"
    # A wrong certificate is a kind of connector error too: the narrow ones come first.
    match error.__cause__:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            why = "its certificate is not trusted; check certificate-authority-data of the cluster in the kubeconfig"
        case aiohttp.ClientConnectorDNSError():
            why = "the host name is not known"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))):
            # The loop's own text repeats the address.
            why = os.strerror(number)
        case TimeoutError():
            why = "no answer in time"
        case aiohttp.InvalidURL():
            why = "that is no address; check server of the cluster in the kubeconfig"
        case cause:
            why = type(cause).__name__
    return (
        f"no connection to the API server {question.server} of {which}: {why}. Is the cluster running, and is it the "
        f"right one? See `kubectl cluster-info{_of(question)}`"
    )


def _of(question: Question) -> str:
    return f" --context {question.context}" if question.context else ""


def _words(error: ApiError) -> str:
    return " ".join(error.message.split())


def no_such_type(context: str | None) -> str:
    """Say that the cluster has no Councilors at all."""
    where = f"the cluster of the context {context}" if context else "this cluster"
    return (
        f"{where} does not know Councilors, the operator is not installed there: install it with `helm install "
        "councilor-operator charts/councilor-operator -n councilor-operator --create-namespace`, or name another "
        "cluster with --context"
    )


def close_names(name: str, names: Sequence[str], namespace: str) -> str:
    """Say that there is no Councilor of a name, and which one may have been meant."""
    missing = f"no Councilor {name} in the namespace {namespace}"
    if found := get_close_matches(name, names, n=3, cutoff=0.6):
        return f"{missing}: did you mean {' or '.join(found)}?"
    if names:
        return f"{missing}: `councilor list -n {namespace}` shows those that are"
    return f"{missing}, nor any other: `councilor list -A` shows those of all namespaces"
