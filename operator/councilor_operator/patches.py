"""JSON merge patches (RFC 7386): the difference between what is and what is wanted. Pure."""

from collections.abc import Mapping
from typing import Any


def merge_patch(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) from `observed` to `desired`; empty when they are equal."""
    patch: dict[str, Any] = {key: None for key in observed if key not in desired}
    for key, value in desired.items():
        before = observed.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if nested := merge_patch(before, value):
                patch[key] = nested
        elif before != value or isinstance(before, bool) is not isinstance(value, bool):
            patch[key] = value
    return patch
