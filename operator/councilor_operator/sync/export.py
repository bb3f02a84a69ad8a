"""Councilors as YAML for people, who keep them in files from then on: what `councilor-operator import` prints. Pure.

The names are those that the sync gives, so that a Councilor which is applied over a synced one keeps its history. The
sync's own label and annotations are left out: what is made from these files is nobody's but its author's.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import yaml

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_INSTANCE,
    API_VERSION,
    KIND,
    LABEL_SOURCE,
    SOURCE_MONGODB,
)
from councilor_operator.schedule import quote
from councilor_operator.sync.candidate import Candidate

WIDTH: Final = 120
_SHOWN: Final = 1200
"""Characters of a comment's text; ids, problems and notes are shorter unless somebody means harm."""
_SYNCED: Final = f"{LABEL_SOURCE}={SOURCE_MONGODB}"
# `kubectl apply` leaves labels and annotations in place that its file does not know.
_HEADER: Final = f"""\
# Councilors as they stood in Conductor's database, one document of YAML for each. From here on they are kept by hand:
# nothing here follows later changes in Conductor. Look through them, then apply them.
#
# Where a sync made Councilors from the same documents, stop it first, and take its marks from them:
#   kubectl -n %s annotate councilors -l {_SYNCED} {ANNOTATION_DOCUMENT}- {ANNOTATION_DOCUMENT_NOTE}-
#   kubectl -n %s label councilors -l {_SYNCED} {LABEL_SOURCE}-
"""
_OTHER_LINE_ENDS: Final = re.compile("[\r\x85\u2028\u2029]")
_LETTER: Final = "A-Za-z/\u00a1-\U0010ffff"
_PLAIN: Final = re.compile(f"[{_LETTER}][{_LETTER}0-9_.-]*(?: [{_LETTER}0-9_.-]+)*|[0-9]+[mhd]")
"""Texts that every reader of YAML takes for texts, unless they are one of these words."""
_WORDS_FOR_OTHERS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_NOTHING: Final = "# No document is a councilor that could be written down here.\n"


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: no anchors, lists indented, texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - signature of the library
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - as above
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # The emitter itself falls back to quotation marks where a block could not hold the text: trailing blanks, control
    # characters. The other ends of lines are such to some readers of YAML only, and written as escapes.
    # kubectl's reader, of YAML 1.1 and older than this one, takes `n` for false and `1e3` for a number.
    if _OTHER_LINE_ENDS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _PLAIN.fullmatch(text) and text.lower() not in _WORDS_FOR_OTHERS:
        style = ""
    else:
        # Between double ones it would write every emoji as a number.
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def left_out(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that no Councilor is written for, as no run may come of them."""
    return [candidate for candidate in candidates if candidate.problem is not None]


def render(candidates: Sequence[Candidate], namespace: str) -> str:
    """Return the Councilors as YAML documents for a namespace, with what is odd about each in comments above it.

    Those that are left out (`left_out`) are named in comments with their problem.
    """
    parts = [_HEADER % (namespace, namespace)]
    parts += ["#\n" + _comment(f"Left out: {item.document}", f"{item.problem}") for item in left_out(candidates)]
    written = [candidate for candidate in candidates if candidate.problem is None]
    parts += [f"---\n{_comment(item.document, *item.notes)}{_manifest(item, namespace)}" for item in written]
    return "".join(parts if written else [*parts, _NOTHING])


def _comment(*lines: str) -> str:
    # On one line each, whatever an id holds: what follows a line's end would be YAML.
    first, *rest = (quote(line, _SHOWN)[1:-1] for line in lines)
    return "".join([f"# {first}\n", *(f"#   {line}\n" for line in rest)])


def _manifest(candidate: Candidate, namespace: str) -> str:
    metadata: dict[str, Any] = {"name": candidate.name, "namespace": namespace}
    if candidate.instance_id is not None:
        metadata["annotations"] = {ANNOTATION_INSTANCE: candidate.instance_id}
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": candidate.spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return text
