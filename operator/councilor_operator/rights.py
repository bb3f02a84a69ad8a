"""What operator, sync and `verify` ask of the API server, as RBAC rules: no more than they use, which tests prove from
the API server's own record.

Whoever installs the operator binds them to its service account: in a ClusterRole where it watches all namespaces, in a
Role in each namespace of COUNCILOR_NAMESPACES otherwise. The sync has a service account of its own, bound in a Role of
its one namespace, and so has `verify`. Discovery is open to every account (ClusterRole system:discovery).
"""

from typing import Final

from councilor_operator.constants import GROUP, PLURAL

# No right to read Secrets or ConfigMaps. Jobs are deleted only where a run by hand replaces another one; for the rest
# there are owner references. A CronJob is read by name before anything is said to be absent; of the events, those of a
# Job without a Pod are read: nothing else says who refused it.
RULES: Final[list[dict[str, list[str]]]] = [
    {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["patch"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get", "list", "watch", "create", "patch"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs/status"], "verbs": ["patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["list", "create"]},
]
"""Rules as in rbac.authorization.k8s.io/v1; every resource is namespaced."""

# Neither statuses nor CronJobs: what becomes of a Councilor is the operator's business.
SYNC_RULES: Final[list[dict[str, list[str]]]] = [
    {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["list", "watch", "create", "patch", "delete"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
]
"""The sync's rules for the namespace of its Councilors, in the same form."""

VERIFY_RULES: Final[list[dict[str, list[str]]]] = [
    {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]
"""The rules of `councilor-operator verify` for the namespace that it works in, in the same form."""
