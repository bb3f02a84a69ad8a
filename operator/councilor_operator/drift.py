"""Whether an object still holds what the operator last said. Pure.

The API server adds defaults and normalises quantities, so the question is not equality: every field of the manifest
has to be there with the same meaning. This finds foreign edits that an input hash alone would miss.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

# Maps that belong to one writer as a whole (core/v1, x-kubernetes-map-type: atomic): one more entry changes the
# meaning.
_ATOMIC = frozenset({"nodeSelector"})
# Lists whose entries have a name and may have different owners (core/v1, x-kubernetes-list-type: map): what others add
# to them, server-side apply leaves alone, and so do we.
_KEYED = {"containers": "name", "env": "name", "imagePullSecrets": "name", "ownerReferences": "uid"}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?"
)
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    suffix: Decimal(10) ** power
    for suffix, power in {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.items()
}


def covers(observed: Any, desired: Any) -> bool:
    """Tell whether `observed` holds everything that `desired` says.

    Mappings may have more keys and keyed lists more entries; other lists must have the same length.
    """
    if isinstance(desired, Mapping):
        return isinstance(observed, Mapping) and all(
            _covers_key(observed.get(key), value, key) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(observed, list)
            and len(observed) == len(desired)
            and all(covers(have, want) for have, want in zip(observed, desired, strict=True))
        )
    return bool(observed == desired)


def _covers_key(observed: Any, desired: Any, key: str) -> bool:
    if key == "resources" and isinstance(observed, Mapping):
        return all(
            _same_quantities(observed.get(kind, {}), amounts)
            for kind, amounts in desired.items()
            if kind in {"limits", "requests"}
        )
    if key in _ATOMIC:
        return bool(observed == desired)
    if (name := _KEYED.get(key)) is not None and isinstance(observed, list):
        entries = {entry[name]: entry for entry in observed}
        return all(covers(entries.get(entry[name]), entry) for entry in desired)
    # The API server leaves out what is empty or false; zero it keeps.
    if observed is None and (desired is False or desired in ("", {}, [])):
        return True
    return covers(observed, desired)


def _same_quantities(observed: Mapping[str, str], desired: Mapping[str, str]) -> bool:
    return all(name in observed and _amount(observed[name]) == _amount(amount) for name, amount in desired.items())


def _amount(quantity: str) -> Decimal | str:
    """Return the value of a quantity such as 0.5, 500m or 1Gi (apimachinery resource.Quantity); text that is none as
    it is."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        return quantity
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix in _DECIMAL:
        return number * _DECIMAL[suffix]
    return number.scaleb(int(suffix[1:])) if suffix else number
