"""Preparing an answer for comparison. Pure."""

import unicodedata

LONGEST_READ = 400_000
"""Characters that are read. Of a longer answer its beginning and its end, where findings and conclusion stand."""

_INVISIBLE = {ord(c): None for c in "\u200b\u200c\u200d\u2060\ufeff\ufe0f\u00ad"}


def normalise(text: str) -> str:
    """Return the text without case, accents, carriage returns and white space at the end of lines.

    Upper-casing first makes letters with two lower-case forms equal; what is left of accents after decomposition is
    dropped, because agents write "atencao" as well as "atenção".
    """
    text = shorten(text.rstrip(), LONGEST_READ).translate(_INVISIBLE)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return fold("\n".join(line.rstrip() for line in lines)).strip()


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters as it is, else its first and last part."""
    return text if len(text) <= limit else f"{text[: limit // 2]}\n{text[-limit // 2 :]}"


def fold(text: str) -> str:
    """Return a text, or a keyword, in the form in which they are compared."""
    decomposed = unicodedata.normalize("NFKD", text.upper().casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))
