"""A first Councilor as YAML that explains itself. Pure."""

import json
import re
from typing import Final

_TEMPLATE: Final = """\
# Check it with `councilor validate`, see its times with `councilor preview -f`, apply it with `kubectl apply -f`.
apiVersion: councilors.conductor.community/v1alpha1
kind: Councilor
metadata:
  name: {name}
spec:
  # The agent as Conductor knows it.
  agentId: {agent}
  schedule:
    # cron: five fields, minute hour day month weekday. interval: 45m, 6h, 2d.
    type: {type}
    value: {value}
{zone}  task:
    # What the agent is asked, each time in these words.
    prompt: {prompt}
  execution:
    # The directory on Conductor's host that the agent works in.
    cwd: {cwd}
    # A run that takes longer has failed.
    timeoutSeconds: 600
  notifications:
    onSuccess: false
    onWarning: true
    onError: true
  # After so many failed runs in a row no more come until the spec is changed or a run by hand succeeds.
  suspendAfterFailures: 5
"""
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_ZONE: Final = """\
    # Hours are those of this zone, also when clocks change there.
    timeZone: {zone}
"""


def manifest(*, name: str, agent: str, type: str, value: str, zone: str | None, prompt: str, cwd: str) -> str:  # noqa: A002
    """Return a Councilor as a YAML document; the texts may be any."""
    return _TEMPLATE.format(
        name=_scalar(name),
        agent=_scalar(agent),
        type=type,
        value=_scalar(value),
        zone=_ZONE.format(zone=_scalar(zone)) if zone is not None else "",
        prompt=_scalar(prompt),
        cwd=_scalar(cwd),
    )


def _scalar(text: str) -> str:
    # JSON's texts are YAML's but for what YAML takes for the end of a line or for no character at all.
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))
