"""The keywords a Councilor brings itself: words in their context. Pure; works on normalised text.

A keyword counts where a statement asserts it: as a whole word, not within a negation's reach ("sem ressalva"), not
counted as zero, and not merely named in a code span, a quotation, a ticked item, or an identifier other than itself.
"""

import re
from collections.abc import Iterable

from councilor_runner.verdict.features import words
from councilor_runner.verdict.statements import has_identifier, statements
from councilor_runner.verdict.text import fold


def asserted(keywords: Iterable[str], text: str) -> bool:
    """Whether a text asserts one of the keywords."""
    folded = [" ".join(fold(word).split()) for word in keywords if word.strip()]
    return any(
        _asserted([word for word in folded if has_identifier(word) == identifiers], text, identifiers=identifiers)
        for identifiers in (False, True)
    )


def _asserted(keywords: list[str], text: str, *, identifiers: bool) -> bool:
    if not keywords:
        return False
    alternatives = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in keywords)
    pattern = re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])")
    return any(
        not _negated(statement[: match.start()])
        for statement in statements(text, identifiers=identifiers)
        for match in pattern.finditer(statement)
    )


def _negated(before: str) -> bool:
    # The word that follows: whatever it is, a negation reaches it or does not.
    *_, (_, negated) = words(f"{before} x")
    return negated
