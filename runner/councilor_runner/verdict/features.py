"""What a reader of statements goes by: words in their context, as names of features. Pure.

A feature is a short text such as `s:failed`, `b:no>longer` or `n:target<`. Which of them speak for success, warning or
error was learned (see `reading`); this module only says which ones a text has:

* `s:` a word without its ending, so that inflected forms share what is known about them; `c:` four letters within a
  word, for words that were never met;
* `b:` two words in a row, `<` and `>` being the ends of a statement;
* `n:` how a number compares with what it is compared to: "3 of 3", "from 7 to 15", "79 % against a target of 80 %".

A word within reach of a negation is another word ("!failed"); a number is `#`, or `0`.
"""

import re
from collections.abc import Iterable, Iterator

from councilor_runner.verdict.statements import MENTION

_TOKEN = re.compile(rf"[a-z]+(?:['-][a-z]+)*|\d+(?:[.,]\d+)*|[^\w\s]|{MENTION}")
_NEGATORS = frozenset((
    "0", "zero", "no", "not", "none", "never", "nothing", "nobody", "neither", "nor", "without", "isn't", "aren't",
    "wasn't", "weren't", "didn't", "doesn't", "don't", "hasn't", "haven't", "hadn't", "couldn't", "can't", "cannot",
    "won't", "nao", "nem", "nenhum", "nenhuma", "nenhuns", "sem", "nada", "ninguem", "nunca", "jamais",
))  # fmt: skip
_CLAUSE_ENDS = frozenset((
    ".", ";", ":", "!", "?", "|", "(", ")", "\u2014", "\u2013", "but", "yet", "however", "although", "though",
    "except", "mas", "porem", "contudo", "todavia", "embora", "exceto",
))  # fmt: skip
_REACH = 4
"""Words behind a negation that it changes."""
_STEM = 6
"""Letters that tell a word from others; what follows is mostly inflection, in Portuguese as in English."""
_PIECE = 4

_NUMBER = r"(\d+(?:[.,]\d+)*)"
_SHARE = re.compile(
    rf"(?<![\w.,]){_NUMBER}\s*(?:of|out of|d[eao]s?|em cada|in|/)\s*(?:the |all |um total de |total de )?{_NUMBER}"
    r"(?![\w.,])"
)
_CHANGE = re.compile(
    rf"(?:from|de|was|era)\s+\D{{0,3}}{_NUMBER}(?:\s*[^\d\s.,;]+)?\s+(?:to|para|a|now|agora)\s+\D{{0,3}}{_NUMBER}"
)
_MARK = re.compile(
    r"(?<!\w)(?:targets?|goals?|bars?|thresholds?|minimum|metas?|alvos?|minimos?|piso|objectives?|objetivos?|slo|sla|"
    r"limits?|limites?|caps?|ceilings?|tetos?|budgets?|orcamentos?|forecasts?|previsto|planned|plan|tolerances?|"
    r"tolerancias?|maximum|maximos?|allowed|permitidos?|window|janela|last (?:week|month|year|quarter|run|night)|"
    r"(?:semana|mes|ano|sprint) (?:passad[oa]|anterior)|average|media|usual|normal|before|antes)(?!\w)"
)
_MEASURE = re.compile(rf"{_NUMBER}\s*(%?)")
_NEAR = 0.1
"""Part of a mark within which a number has nearly reached it."""
_FEW = 0.05
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")


def features(statements: Iterable[str]) -> frozenset[str]:
    """Return the features of a text."""
    found: set[str] = set()
    for statement in statements:
        found.update(_of_words(statement))
        found.update(_of_numbers(statement))
    return frozenset(found)


def words(statement: str) -> Iterator[tuple[str, bool]]:
    """Yield each word or sign, numbers as `#` or `0`, and whether it is within a negation's reach."""
    reach = 0
    for match in _TOKEN.finditer(statement):
        word = match[0]
        if word[0].isdigit():
            word = "#" if word.strip("0.,") else "0"
        if word in _CLAUSE_ENDS:
            reach = 0
        yield word, reach > 0
        reach = _REACH if word in _NEGATORS else max(0, reach - 1)


def _of_words(statement: str) -> Iterator[str]:
    before = "<"
    for word, negated in words(statement):
        sign = "!" if negated else ""
        stem = sign + word[:_STEM]
        yield f"s:{stem}"
        yield f"b:{before}>{stem}"
        before = stem
        if len(word) >= _PIECE and word.isalpha():
            framed = f"<{word}>"
            for start in range(len(framed) - _PIECE + 1):
                yield f"c:{sign}{framed[start : start + _PIECE]}"
    yield f"b:{before}>>"


def _of_numbers(statement: str) -> Iterator[str]:
    for match in _SHARE.finditer(statement):
        part, whole = _value(match[1]), _value(match[2])
        if whole:
            yield f"n:of{'few' if 0 < part / whole < _FEW else _relation(part / whole)}"
    for match in _CHANGE.finditer(statement):
        before, after = _value(match[1]), _value(match[2])
        yield "n:up" if after > before else "n:down" if after < before else "n:same"
    mark = _MARK.search(statement)
    if mark is not None:
        yield from _against(mark, list(_MEASURE.finditer(statement)))


def _against(mark: re.Match[str], measures: list[re.Match[str]]) -> Iterator[str]:
    """Compare the number that belongs to a mark ("a target of 80 %") with the first other one of its kind."""

    def distance(measure: re.Match[str]) -> int:
        # What follows the mark belongs to it more often than what precedes it.
        gap = measure.start() - mark.end()
        return gap if gap >= 0 else 2 * (mark.start() - measure.start())

    if not measures:
        return
    own = min(measures, key=distance)
    for measure in measures:
        if measure is not own and measure[2] == own[2] and _value(own[1]):
            yield f"n:{mark[0][:_STEM]}{_relation(_value(measure[1]) / _value(own[1]))}"
            return


def _relation(ratio: float) -> str:
    if ratio == 1:
        return "="
    return ("<" if ratio < 1 else ">") + ("~" if abs(ratio - 1) <= _NEAR else "")


def _value(number: str) -> float:
    # A point or comma before three digits separates thousands in one of the two languages.
    if _THOUSANDS.fullmatch(number):
        return float(re.sub(r"[.,]", "", number))
    whole, _, fraction = number.replace(",", ".").rpartition(".")
    return float(f"{whole.replace('.', '')}.{fraction}" if whole else fraction)
