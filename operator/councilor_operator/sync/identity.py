"""Names of the Councilors that stand for documents: the same in every round, whatever other documents there are. Pure.

Ids of Conductor have upper case and `_`, any length, and can be equal once made fit for Kubernetes. So every name ends
in a hash of collection and exact id, also where the readable part alone would do: a name that depended on what other
documents there are would change with them, and a Councilor's history hangs on its name.
"""

import hashlib
import re
import unicodedata
from typing import Any, Final

from councilor_operator.names import CRON_JOB_LIMIT
from councilor_operator.sync.candidate import Collection

ID_FIELDS: Final[dict[Collection, str]] = {"agents": "agent_id", "agent_instances": "instance_id"}
"""The field that identifies a document in each collection."""
ID_LIMIT: Final = 1024
"""Characters of an id that is taken over as it is; it stands in an annotation. Conductor's own stay far below."""
_HASH_LENGTH: Final = 8
_READABLE_LIMIT: Final = CRON_JOB_LIMIT - _HASH_LENGTH - 1
_UNNAMED: Final = "councilor"
_INSTANCE_ID: Final = re.compile(r"councilor_(?P<agent>.+)_[0-9]{10,13}", re.DOTALL)
"""`councilor_{agent_id}_{Unix seconds or milliseconds}`."""


def document_key(identifier: Any) -> str:
    """Return `_id` as text: the digits of an ObjectId, text as it is, anything else with its type before it, so that
    5 and "5" stay two documents."""
    if isinstance(identifier, str):
        return identifier
    kind = type(identifier).__name__
    return str(identifier) if kind == "ObjectId" else f"{kind}:{identifier}"


def usable_id(value: Any) -> str | None:
    """Return the value of an id field if a document can be known by it: text, not blank, of bounded length."""
    if not isinstance(value, str) or not value.strip() or len(value) > ID_LIMIT:
        return None
    plain = value.encode("utf-8", "replace").decode()
    return plain if plain == value else None


def document_reference(collection: Collection, identifier: str | None, key: str) -> str:
    """Return what the annotation says of a document: collection and exact id, `agents/LicenseAuditor_Agent`.

    Without an id (`usable_id`) it is `_id`, `agents/_id:698b3e954f1a7c20d8e6b359`; one that no annotation should hold
    is hashed.
    """
    if identifier is not None:
        return f"{collection}/{identifier}"
    fit = usable_id(key)
    return f"{collection}/_id:{fit if fit is not None else hashlib.sha256(_bytes(key)).hexdigest()}"


def councilor_name(reference: str) -> str:
    """Return the name of the Councilor that stands for a document, at most 52 characters.

    It follows from the `document_reference` alone: whatever becomes of the document's other fields, its Councilor stays
    the same one and keeps its history.
    """
    return f"{_cleaned(_readable(reference)) or _UNNAMED}-{_digest(reference)}"


def _readable(reference: str) -> str:
    """Return what people recognize in an id: of an instance, as Conductor makes them, the agent."""
    collection, _, identifier = reference.partition("/")
    if identifier.startswith("_id:"):
        return ""
    made = _INSTANCE_ID.fullmatch(identifier) if collection == "agent_instances" else None
    return made["agent"] if made else identifier


def _digest(reference: str) -> str:
    return hashlib.sha256(_bytes(reference)).hexdigest()[:_HASH_LENGTH]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _cleaned(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text[:ID_LIMIT]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_READABLE_LIMIT].rstrip("-")
