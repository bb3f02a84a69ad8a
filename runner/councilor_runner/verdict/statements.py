"""What an answer states, as opposed to what it merely names. Pure; works on normalised text.

"0 falhas", `test_error_on_timeout`, "- [x] fix the failing login" and a quoted message are full of trouble words and no
trouble. They are taken out before anything is read, so that no later step can be misled by them:

* ticked items of a checklist, and counts of zero ("errors: 0", "0 failed", `"violations": []`), together with the line
  or clause they fill;
* code spans, quotations, identifiers, options and paths: a mark stays in their place.
"""

import re

from councilor_runner.verdict.text import shorten

MENTION = "§"
"""Stands where something was named."""

LONGEST_READ = 60_000
"""Characters that are read, half from either end."""
_LONGEST_LINE = 2_000
"""Longer lines are read in pieces: patterns that look for a closing quote must not search a megabyte for it."""

_LONG_LINE = re.compile(rf"[^\n]{{{_LONGEST_LINE}}}")
_FENCE_LINE = re.compile(r"^[ >]*(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_ITEM = r"^[ >]*(?:[-*+•]|\d+[.)])?\s*"
_TICKED = re.compile(rf"{_ITEM}(?:\[\s?[x✓✔✅]\s?\]|☑|✅\s*\[x\])[^\n]*$", re.MULTILINE)
_UNTICKED = re.compile(rf"{_ITEM}(?:\[ \]|☐)", re.MULTILINE)
_FIGURE = re.compile(r"\W*\d*\W*")
_CODE_SPAN = re.compile(r"(`+)(?!`)[^\n]*?[^`]\1(?!`)")
_JSON_PAIR = re.compile(r'"([\w-]+)"\s*:\s*("[^"\n]*"|\[\s*\]|\{\s*\}|-?[\d.]+|null|true|false)')
_JSON_SYMBOLS = re.compile(r"^[\s{}\[\],]+$", re.MULTILINE)
_QUOTATION = re.compile(r'“[^”\n]*”|«[^»\n]*»|"[^"\n]*"(?!\s*:)')
_IDENTIFIER = re.compile(
    r"(?<![\w])(?!\d+/\d+(?![\w/])|n/a\b)"  # 3/12 is a share
    r"(?:[\w@~.-]*[\w~]?(?:[/\\][\w@.~*-]+|::|_)[\w@./\\:~*-]*"  # a/path, c::name, snake_case
    r"|\.\w[\w-]*|--\w[\w-]*"  # .css-class, --option
    r"|\w+(?:\.\w*[a-z_]\w*)+\b)"  # module.name, file.txt
)
_MARKUP = re.compile(r"\*\*|__|[#>]+(?=\s)")
_SPACES = re.compile(r"[^\S\n]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE_END = re.compile(r"\s*(?:,(?!\d)|[;|])\s*|\s+(?:and|e|ou|or)\s+(?=0\b|zero\b)")

_TROUBLE = (
    r"(?:err(?:or|o)s?|errored|fail(?:s|ed|ures?|ing)?|falh(?:as?|ou|aram)|warn(?:ings?)?|avisos?|alert(?:s|as?)?|"
    r"critic(?:al|[oa]s?)|fatal(?:s|is)?|fatais|high|alt[oa]s?|moderate|moderad[oa]s?|medi(?:um|[oa]s?)|low|baix[oa]s?|"
    r"severe|graves?|vulnerabilit(?:y|ies)|vulnerabilidades?|issues?|problem(?:s|as?)?|findings?|achados?|"
    r"violations?|violac(?:ao|oes)|exceptions?|excec(?:ao|oes)|ignored|ignorad[oa]s?|skip(?:s|ped)|pulad[oa]s?|"
    r"crash(?:es)?|panics?|time-?outs?|deadlocks?|reject(?:ed|ions?)|rejeitad[oa]s?|recusad[oa]s?|refused|"
    r"duplicat(?:es?|ed)|duplicad[oa]s?|broken|quebrad[oa]s?|incident(?:s|es?)?|regress(?:ions?|ao|oes)|"
    r"mismatch(?:es)?|divergenc(?:es|ias?)|orphan(?:s|ed)?|orfaos?|nulls?|nulos?|missing|ausentes?|faltantes?|"
    r"lost|perdid[oa]s?|perdas?|dropped|descartad[oa]s?|flaky|instave(?:l|is)|leaks?|vazamentos?|conflicts?|conflitos?|"
    r"restarts?|reinicios?|retries|retentativas|outages?|quedas?|anomal(?:y|ies|ias?)|outliers?|bugs?|defects?|defeitos?|"
    r"deprecat(?:ed|ions?)|depreciad[oa]s?|expired|vencid[oa]s?|expirad[oa]s?|overdue|atrasad[oa]s?|outdated|"
    r"desatualizad[oa]s?|pending|pendentes?|pendencias?|blocked|bloquead[oa]s?|corrupt(?:ed|ions?)|corrompid[oa]s?|"
    r"atencao|caution|attention|stale|obsolet[eoa]s?|unused|todos?|fixmes?|denied|negad[oa]s?|5xx|4xx)"
)
_SAYS = re.compile(rf"[^\W_]|[^\x00-\x7f{MENTION}]")
"""A word, a number or a symbol such as an emoji."""
_ZERO = r"(?:0+(?:[.,]0+)?\s?%?|zero)"
_OF_ALL = r"(?:\s?/\s?\d+|\s+(?:out of|of|de)\s+\d+)?"
_NOTHING = rf"(?:{_ZERO}{_OF_ALL}|\[\s*\]|\{{\s*\}}|none|nenhum[ao]?|nil|null|no|nao|false|n/a|-)"
_DECORATION = rf"[^\w{MENTION}]*+"
_SEPARATOR = r"(?:[:=|(\u2013\u2014\u2192]|->|=>|\.{2,}:?)?"
_ZERO_COUNT = re.compile(
    rf"(?:{_DECORATION}\d+[.)])?{_DECORATION}(?:"
    rf"{_ZERO}{_OF_ALL}(?:\s+[\w-]+){{0,2}}?\s+{_TROUBLE}(?:[\s/-]+[\w-]+){{0,3}}"  # 0 failed, 0 new errors in the log
    rf"|(?:[\w-]+\s+){{0,3}}{_TROUBLE}(?:\s+[\w()-]+){{0,5}}\s*{_SEPARATOR}\s*{_NOTHING}"  # errors in the log: none
    rf"){_DECORATION}"
)


def statements(text: str, *, identifiers: bool = False) -> list[str]:
    """Return the sentences and lines of a text, rid of what they only name, of ticked items and of counts of zero.

    With `identifiers` these stay, for who looks for one of them.
    """
    said = _named_only_removed(text, identifiers=identifiers)
    sentences = (_without_zero_counts(sentence.strip()) for sentence in _SENTENCE_END.split(said))
    return [sentence for sentence in sentences if sentence]


def has_identifier(text: str) -> bool:
    """Whether some of a text is an identifier, an option or a path."""
    return _IDENTIFIER.search(text) is not None


def _named_only_removed(text: str, *, identifiers: bool) -> str:
    text = _LONG_LINE.sub(r"\g<0>\n", shorten(text, LONGEST_READ))
    text = _FENCE_LINE.sub("", text)
    text = _TICKED.sub("", text)
    text = _UNTICKED.sub("\n☐ ", text)
    text = _CODE_SPAN.sub(_named, text)
    text = _JSON_PAIR.sub(lambda pair: f"\n{pair[1].replace('_', ' ').replace('-', ' ')}: {_value(pair[2])}\n", text)
    text = _JSON_SYMBOLS.sub("", _QUOTATION.sub(_named, text))
    if not identifiers:
        text = _IDENTIFIER.sub(f" {MENTION} ", text)
    # One space each: patterns with several optional gaps would divide many in every way.
    return _SPACES.sub(" ", _MARKUP.sub("", text))


def _named(match: re.Match[str]) -> str:
    # A figure says something, however it is set.
    return match[0].strip('`"“”«»') if _FIGURE.fullmatch(match[0]) else f" {MENTION} "


def _value(text: str) -> str:
    return "0" if text in ("null", "false", '""') or text[0] in "[{" else text.strip('"')


def _without_zero_counts(sentence: str) -> str:
    if not _SAYS.search(sentence) or _ZERO_COUNT.fullmatch(sentence):
        return ""
    if "0" not in sentence and "zero" not in sentence:
        return sentence
    clauses = [clause for clause in _CLAUSE_END.split(sentence) if clause and not _ZERO_COUNT.fullmatch(clause)]
    kept = ", ".join(clauses).strip(" ,;|-*•")
    return kept if _SAYS.search(kept) else ""
