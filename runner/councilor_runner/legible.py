"""Texts of agents in a form that can be shown and compared: without what steers terminals or hides. Pure.

An agent's answer comes from a command line tool and may hold colours, cursor movements and characters that turn the
reading direction. The record keeps it as it was; status, notifications and the verdict get this form.
"""

import re

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|$)"  # CSI: colours, cursor (ECMA-48 5.4)
    # OSC, DCS and their like. Without an end on the same line it was none: text that was read in a wrong encoding has
    # such characters, and what follows may be the verdict.
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x07\x1b\x90\x98\x9c-\x9f\r\n]*+(?:\x07|\x1b\\|\x9c))?"
    r"|\x1b[ -/]*[0-~]?"  # the short ones
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Without what separates words or lines."""
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]")
"""Zero width and no effect on the letters beside it, or an effect on the direction of everything after it. The joiners
of emoji and of several scripts stay."""


def legible(text: str) -> str:
    """Return the text without escape sequences, control characters and invisible characters."""
    return _INVISIBLE.sub("", _CONTROL.sub("", _ESCAPE_SEQUENCE.sub("", text)))
