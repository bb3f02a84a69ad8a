"""Debian's packages in an image, as components of a list of parts (CycloneDX 1.5). Reads a docker-archive alone."""

from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hack.release.image import layers

_STATUS: Final = "var/lib/dpkg/status"
"""dpkg's list of what is installed: paragraphs of fields, deb822(5)."""


def components(archive: Path) -> list[dict[str, Any]]:
    """Return a component for each installed package, in the order of their names.

    Raises LookupError when no layer of the image has dpkg's list.
    """
    found = [_component(fields) for fields in _paragraphs(_status(archive)) if fields["Status"].endswith(" installed")]
    return sorted(found, key=lambda component: str(component["bom-ref"]))


def _component(fields: Mapping[str, str]) -> dict[str, Any]:
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    # https://github.com/package-url/purl-spec, type deb: an epoch's colon is escaped.
    reference = f"pkg:deb/debian/{quote(name, safe='+.-')}@{quote(version, safe='+.-~')}?arch={architecture}"
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference}


def _paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield dict(HeaderParser().parsestr(paragraph).items())


def _status(archive: Path) -> str:
    for layer in layers(archive):
        for file in layer:
            if file.name.removeprefix("./") == _STATUS and (content := layer.extractfile(file)) is not None:
                return content.read().decode()
    raise LookupError(f"{archive.name} has no /{_STATUS}: its base is not Debian")
