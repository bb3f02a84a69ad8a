"""Labels in front of statements: "Atenção: …", "- **Critical:** …". Pure; works on statements.

They are the agent's own word on one finding, where the marker line is its word on all of them; so they are not weighed
but believed. What a label says of nothing ("Erro: 0") is no statement any more when it gets here.
"""

import re
from collections.abc import Sequence

from councilor_runner.contract import Severity

# Possessive: a line of symbols would be divided between the two in every way.
_BEFORE = r"(?:[^\w\n]|_)*+(?:\d+[.)]\s*)?(?:[^\w\n]|_)*+"
_WARNING = re.compile(
    rf"{_BEFORE}(?:(?:ponto|pontos) de atencao|atencao|alerta|aviso|cuidado|warning|caution|attention)\s*[:!]\s*\S"
)
_ERROR = re.compile(
    rf"{_BEFORE}(?:critical|critic[oa]|erro(?: grave| critico| fatal)?|falha(?: grave| critica)?|error|failure|fatal|"
    r"urgente?|blocker|bloqueante)\s*[:!]\s*\S"
)


def severity_of_labels(statements: Sequence[str]) -> Severity | None:
    """Return the severest label in front of a statement, None where there is none."""
    if any(_ERROR.match(statement) for statement in statements):
        return "error"
    return "warning" if any(_WARNING.match(statement) for statement in statements) else None
