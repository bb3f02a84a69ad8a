"""The Councilor that `verify` makes: never due, heard of by nobody. Pure."""

from typing import Final

from councilor_operator.builders import Manifest
from councilor_operator.constants import API_VERSION, KIND, LABEL_NAME
from councilor_operator.verify.config import VerifyConfig

UNKNOWN_AGENT: Final = "councilor-verify-unknown-agent"
"""An agent that no Conductor knows: it refuses the run, and no model is paid."""
APP: Final = "councilor-verify"
_PROMPT: Final = "This is a check of an installation. Change nothing. Answer with this line alone: SEVERITY: success"


def build_trial(config: VerifyConfig, name: str) -> Manifest:
    """Return the Councilor, of a name that nothing else has."""
    execution: Manifest = {"timeoutSeconds": config.timeout_seconds, "retries": 0}
    if config.cwd is not None:
        execution["cwd"] = config.cwd
    elif config.agent_id is None:
        # No agent starts, so nobody works there; the operator need not have a default.
        execution["cwd"] = "/"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": config.namespace, "labels": {LABEL_NAME: APP}},
        "spec": {
            "agentId": config.agent_id or UNKNOWN_AGENT,
            "title": "Check of the installation",
            # Paused: it runs when asked to, and never else, should it be left behind.
            "schedule": {"type": "cron", "value": "@yearly", "enabled": False},
            "task": {"prompt": _PROMPT, "outputFormat": "summary"},
            "execution": execution,
            "notifications": {"onSuccess": False, "onWarning": False, "onError": False, "onRecovery": False},
            "suspendAfterFailures": 0,
        },
    }
