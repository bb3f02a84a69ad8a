"""The agent's own verdict: a line such as `SEVERITY: warning`. Pure; works on normalised text.

Agents decorate the line (`**Severidade:** atenção`, `> Verdict: SUCCESS ✅`), translate it and sometimes repeat it;
the last one counts. What it must not be mistaken for: a sentence that begins alike ("Status: 3 errors were fixed"),
the instruction itself echoed ("SEVERITY: success|warning|error"), a line of a quoted log.
"""

import re

from councilor_runner.contract import Severity

_WORDS: dict[Severity, tuple[str, ...]] = {
    "success": (
        "success", "successful", "succeeded", "ok", "okay", "pass", "passed", "green", "healthy", "clean",
        "sucesso", "bem-sucedido", "bem-sucedida", "aprovado", "aprovada", "verde", "saudavel",
    ),
    "warning": (
        "warning", "warnings", "warn", "caution", "attention", "needs attention", "yellow", "amber",
        "alerta", "atencao", "aviso", "advertencia", "amarelo", "amarela",
    ),
    "error": (
        "error", "errors", "err", "fail", "failed", "failure", "failing", "critical", "fatal", "red", "broken",
        "erro", "falha", "falhou", "critico", "critica", "grave", "reprovado", "reprovada", "vermelho", "vermelha",
    ),
}  # fmt: skip

SEVERITIES: dict[str, Severity] = {word: severity for severity, words in _WORDS.items() for word in words}

# Possessive: rules of asterisks would be tried in every division.
_DECORATION = r"[\s*_`~>#\-+•=]*+"
# Symbols in front of the word: an emoji, brackets, more decoration.
_SYMBOLS = r"(?:[^\w\n|/]|_)*"
_KEY = r"(?P<key>severity|severidade|verdict|veredito|veredicto|status)"
_ADJECTIVE = r"(?:(?:overall|final|global|geral|my|meu|minha)\s+)?"
_AFTER = r"(?:\s+(?:final|geral|global))?"
_WORD = r"(?P<word>" + "|".join(sorted(map(re.escape, SEVERITIES), key=len, reverse=True)) + r")"
# After the word nothing, or a remark set apart from it.
_END = rf"(?:{_SYMBOLS}|(?P<remark>[\s*_`]*[.,;:(\[\u2013\u2014][^\n|]*|\s+-\s[^\n|]*))$"
_MARKER = re.compile(
    rf"{_DECORATION}(?:\d+[.)]\s+)?{_DECORATION}{_ADJECTIVE}{_KEY}{_AFTER}[\s*_`]*[:=\u2013\u2014-]+{_SYMBOLS}{_WORD}(?![^\W_]|[/|]){_END}"
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
    found: Severity | None = None
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        match = _MARKER.match(line) if len(line) <= _LONGEST_LINE else None
        if match is not None and (not fenced or (number == last and match["key"] != "status")):
            found = SEVERITIES[match["word"]]
    return found


def is_bare_marker(line: str) -> bool:
    """Whether a line is a marker and says nothing else."""
    match = _MARKER.match(line) if len(line) <= _LONGEST_LINE else None
    return match is not None and match["remark"] is None
