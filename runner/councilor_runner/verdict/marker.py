"""The agent's own verdict: a line such as `SEVERITY: warning`. Pure; works on normalised text.

Agents decorate the line (`**Severidade:** atenção`, `> Verdict: SUCCESS ✅`), translate it and sometimes repeat it;
the last one counts. What it must not be mistaken for: a sentence that begins alike ("Status: 3 errors were fixed"),
the instruction itself echoed ("SEVERITY: success|warning|error"), a line of a quoted log.
"""

import re
from collections.abc import Iterator

from councilor_runner.contract import Severity

_WORDS: dict[Severity, tuple[str, ...]] = {
    "success": (
        "success", "successful", "succeeded", "ok", "okay", "pass", "passed", "green", "healthy", "clean",
        "sucesso", "bem-sucedido", "bem-sucedida", "aprovado", "aprovada", "verde", "saudavel",
    ),
    "warning": (
        "warning", "warnings", "warn", "caution", "attention", "needs attention", "yellow", "amber",
        "success with warnings", "partial success", "aprovado com ressalvas", "aprovada com ressalvas",
        "alerta", "atencao", "aviso", "advertencia", "amarelo", "amarela",
    ),
    "error": (
        "error", "errors", "err", "fail", "failed", "failure", "failing", "critical", "fatal", "red", "broken",
        "erro", "falha", "falhou", "critico", "critica", "grave", "reprovado", "reprovada", "vermelho", "vermelha",
    ),
}  # fmt: skip

_GRADES: dict[Severity, tuple[str, ...]] = {
    "success": ("info", "none", "nenhuma"),
    "warning": ("medium", "moderate", "low", "minor", "degraded", "media", "moderada", "baixa"),
    "error": ("high", "major", "severe", "blocker", "rejected", "alta", "rejeitado", "rejeitada"),
}
"""Grades of a scale that findings have, too: a verdict only where they cannot belong to one finding of several."""

_PLAIN: dict[str, Severity] = {word: severity for severity, words in _WORDS.items() for word in words}
_GRADED: dict[str, Severity] = {word: severity for severity, words in _GRADES.items() for word in words}
_SEVERITIES = _PLAIN | _GRADED

# Possessive throughout: rules of asterisks or dashes would be tried in every division.
_SYMBOLS = r"(?:[^\w\n|/]|_)*+"
_KEYS = ("severity", "severidade", "verdict", "veredito", "veredicto", "status")
_KEY = rf"(?P<key>{'|'.join(_KEYS)})"
_QUALIFIER = r"(?:(?:the|o|a|overall|final|global|geral|my|meu|minha|run|report|task|nivel de)\s+){0,2}"
_AFTER = r"(?:\s+(?:level|rating|final|geral|global|d[aeo] \w+|\(\w+\)))?"
_WORD = r"(?P<word>" + "|".join(sorted(map(re.escape, _SEVERITIES), key=len, reverse=True)) + r")"
# After the word nothing, or a remark set apart from it.
_END = (
    rf"(?:{_SYMBOLS}|(?P<remark>[\s*_`]*+(?:[.,;:(\[\u2013\u2014\u2192]|->|-{{1,2}}\s|\|)[^\n]*"
    r"|\s+(?:because|due to|porque|devido a)\s[^\n]*))$"
)
_MARKER = re.compile(
    rf"{_SYMBOLS}(?:\d+[.)]\s+)?{_SYMBOLS}{_QUALIFIER}{_KEY}{_AFTER}[\s*_`]*+(?:[:=\u2013\u2014\u2192-]++|->){_SYMBOLS}{_WORD}"
    rf"(?![^\W_]|[/|]){_END}"
)
_NEXT = re.compile(rf"(?<=[.!?])\s+(?=[\s*_`]*{_QUALIFIER}(?:{'|'.join(_KEYS)})\b)")
"""Where a marker follows the last sentence on its line."""
# "critical: 0", "errors. None found": a count. "success, warning or error": the instruction repeated.
_NO_VERDICT = re.compile(
    r"[^\w\n]*(?:0\b|zero\b|none\b|nenhum)|.*(?:,|\||\bor\b|\bou\b)\W*(?:" + "|".join(_PLAIN) + r")\b"
)
_FENCE = re.compile(r"[ >]*(?:`{3,}|~{3,})")
_LONGEST_LINE = 500
"""A marker with a remark is short; a line of a megabyte is no marker and would only cost time."""


def severity_of_marker(text: str) -> Severity | None:
    """Return the severity of the last marker line, None when there is none.

    A marker inside a fenced block is the agent's own only where it ends the answer: elsewhere the block quotes
    something.
    """
    lines = text.split("\n")
    last = max((number for number, line in enumerate(lines) if line.strip("`~ >")), default=-1)
    fenced = False
    found: list[tuple[int, re.Match[str]]] = []
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        own = (match for match in _markers(line) if not fenced or (number == last and match["key"] != "status"))
        found.extend((number, match) for match in own)
    verdicts = [
        match["word"] for number, match in found if match["word"] in _PLAIN or len(found) == 1 or number == last
    ]
    return _SEVERITIES[verdicts[-1]] if verdicts else None


def is_bare_marker(line: str) -> bool:
    """Whether a line is a marker and says nothing else."""
    match = _MARKER.match(line) if len(line) <= _LONGEST_LINE else None
    return match is not None and match["remark"] is None


def _markers(line: str) -> Iterator[re.Match[str]]:
    if len(line) > _LONGEST_LINE:
        return
    for piece in _NEXT.split(line):
        match = _MARKER.match(piece)
        if match is None or (match["key"] == "status" and (match["remark"] or match["word"] in _GRADED)):
            # "Status: ok, but the backup failed" reports the state of something.
            continue
        if match["remark"] is None or not _NO_VERDICT.match(match["remark"]):
            yield match
