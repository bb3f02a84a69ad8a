"""What the benchmark of the sync writes: documents of Conductor's database, and the Councilors that they ask for, made
with the sync's own code so that they are of the same size."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from councilor_operator.constants import GROUP, PLURAL, VERSION
from councilor_operator.sync.candidate import Candidate, Collection, SourceDocument
from councilor_operator.sync.plan import manifest
from councilor_operator.sync.translation import TranslationRules, one_for_each_name, translate
from tests.bench.client import Request
from tests.controlplane.sync import agent, instance

Document = dict[str, Any]

PROMPT_CHARACTERS: Final = 1000
PERSONA: Final = "You read the code of one project and report on it, in the words of whoever works there. " * 6


def collection_of(number: int) -> Collection:
    """Return where a document stands: half of them are agents, half instances of other agents."""
    return "agents" if number % 2 == 0 else "agent_instances"


def key_of(number: int) -> Document:
    """Return the filter that finds a document."""
    return {"agent_id": _agent_id(number)}


def document(number: int) -> Document:
    """Return a document; its Councilor runs once a year, on New Year's Day."""
    configuration = {
        "title": f"Review {number:05}",
        "schedule": {"type": "cron", "value": f"{number % 60} {number % 24} 1 1 *", "enabled": True},
        "task": {"name": "Review", "prompt": _prompt(number)},
    }
    if collection_of(number) == "agents":
        return {**agent(_agent_id(number), **configuration), "persona": {"content": PERSONA}}
    return instance(_agent_id(number), number, **configuration)


def documents(collection: Collection, count: int) -> list[Document]:
    """Return those of so many documents that stand in a collection."""
    return [document(number) for number in range(count) if collection_of(number) == collection]


def another_time(number: int, change: int) -> str:
    """Return a schedule value that no document has had before the change of this number."""
    return f"{number % 60} {change % 24} {2 + change // 24} 1 *"


def candidates(count: int) -> list[Candidate]:
    """Return what so many documents ask for."""
    rules = TranslationRules()
    sources = (SourceDocument(collection_of(number), f"{number:024x}", document(number)) for number in range(count))
    return one_for_each_name(translate(source, rules) for source in sources)


def names(found: Iterable[Candidate]) -> Mapping[str, str]:
    """Return the names of the Councilors by the ids of their agents."""
    return {candidate.spec.agent_id: candidate.name for candidate in found}


def create(candidate: Candidate, namespace: str) -> Request:
    """Return the request that creates a Councilor, as the sync sends it."""
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
    parameters = "fieldManager=councilor-floor&fieldValidation=Strict"
    return Request("POST", f"{path}?{parameters}", manifest(candidate, namespace))


def _agent_id(number: int) -> str:
    return f"Reviewer_Agent_{number:05}"


def _prompt(number: int) -> str:
    text = f"Review module {number:05}." + " Report what is missing, what is wrong and what to do first." * 20
    return text[:PROMPT_CHARACTERS]
