"""A Councilor of the namespace as the sync sees it, and whether it is one of the sync's own. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from pydantic import ValidationError

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.constants import ANNOTATION_DOCUMENT, LABEL_SOURCE, SOURCE_MONGODB
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.sync.identity import councilor_name


@dataclass(frozen=True, slots=True)
class Existing:
    """A Councilor, without its status, and its spec as read once."""

    councilor: ObservedCouncilor
    spec: CouncilorSpec | None
    """None for one that the types do not take: an older CRD let it through."""

    @classmethod
    def of(cls, councilor: ObservedCouncilor) -> Self:
        """Take a Councilor as observed."""
        try:
            # A newer CRD may write out defaults of fields that the types here do not know: no reason to write.
            spec = CouncilorSpec.model_validate(councilor.spec, by_alias=True, by_name=False, extra="ignore")
        except ValidationError:
            spec = None
        # The status is the operator's, and several times as large.
        return cls(replace(councilor, status={}), spec)

    @property
    def uid(self) -> str:
        return self.councilor.uid

    @property
    def resource_version(self) -> str:
        return self.councilor.resource_version

    @property
    def name(self) -> str:
        return self.councilor.name

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.councilor.annotations

    @property
    def is_own(self) -> bool:
        """Whether the sync made it.

        The label alone is not enough: a Councilor that somebody copied from another one has it, too, but not the name
        that follows from the document.
        """
        document = self.annotations.get(ANNOTATION_DOCUMENT, "")
        labelled = self.councilor.labels.get(LABEL_SOURCE) == SOURCE_MONGODB
        return labelled and bool(document) and self.councilor.name == councilor_name(document)
