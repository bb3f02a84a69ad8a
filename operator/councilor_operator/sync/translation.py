"""From documents to Councilors: what each document asks for, whatever it holds, and one Councilor for each. Pure.

The fields are those of Conductor's gateway (`councilor_config`, `customization`, `agents`, `agent_instances`). Its
rules hold on some of its endpoints only, so a document may hold anything. Nothing is raised here: what is wrong in one
document becomes the `problem` of its own candidate, and the others go on. What a document does not say stays unset in
the spec, so that the defaults of the Councilor apply.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import TypeAdapter

from councilor_operator.api.spec import Channel, ContextFile, CouncilorSpec
from councilor_operator.schedule import ScheduleError, compile_schedule, quote
from councilor_operator.schedule.finding import ADVICE_LIMIT
from councilor_operator.sync import upstream
from councilor_operator.sync.candidate import Candidate, SourceDocument
from councilor_operator.sync.identity import (
    ID_FIELDS,
    ID_LIMIT,
    councilor_name,
    document_reference,
    usable_id,
)
from councilor_operator.sync.reading import Reading, accepts, cleaned, limit

Dialect = Literal["kubernetes", "conductor"]

STAND_IN_AGENT: Final = "unknown-agent"
"""Agent of a Councilor whose document names none that the CRD accepts; it never runs."""
STAND_IN_PROMPT: Final = "The document of this Councilor has no prompt that could be sent; nothing is asked."
STAND_IN_SCHEDULE: Final[dict[str, Any]] = {"type": "cron", "value": "@yearly"}

_AGENT_ID: Final = TypeAdapter[str](Annotated[str, *CouncilorSpec.model_fields["agent_id"].metadata])
_CHANNEL: Final = TypeAdapter[str](Channel)
_CONTEXT_FILE: Final = TypeAdapter[str](ContextFile)

_CSS_HEX: Final = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
# The rules of the schema (api.spec.Schedule), which pydantic does not check.
_INTERVAL: Final = re.compile(r"[1-9][0-9]*[mhd]")
_INTERVAL_AS_CRON: Final = re.compile(r"[0-9]+ *[smhd]$")
_LEADING_ZEROS: Final = re.compile(r"0+([1-9][0-9]*[mhd])")
_ZONE_PREFIX: Final = re.compile(r"(?:CRON_)?TZ=\S*\s*", re.IGNORECASE)
# Any will do: it decides about the values of H alone.
_UID: Final = "any"

_CONFIG: Final = "councilor_config"
_SCHEDULE: Final = f"{_CONFIG}.schedule"
_TASK: Final = f"{_CONFIG}.task"
_NOTIFICATIONS: Final = f"{_CONFIG}.notifications"


@dataclass(frozen=True, slots=True)
class TranslationRules:
    """How documents are read: settings of the sync.

    `dialect` is whose reading of cron expressions counts: "kubernetes" takes them as they are written, "conductor"
    translates them so that they come due as under Conductor's own scheduler. `time_zone`, the name of
    a zone, is set on each schedule; None leaves it out, and the operator's default applies.
    """

    dialect: Dialect = "kubernetes"
    time_zone: str | None = None


def translate(document: SourceDocument, rules: TranslationRules) -> Candidate:
    """Return the Councilor that a document asks for. Never raises."""
    reading = Reading(document.body)
    identifier = _identifier(document, reading)
    agent_id = _agent_id(document, reading)
    spec = _spec(document, reading, rules, agent_id)
    reference = document_reference(document.collection, identifier, document.key)
    return Candidate(
        document=reference,
        key=document.key,
        name=councilor_name(reference),
        spec=spec,
        instance_id=identifier if document.collection == "agent_instances" else None,
        problem=reading.problem,
        notes=reading.notes,
    )


def one_for_each_name(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates with unique names, ordered by name.

    Of live documents with the same id (the unique index may be missing) the first counts, and says so: the one with
    the smallest `_id` in MongoDB's order, in which they come. An agent that is a councilor in both collections gets a
    note in each.
    """
    by_name: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_name[candidate.name].append(candidate)
    return _with_notes_on_both([_first(by_name[name]) for name in sorted(by_name)])


def _first(namesakes: list[Candidate]) -> Candidate:
    if len(namesakes) == 1:
        return namesakes[0]
    first, *others = sorted(namesakes, key=lambda candidate: candidate.document)
    same = [other for other in others if other.document == first.document]
    notes = first.notes
    if same:
        field = ID_FIELDS["agents" if _is_legacy(first) else "agent_instances"]
        note = (
            f"{field}: the same as in {_counted(len(same), 'other document')}; this Councilor stands for the one whose "
            f"_id is {quote(first.key)}. Remove the others or change their id"
        )
        notes = (*notes, note)
    if different := sorted({other.document for other in others} - {first.document}):
        note = f"{quote(different[0], ID_LIMIT)} would have the same name and has no Councilor: change its id"
        notes = (*notes, note)
    return replace(first, notes=notes)


def _with_notes_on_both(candidates: list[Candidate]) -> list[Candidate]:
    # One that is paused is asked for nothing; nor is one with a problem, whose stand-in schedule is not enabled.
    named = [candidate for candidate in candidates if candidate.spec.schedule.enabled]
    legacy = {candidate.spec.agent_id for candidate in named if _is_legacy(candidate)}
    instances = Counter(candidate.spec.agent_id for candidate in named if not _is_legacy(candidate))
    noted = []
    for candidate in candidates:
        agent = candidate.spec.agent_id
        if not candidate.spec.schedule.enabled or agent not in legacy or agent not in instances:
            noted.append(candidate)
            continue
        others = (
            f"{_counted(instances[agent], 'document')} of agent_instances" if _is_legacy(candidate) else "one of agents"
        )
        note = f"agent_id: the same agent has {others} as well, and is asked for each of them; remove what is too much"
        noted.append(replace(candidate, notes=(note, *candidate.notes)))
    return noted


def _is_legacy(candidate: Candidate) -> bool:
    return candidate.document.startswith("agents/")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _identifier(document: SourceDocument, reading: Reading) -> str | None:
    field = ID_FIELDS[document.collection]
    identifier = usable_id(document.body.get(field))
    if identifier is None and document.collection == "agent_instances":
        reading.refuse(
            field, f"write the id of the instance, text of 1 to {ID_LIMIT} characters: its runs are counted by it"
        )
    return identifier


def _agent_id(document: SourceDocument, reading: Reading) -> str | None:
    value = document.body.get("agent_id")
    most = limit("agentId")
    if not isinstance(value, str) or not value.strip():
        reading.refuse("agent_id", "missing, write the id of the agent, for example LicenseAuditor_Agent")
    elif len(value) > most:
        reading.refuse("agent_id", f"has {len(value)} characters, at most {most} are possible")
    elif not accepts(_AGENT_ID, value):
        reading.refuse("agent_id", "holds blanks, slashes or control characters, write an id without them")
    else:
        return value
    return None


def _spec(document: SourceDocument, reading: Reading, rules: TranslationRules, agent_id: str | None) -> CouncilorSpec:
    fields: dict[str, Any] = {
        "agent_id": agent_id or STAND_IN_AGENT,
        "title": reading.label(f"{_CONFIG}.title", limit("title")),
        **_appearance(document, reading),
    }
    if reading.is_object(_CONFIG, "with title, schedule, task and notifications", required=True):
        fields["schedule"] = _schedule(reading, rules)
        fields["task"] = _task(reading)
        fields["notifications"] = _notifications(reading)
    else:
        fields["schedule"], fields["task"] = _timed(STAND_IN_SCHEDULE, rules), {"prompt": STAND_IN_PROMPT}
    fields["execution"] = _execution(reading)
    if reading.problem is not None:
        fields["schedule"] = {**fields["schedule"], "enabled": False}
    return CouncilorSpec.model_validate({name: value for name, value in fields.items() if value is not None})


def _appearance(document: SourceDocument, reading: Reading) -> dict[str, str | None]:
    """What is only displayed; nothing here is worth refusing a run."""
    definition, customization = "definition", "customization"
    for path in (definition, customization):
        value = reading.value(path)
        if value is not None and not isinstance(value, Mapping):
            reading.note(path, "left out, it is no object")
    names = [f"{definition}.name" if document.collection == "agents" else f"{definition}.title", "name"]
    colors = [f"{definition}.color", "color"]
    if reading.value(f"{customization}.enabled") is not False:
        names.insert(0, f"{customization}.display_name")
        colors.insert(0, f"{customization}.color")
    name = _first_label(reading, names, limit("displayName"))
    return {
        "display_name": name if name != document.body.get("agent_id") else None,
        "emoji": _first_label(reading, [f"{definition}.emoji", "emoji"], limit("emoji")),
        "color": _color(reading, colors),
    }


def _first_label(reading: Reading, paths: list[str], most: int) -> str | None:
    return next((label for path in paths if (label := reading.label(path, most)) is not None), None)


def _color(reading: Reading, paths: list[str]) -> str | None:
    for path in paths:
        value = reading.value(path)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if isinstance(value, str) and _CSS_HEX.fullmatch(cleaned(value)):
            return cleaned(value)
        reading.note(path, "left out, it is no colour such as #5b21b6")
    return None


def _schedule(reading: Reading, rules: TranslationRules) -> dict[str, Any]:
    if not reading.is_object(_SCHEDULE, "with type and value", required=True):
        return _timed(STAND_IN_SCHEDULE, rules)
    enabled = reading.flag(f"{_SCHEDULE}.enabled")
    if reading.value(f"{_SCHEDULE}.enabled") is None:
        missing = "missing, read as true; Conductor's own scheduler leaves such a councilor out. Write true or false"
        reading.note(f"{_SCHEDULE}.enabled", missing)
    type_ = reading.text(f"{_SCHEDULE}.type", "write interval or cron", required=True)
    value = reading.text(f"{_SCHEDULE}.value", "write an interval such as 6h or five cron fields", required=True)
    schedule = STAND_IN_SCHEDULE
    if type_ is not None and value is not None:
        schedule = _timing(reading, rules, type_, value) or _as_written(type_, value)
    timed = _timed(schedule, rules)
    return timed if enabled is None else {**timed, "enabled": enabled}


def _timed(schedule: dict[str, Any], rules: TranslationRules) -> dict[str, Any]:
    return schedule if rules.time_zone is None else {**schedule, "time_zone": rules.time_zone}


def _timing(reading: Reading, rules: TranslationRules, type_: str, value: str) -> dict[str, Any] | None:
    """Return type and value for a Councilor, None where they are refused."""
    path, most = f"{_SCHEDULE}.value", limit("schedule.value")
    shown = f"{path} {quote(value)}"
    if len(value) > most:
        reading.refuse(path, f"has {len(value)} characters, at most {most} are possible")
        return None
    if type_ == "interval" and (padded := _LEADING_ZEROS.fullmatch(value)) is not None:
        value = padded[1]
    if type_ == "cron" and _ZONE_PREFIX.match(value):
        reading.refuse(
            shown,
            "begins with a time zone, which a document cannot choose: leave it out; the zone of all of them is the "
            "setting COUNCILOR_SYNC_TIME_ZONE",
        )
        return None
    notes: tuple[str, ...] = ()
    try:
        if type_ == "cron" and rules.dialect == "conductor":
            adapted = upstream.adapt(value)
            value, notes = adapted.value, adapted.notes
        compile_schedule(type=type_, value=value, time_zone=None, default_zone="UTC", uid=_UID)
    except upstream.UpstreamError as error:
        reading.refuse(shown, error.message)
        return None
    except ScheduleError as error:
        _refuse_schedule(reading, error, rules.dialect)
        return None
    if type_ == "cron" and rules.dialect == "kubernetes":
        notes = upstream.differences(value)
    if notes:
        reading.note(shown, "; ".join(notes))
    return {"type": type_, "value": value}


def _refuse_schedule(reading: Reading, error: ScheduleError, dialect: Dialect) -> None:
    """Refuse a schedule by the document's path, where the schedule's own message has the Councilor's."""
    message = error.message
    if dialect == "kubernetes" and error.suggestion is not None and (value := error.suggestion.value) is not None:
        # Advice with weekday numbers would be read otherwise by Conductor's scheduler.
        message = message.replace(quote(value, ADVICE_LIMIT), quote(upstream.unambiguous(value), ADVICE_LIMIT))
    if message.startswith(error.field):
        reading.refuse_as(f"{_CONFIG}.{message}")
    else:
        reading.refuse(f"{_CONFIG}.{error.field}", message.replace(f" in {error.field}", "", 1))


def _as_written(type_: str, value: str) -> dict[str, Any]:
    """Return a refused schedule for people to see, where the CRD takes it; else a stand-in."""
    rule = {"cron": not _INTERVAL_AS_CRON.match(value), "interval": bool(_INTERVAL.fullmatch(value))}
    fits = rule.get(type_, False) and len(value) <= limit("schedule.value") and value.isprintable()
    return {"type": type_, "value": value} if fits else STAND_IN_SCHEDULE


def _task(reading: Reading) -> dict[str, Any]:
    task: dict[str, Any] = {"prompt": STAND_IN_PROMPT}
    if not reading.is_object(_TASK, "with name and prompt", required=True):
        return task
    if name := reading.label(f"{_TASK}.name", limit("task.name")):
        task["name"] = name
    prompt, most = reading.text(f"{_TASK}.prompt", "write what the agent is asked", required=True), limit("task.prompt")
    if prompt is not None and len(prompt) > most:
        reading.refuse(f"{_TASK}.prompt", f"has {len(prompt)} characters, at most {most} are possible; shorten it")
    elif prompt is not None:
        task["prompt"] = prompt
    if files := _context_files(reading):
        task["context_files"] = files
    form = reading.value(f"{_TASK}.output_format")
    if isinstance(form, str) and form in {"summary", "detailed", "checklist"}:
        task["output_format"] = form
    elif form is not None:
        reading.refuse(f"{_TASK}.output_format", "write summary, detailed or checklist")
    return task


def _context_files(reading: Reading) -> list[str] | None:
    path, most = f"{_TASK}.context_files", limit("task.contextFiles", "maxItems")
    entry = "write a path on one line, of at most 1024 characters"
    files = reading.texts(path, _CONTEXT_FILE, "a list of file paths", entry)
    if files is not None and len(files) > most:
        reading.refuse(path, f"has {len(files)} entries, at most {most} are possible")
        return None
    return files


def _execution(reading: Reading) -> dict[str, str] | None:
    cwd, most = reading.text("cwd", "write the path of a directory on Conductor's host"), limit("execution.cwd")
    if cwd is not None and len(cwd) > most:
        reading.refuse("cwd", f"has {len(cwd)} characters, at most {most} are possible")
        return None
    return {"cwd": cwd} if cwd is not None else None


def _notifications(reading: Reading) -> dict[str, Any] | None:
    if not reading.is_object(_NOTIFICATIONS, "with on_success, on_warning, on_error and channels"):
        return None
    told: dict[str, Any] = {
        name: flag
        for name in ("on_success", "on_warning", "on_error")
        if (flag := reading.flag(f"{_NOTIFICATIONS}.{name}")) is not None
    }
    path, most = f"{_NOTIFICATIONS}.channels", limit("notifications.channels", "maxItems")
    entry = "write panel, toast, email or a key of the Secret councilor-notifications"
    channels = reading.texts(path, _CHANNEL, "a list of channels", entry)
    if channels is not None:
        # A set, and Conductor stores it in another order each time.
        told["channels"] = sorted(set(channels))
        if not channels:
            reading.note(path, "empty, so nobody is told. Write panel, toast or email")
        if len(told["channels"]) > most:
            reading.refuse(path, f"has {len(told['channels'])} different entries, at most {most} are possible")
            del told["channels"]
    return told or None
