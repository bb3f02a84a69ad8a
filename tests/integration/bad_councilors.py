"""Councilors that nobody should write, as the JSON texts that reach the API server: wrong in every field of the schema,
at and beyond every bound, and whatever else people and programs come up with. Deterministic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from councilor_operator.api.crd import custom_resource_definition
from councilor_operator.constants import API_VERSION, KIND

VECTORS = Path(__file__).parents[1] / "data/cron-vectors.jsonl"
LEVELS = 1000
DEEP_OBJECT = '{"a":' * LEVELS + "1" + "}" * LEVELS
DEEP_LIST = "[" * LEVELS + "1" + "]" * LEVELS
_HOLE = '"@@"'

BASE: dict[str, Any] = {
    "agentId": "CoverageReviewer_Agent",
    "schedule": {"type": "cron", "value": "0 0 1 1 *"},
    "task": {"prompt": "Is test coverage falling?"},
}


@dataclass(frozen=True)
class Bad:
    """A Councilor's spec as JSON text, and the word by which a refusal has to name what is wrong."""

    what: str
    spec: str
    names: str

    def body(self, name: str) -> str:
        """Return the whole object."""
        frame = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": "@@"}
        return json.dumps(frame).replace(_HOLE, self.spec)


def spec_with(path: tuple[str, ...], value: str) -> str:
    """Return the base spec as JSON with a text of JSON at a path; what is missing on the way is made."""
    spec = json.loads(json.dumps(BASE))
    node = spec
    for position, key in enumerate(path[:-1]):
        following = path[position + 1]
        if key == "0":
            node.append([] if following == "0" else {})
            node = node[0]
        else:
            node = node.setdefault(key, [] if following == "0" else {})
    if path[-1] == "0":
        node.append("@@")
    else:
        node[path[-1]] = "@@"
    if path[:2] == ("task", "promptFrom"):
        del spec["task"]["prompt"]
    return json.dumps(spec).replace(_HOLE, value)


@cache
def fields() -> tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...]:
    """Return path and schema of every field of the spec; `0` stands for an entry of a list, `x` for one of a map."""
    schema = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    def walk(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        if path:
            yield path, node
        for name, child in node.get("properties", {}).items():
            yield from walk(child, (*path, name))
        if "items" in node:
            yield from walk(node["items"], (*path, "0"))
        if "additionalProperties" in node:
            yield from walk(node["additionalProperties"], (*path, "x"))

    return tuple(walk(schema["properties"]["spec"], ()))


def named(path: tuple[str, ...]) -> str:
    """Return the last field of a path that has a name of its own."""
    return next(part for part in reversed(path) if part not in {"0", "x"})


WRONG_TYPES = {"text": '"x"', "number": "7", "fraction": "1.5", "truth": "true", "list": "[]", "object": "{}"}
_OF_TYPE = {"string": {"text"}, "integer": {"number"}, "boolean": {"truth"}, "array": {"list"}, "object": {"object"}}


def wrong_types() -> Iterator[Bad]:
    """Every field with a value of every other type, and deeper than anybody writes."""
    for path, schema in fields():
        allowed = _OF_TYPE.get(schema.get("type", ""), {"text", "number"})
        for what, value in WRONG_TYPES.items():
            if what not in allowed:
                yield Bad(f"{'.'.join(path)}: {what}", spec_with(path, value), named(path))
        deep = DEEP_LIST if schema.get("type") == "object" else DEEP_OBJECT
        yield Bad(f"{'.'.join(path)}: {LEVELS} levels", spec_with(path, deep), named(path))


def beyond_bounds() -> Iterator[Bad]:
    """Every field just beyond its bounds, and far beyond."""
    for path, schema in fields():
        where, name = ".".join(path), named(path)
        if "maxLength" in schema:
            for length in (schema["maxLength"] + 1, 1_000_000):
                text = json.dumps("1" * length)
                yield Bad(f"{where}: {length} characters", spec_with(path, text), name)
        patterned = "pattern" in schema or (schema.get("type") == "string" and "x-kubernetes-validations" in schema)
        if schema.get("minLength") or patterned:
            yield Bad(f"{where}: empty", spec_with(path, '""'), name)
        if patterned:
            texts = ("a b", "a\u0000b", "a\nb", "\n", "/", "\u2028")
            for text in (text for text in texts if re.search(schema.get("pattern", "(?!)"), text) is None):
                yield Bad(f"{where}: {text!r}", spec_with(path, json.dumps(text)), name)
        if "enum" in schema:
            for text in ("", "unheard of", schema["enum"][0].swapcase(), f" {schema['enum'][0]}"):
                yield Bad(f"{where}: {text!r}", spec_with(path, json.dumps(text)), name)
        if schema.get("type") == "integer":
            bounds = (schema["minimum"] - 1, schema["maximum"] + 1) if "minimum" in schema else ()
            for number in (*bounds, 2**63, -(2**63) - 1, "1e309", '"NaN"'):
                # This one is refused before anybody knows which field it is for.
                word = number if number == "1e309" else name
                yield Bad(f"{where}: {number}", spec_with(path, str(number)), word)
        if "maxItems" in schema:
            item = '{"key":"k"}' if schema["items"].get("type") == "object" else '"a%d"'
            items = ",".join(item.replace("%d", str(number)) for number in range(schema["maxItems"] + 1))
            yield Bad(f"{where}: too many", spec_with(path, f"[{items}]"), name)
        if "maxProperties" in schema:
            items = ",".join(f'"k{number}":"1"' for number in range(schema["maxProperties"] + 1))
            yield Bad(f"{where}: too many", spec_with(path, f"{{{items}}}"), name)


def missing() -> Iterator[Bad]:
    """Without what has to be there."""
    for gone in (("agentId",), ("schedule",), ("schedule", "type"), ("schedule", "value"), ("task",)):
        spec = json.loads(json.dumps(BASE))
        node = spec if len(gone) == 1 else spec[gone[0]]
        del node[gone[-1]]
        yield Bad(f"without {'.'.join(gone)}", json.dumps(spec), gone[-1])
    yield Bad("without a prompt", json.dumps(BASE | {"task": {}}), "prompt")
    yield Bad("a blank prompt", json.dumps(BASE | {"task": {"prompt": " \n\t"}}), "prompt")
    both = {"prompt": "x", "promptFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}
    yield Bad("two prompts", json.dumps(BASE | {"task": both}), "prompt")
    yield Bad("an empty spec", "{}", "agentId")
    for what, value in {"null": "null", **WRONG_TYPES, "depth": DEEP_OBJECT}.items():
        if what != "object":
            yield Bad(f"a spec that is {what}", value, "spec" if what != "depth" else "agentId")


UNHEARD_OF = ("unheardOf", "agent_id", "Schedule", "schedule.value", "", "\u202e", "x" * 1000, "\u0000", "🧪")


def extra() -> Iterator[Bad]:
    """With fields that do not exist."""
    for name in UNHEARD_OF:
        for parent in ((), ("schedule",), ("task",), ("runner",)):
            spec = spec_with((*parent, name), DEEP_OBJECT if name == "unheardOf" else "1")
            yield Bad(f"{'.'.join(parent)} with {name[:20]!r}", spec, parent[-1] if parent else "spec")


def words(text: str) -> list[str]:
    """Return the words of a text; what holds blanks stands beside it."""
    return text.split()


INTERVALS = [
    *words("0m 1 1s 30s 90 -5m +5m 1.5h 1h30m 5M 05m m 1w 1y PT5M 99999d 1e3m NaN 5m\u0000 \u202e5m \u0663h"),
    *("5 m", "\n", "@every 5m", "0 9 * * *", "9" * 200 + "d", "five minutes"),
]
ZONES = [
    *words("Mars/Olympus America/SaoPaulo america/sao_paulo AMERICA/SAO_PAULO Local local localtime Factory"),
    *words("posixrules +03:00 UTC+3 GMT-3 BRT PST8 America/ /America/Sao_Paulo America ../etc/passwd .. . 0 -1"),
    *words("America/../UTC America\\Sao_Paulo zone.tab tzdata.zi Europe/Berlin\u0000 \u202eUTC \uff35\uff34\uff23"),
    *words("UTC\u0301 \U0001f9ea US/Pacific-New"),
    *("America/Sao Paulo", "x" * 64, "a/" * 31 + "a"),
]
CRONS = [
    *("0 9 31 2 *", "0 9 30 2 *", "\u202e0 9 * * *", "0 9 * * *\u0000", "0 9 * * * # x"),
    *("H H H H H", "5m", "\U0001f9ea"),
]


def schedules() -> Iterator[Bad]:
    """Schedules that only the operator can judge: what a CronJob refuses, and what never comes due."""
    seen = set()
    for line in VECTORS.read_text().splitlines():
        vector = json.loads(line)
        if vector["error"] and vector["schedule"] not in seen and "H" not in vector["schedule"]:
            seen.add(vector["schedule"])
            schedule = {"type": "cron", "value": vector["schedule"], "timeZone": "UTC"}
            yield Bad(f"cron {vector['schedule']!r}", json.dumps(BASE | {"schedule": schedule}), "schedule")
    for value in CRONS:
        yield Bad(f"cron {value!r}", json.dumps(BASE | {"schedule": {"type": "cron", "value": value}}), "schedule")
    for value in INTERVALS:
        schedule = {"type": "interval", "value": value}
        yield Bad(f"interval {value[:20]!r}", json.dumps(BASE | {"schedule": schedule}), "schedule")
    for zone in ZONES:
        schedule = {"type": "cron", "value": "0 9 * * *", "timeZone": zone}
        yield Bad(f"zone {zone[:20]!r}", json.dumps(BASE | {"schedule": schedule}), "timeZone")


RUNNERS: list[tuple[dict[str, Any], str]] = [
    ({"resources": {"limits": {"a b": "1"}}}, "spec.runner.resources"),
    ({"resources": {"limits": {"x/y/z": "1", "b c": "1", "-": "1"}}}, "spec.runner.resources"),
    ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, "spec.runner.resources"),
    ({"resources": {"requests": {"hugepages-2Mi": "1Mi"}}}, "spec.runner.resources"),
    ({"resources": {"limits": {"cpu": "0.0000000001"}, "requests": {"unheardof": 1}}}, "spec.runner.resources"),
    ({"nodeSelector": {"-x": "y"}}, "spec.runner.nodeSelector"),
    ({"nodeSelector": {"a b": "c d", "e f": "g h", "\u202e": "🧪"}}, "spec.runner.nodeSelector"),
    ({"nodeSelector": {"x" * 400: "y"}}, "spec.runner.nodeSelector"),
    ({"nodeSelector": {"": "y"}}, "spec.runner.nodeSelector"),
    ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "spec.runner.tolerations"),
    ({"tolerations": [{"key": "a b", "operator": "Exists"}]}, "spec.runner.tolerations"),
    ({"tolerations": [{"operator": "Equal", "value": "b"}]}, "spec.runner.tolerations"),
    ({"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]}, "spec.runner.tolerations"),
    ({"tolerations": [{"key": "a", "value": "b c"}] * 20}, "spec.runner.tolerations"),
]


def refused_cron_jobs() -> Iterator[Bad]:
    """What the schema lets through and the API server refuses in the CronJob."""
    for runner, field in RUNNERS:
        yield Bad(f"runner {str(runner)[:60]}", json.dumps(BASE | {"runner": runner}), field)
    for name, key in (("a", ".."), ("a", ".")):
        reference = {"configMapKeyRef": {"name": name, "key": key}}
        spec = json.dumps(BASE | {"task": {"promptFrom": reference}})
        yield Bad(f"prompt from {name} {key}", spec, "spec.task.promptFrom.configMapKeyRef")
