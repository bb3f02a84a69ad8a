"""Which API server, as whom and in which namespace: kubeconfig and options, read as kubectl reads them."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration

from councilor_cli.errors import CliError

_MOUNTED: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT: Final = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say; None is for what they leave open."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """How to reach an API server, and where to look there."""

    configuration: Configuration
    namespace: str
    context: str | None
    """None in a Pod."""

    @property
    def server(self) -> str:
        """The address without what a URL may hide."""
        address = urlsplit(self.configuration.host)
        return f"{address.scheme}://{address.hostname}" + (f":{address.port}" if address.port else "")


async def login(choice: Choice) -> Login:
    """Return how to reach the API server that was chosen; raises `CliError` with what is wrong in the kubeconfig."""
    configuration = Configuration()
    paths = _paths(choice)
    present = _any_exists(paths)
    if not present and choice.kubeconfig is None and choice.context is None and (_MOUNTED / "token").exists():
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        namespace = (_MOUNTED / "namespace").read_text().strip()
        found = Login(configuration, choice.namespace or namespace, None)
    elif not present:
        raise CliError(
            f"no kubeconfig at {paths}: name one with --kubeconfig or KUBECONFIG, for example the one that "
            "`kubectl config view` shows"
        )
    else:
        found = await _from_file(configuration, paths, choice)
    _use_proxy(configuration)
    # Otherwise the client looks for proxies and for a .netrc before every request, in a thread.
    configuration.client_session_kwargs = {"trust_env": False}
    return found


def context_names(choice: Choice) -> list[str]:
    """Return the contexts of the kubeconfig; none where it cannot be read."""
    try:
        contexts, _ = kubernetes_config.list_kube_config_contexts(config_file=_paths(choice))
        return [str(entry["name"]) for entry in contexts]
    # Whatever is in the file: whoever needs it to be right says so elsewhere.
    except Exception:
        return []


def _any_exists(paths: str) -> bool:
    return any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path)


def _paths(choice: Choice) -> str:
    return choice.kubeconfig or os.environ.get("KUBECONFIG") or str(_DEFAULT.expanduser())


async def _from_file(configuration: Configuration, paths: str, choice: Choice) -> Login:
    complaints = _Complaints()
    library = logging.getLogger("kubernetes")
    library.addHandler(complaints)
    library.propagate = False
    try:
        loader = await kubernetes_config.load_kube_config(
            config_file=paths, context=choice.context, client_configuration=configuration, persist_config=False
        )
        context: dict[str, Any] = loader.current_context
    # Whatever is in the file: the library looks at little before it uses it, and raises what Python raises.
    except Exception as error:
        raise CliError(_unusable(paths, choice.context, error)) from error
    finally:
        library.removeHandler(complaints)
    if complaints.heard:
        raise CliError(
            f"logging in failed: the command in the kubeconfig {paths} that fetches credentials gave none; run it by "
            "hand, or try `kubectl get namespaces`"
        )
    namespace = choice.namespace or context["context"].get("namespace") or "default"
    return Login(configuration, namespace, context["name"])


class _Complaints(logging.Handler):
    """Notes that the library gave up on a credential plugin: it logs so, and goes on without."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard = False

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - signature of the library
        self.heard = True


def _unusable(paths: str, context: str | None, error: Exception) -> str:
    named = context_names(Choice(kubeconfig=paths))
    if context is not None and context not in named:
        known = f"it has {', '.join(named)}" if named else "see `kubectl config get-contexts`"
        return f"the kubeconfig {paths} has no context {context}: {known}"
    if isinstance(error, OSError):
        return f"the kubeconfig {paths} cannot be read: {error.strerror}"
    return (
        f"the kubeconfig {paths} cannot be used ({type(error).__name__}): check that it is YAML and that "
        "current-context, its cluster, its user and the files they name exist; `kubectl config view` shows it"
    )


def _use_proxy(configuration: Configuration) -> None:
    """Take the proxy of the environment, as kubectl does; proxy-url of the kubeconfig comes first."""
    address = urlsplit(configuration.host)
    if configuration.proxy is None and not proxy_bypass(address.hostname or ""):
        configuration.proxy = getproxies().get(address.scheme)
