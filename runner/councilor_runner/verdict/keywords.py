"""The keywords a Councilor brings itself: words in their context. Pure; works on normalised text.

A keyword counts where a statement asserts it: as a whole word, not within a negation's reach ("sem ressalva"), not
counted as zero, and not merely named in a code span, a quotation, an identifier or a ticked item.
"""

import re
from collections.abc import Iterable, Sequence

from councilor_runner.verdict.features import words
from councilor_runner.verdict.text import fold


def asserted(keywords: Iterable[str], statements: Sequence[str]) -> bool:
    """Whether a statement asserts one of the keywords."""
    patterns = [re.escape(" ".join(fold(word).split())).replace(r"\ ", r"\s+") for word in keywords if word.strip()]
    if not patterns:
        return False
    pattern = re.compile(r"(?<![\w-])(?:" + "|".join(patterns) + r")(?![\w-])")
    return any(
        not _negated(statement[: match.start()]) for statement in statements for match in pattern.finditer(statement)
    )


def _negated(before: str) -> bool:
    # The word that follows: whatever it is, a negation reaches it or does not.
    *_, (_, negated) = words(f"{before} x")
    return negated
