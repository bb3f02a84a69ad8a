"""The keyword rule for answers without a marker line. Pure; works on normalised text.

Words alone mislead: "0 falhas", "error handling is sound" and `test_error_on_timeout` are good news. So the text is
first rid of what is only named (code spans, quotations, identifiers, paths, ticked items), then read sentence by
sentence, and a keyword counts only where its sentence asserts it: not after a negation or a zero, not as a topic, not
as a quoted past that has been put right. What is said to be harmless is at most a warning.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from councilor_runner.contract import Severity, VerdictRules
from councilor_runner.verdict import lexicon
from councilor_runner.verdict.text import fold, shorten

_LONGEST_READ = 60_000
_LONGEST_LINE = 2_000
"""Longer lines are read in pieces: patterns that look for a closing quote must not search a megabyte for it."""

_ANNOUNCED_BLOCK = re.compile(
    r"(?<=[^.!?\s])\s*\n[ >]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:\n[ >]*\1[`~]*[ ]*(?=\n|$)|\Z)", re.DOTALL
)
_LONG_LINE = re.compile(rf"[^\n]{{{_LONGEST_LINE}}}")
_FENCE_LINE = re.compile(r"^[ >]*(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_TICKED = re.compile(r"^[ >]*(?:[-*+•]|\d+[.)])?\s*(?:\[x\]|☑)[^\n]*$", re.MULTILINE)
_UNTICKED = re.compile(r"^[ >]*(?:[-*+•]|\d+[.)])?\s*(?:\[ \]|☐)", re.MULTILINE)
_CODE_SPAN = re.compile(r"(`+)(?!`)[^\n]*?[^`]\1(?!`)")
_JSON_PAIR = re.compile(r'"([\w-]+)"\s*:\s*("[^"\n]*"|\[\s*\]|\{\s*\}|-?[\d.]+|null|true|false)')
_QUOTATION = re.compile(r'“[^”\n]*”|«[^»\n]*»|"[^"\n]*"(?!\s*:)')
_IDENTIFIER = re.compile(
    r"(?<![\w])(?:[\w@~.-]*[\w~]?(?:[/\\][\w@.~*-]+|::|_)[\w@./\\:~*-]*"  # a/path, c::name, snake_case
    r"|\.\w[\w-]*|--\w[\w-]*"  # .css-class, --option
    r"|\w+(?:\.\w*[a-z_]\w*)+\b)"  # module.name, file.txt
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_MARKUP = re.compile(r"\*\*|__|[#>]+(?=\s)")

_NEGATION = re.compile(r"(?<![\w.,-])(?:" + "|".join(lexicon.NEGATORS) + r")(?![\w%-]|[.,]\d)")
_CONTRAST = re.compile(r"[;:()|\u2014\u2013]|\b(?:" + "|".join(lexicon.CONTRASTS) + r")\b")
_ALTERNATIVE = re.compile(r"\b(?:or|nor|ou|nem|and|e)\b")
_REACH = 7
"""Words between a negation and what it negates."""
_NONE_AFTER = re.compile(
    r"[^.;:=|\n]{0,45}(?:\([^)]*\))?\s*[:=|]\s*"  # "errors in the log:", "| critical |"
    r"(?:0(?:[.,]0+)?(?![\d.,]*[1-9])|\[\s*\]|(?:zero|none|nenhum[ao]?|nao|no|n/a|ok)(?=\s*(?:[.,;|)]|$)))"
    r"|\s+0(?![\w.,%:])"  # "errors 0"
    r"|[^.;\n]{0,45}\b(?:to|para|a) (?:zero|0)(?!\w|[.,]\d)"  # "errors fell to zero"
)


def _words(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(r"(?<![\w-])(?:" + "|".join(patterns) + r")(?![\w-])")


_TOPIC = _words(lexicon.TOPICS)
_PAST = _words(lexicon.PAST)
_RESOLVED = _words(lexicon.RESOLVED)
_DONE = _words((*lexicon.RESOLVED, *lexicon.DONE))
_MILD = _words(lexicon.MILD)
_HYPOTHETICAL = _words(lexicon.HYPOTHETICAL)
_IMPERATIVE = re.compile(r"(?:^|(?<=[;:,] ))(?:[-*+•]\s+|\d+[.)]\s+)?(?:" + "|".join(lexicon.IMPERATIVES) + ")")


@dataclass(frozen=True, slots=True)
class _Words:
    """One severity's keywords; `own` when the Councilor brings them, then nothing softens what they find."""

    pattern: re.Pattern[str] | None
    own: bool


class _Strength(Enum):
    """How firmly a sentence asserts an error."""

    NONE = auto()
    SOFT = auto()
    """Said to be harmless, or not to have happened yet."""
    FULL = auto()


@cache
def _lexicon(own: tuple[str, ...] | None, built_in: tuple[str, ...]) -> _Words:
    if own is None:
        return _Words(_words(built_in), own=False)
    patterns = [re.escape(" ".join(fold(word).split())).replace(r"\ ", r"\s+") for word in own if word.strip()]
    return _Words(_words(patterns) if patterns else None, own=True)


def severity_of_words(text: str, rules: VerdictRules) -> Severity | None:
    """Return the severest thing the text asserts, None when it asserts nothing."""
    errors = _lexicon(rules.error_keywords, lexicon.ERROR)
    warnings = _lexicon(rules.warning_keywords, lexicon.WARNING)
    text = _LONG_LINE.sub(r"\g<0>\n", shorten(text, _LONGEST_READ))
    unticked = bool(_UNTICKED.search(text))
    sentences = _sentences(_named_only_removed(text))
    warned = not warnings.own and (unticked or any(symbol in text for symbol in lexicon.WARNING_SYMBOLS))
    if not errors.own and any(symbol in text for symbol in lexicon.ERROR_SYMBOLS):
        return "error"
    for index in range(len(sentences)):
        strength = _strength(index, sentences, errors)
        if strength is _Strength.FULL:
            return "error"
        warned = warned or strength is _Strength.SOFT or _warns(index, sentences, warnings)
    return "warning" if warned else None


def _named_only_removed(text: str) -> str:
    """Remove what is mentioned rather than said; counts in JSON become "corrupted pages: 17"."""
    # An introduction and the block it announces are one statement: "on 3 March the worker crashed with" and its log.
    text = _ANNOUNCED_BLOCK.sub(lambda block: " — " + block[2].replace("\n", " — ") + "\n", text)
    text = _FENCE_LINE.sub("", text)
    text = _TICKED.sub("", text)
    text = _CODE_SPAN.sub(" § ", text)
    text = _JSON_PAIR.sub(lambda pair: f"\n{pair[1].replace('_', ' ').replace('-', ' ')}: {_value(pair[2])}\n", text)
    text = _QUOTATION.sub(" § ", text)
    text = _IDENTIFIER.sub(" § ", text)
    return _MARKUP.sub("", text)


def _value(text: str) -> str:
    return "0" if text in ("null", "false", '""') or text[0] in "[{" else text.strip('"')


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def _asserted(index: int, sentences: Sequence[str], words: _Words) -> Iterator[re.Match[str]]:
    """Find the keywords that a sentence says of the present, leaving out what it denies, only talks about or buries."""
    sentence = sentences[index]
    if words.pattern is None or (words.pattern.search(sentence) and _put_right(index, sentences)):
        return
    topics = [] if words.own else [match.span() for match in _TOPIC.finditer(sentence)]
    for hit in words.pattern.finditer(sentence):
        topical = any(start <= hit.start() < end for start, end in topics)
        if not topical and not _negated(sentence[: hit.start()]) and not _NONE_AFTER.match(sentence, hit.end()):
            yield hit


def _strength(index: int, sentences: Sequence[str], errors: _Words) -> _Strength:
    strength = _Strength.NONE
    for hit in _asserted(index, sentences, errors):
        hypothetical = _HYPOTHETICAL.search(sentences[index], 0, hit.start()) is not None
        if errors.own or not (hypothetical or _mild(index, sentences)):
            return _Strength.FULL
        strength = _Strength.SOFT
    return strength


def _warns(index: int, sentences: Sequence[str], warnings: _Words) -> bool:
    if next(_asserted(index, sentences, warnings), None) is not None:
        return True
    return not warnings.own and _IMPERATIVE.search(sentences[index]) is not None


def _negated(before: str) -> bool:
    """Whether a negation or a zero reaches the end of this text."""
    *_, clause = _CONTRAST.split(before)
    if "," in clause:
        # "no errors, warnings or skips" is one list; in "no tests ran, three failed" the comma ends the negation.
        tail = clause.rsplit(",", 1)[1]
        if len(tail.split()) > 2 and not _ALTERNATIVE.search(tail):
            clause = tail
        elif not _ALTERNATIVE.search(tail) and _NEGATION.search(tail) is None and re.search(r"\d", tail):
            return False
    return _NEGATION.search(" ".join(clause.split()[-_REACH:])) is not None


def _put_right(index: int, sentences: Sequence[str]) -> bool:
    """Whether a sentence tells of the past, and it or one soon after says that this is over."""
    if _RESOLVED.search(sentences[index]):
        return True
    return bool(_PAST.search(sentences[index])) and any(_DONE.search(s) for s in sentences[index : index + 4])


def _mild(index: int, sentences: Sequence[str]) -> bool:
    return any(_MILD.search(sentence) for sentence in sentences[max(0, index - 1) : index + 2])
