"""Values that the chart is rendered with: together they set every one of them."""

from typing import Any, Final

Values = dict[str, Any]

MONITORING: Final[Values] = {
    "metrics": {
        "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True, "interval": "1m", "labels": {"team": "platform"}},
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "alertLabels": {"team": "platform"},
            "disabled": ["CouncilorUnhealthy", "CouncilorSyncDown"],
        },
        "dashboard": {"enabled": True, "labels": {"grafana": "yes"}, "annotations": {"grafana_folder": "Agents"}},
        "service": {"annotations": {"note": "metrics"}},
    }
}
POD: Final[Values] = {
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi", "cpu": 2}},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podLabels": {"team": "platform"},
    "podAnnotations": {"note": "of a Pod"},
    "extraEnv": [{"name": "TZ", "value": "Europe/Berlin"}],
    "replicas": 2,
    "logLevel": "debug",
    "workers": 4,
}
SYNC: Final[Values] = {"sync": {"enabled": True, "namespace": "councilors"}}

MATRIX: Final[dict[str, Values]] = {
    "defaults": {},
    "sync": SYNC,
    "sync-in-its-own-namespace": {"sync": {"enabled": True}},
    "names": {"nameOverride": "agents"},
    "full-name": {"fullnameOverride": "a" * 40},
    "common": {"commonLabels": {"team": "platform"}, "commonAnnotations": {"note": "everywhere"}, **SYNC},
    "image": {
        "image": {
            "registry": "registry.example:5000",
            "repository": "agents/operator",
            "tag": "1.2.3",
            "pullPolicy": "Always",
        },
        "imagePullSecrets": ["registry"],
    },
    "image-by-digest": {
        "image": {"digest": "sha256:" + "0" * 64},
        "runner": {"image": {"digest": "sha256:" + "1" * 64}},
    },
    "conductor": {
        "conductor": {
            "gatewayUrl": "https://gateway.example/conductor",
            "protocol": "seed",
            "headers": {"X-Tenant": 'one & "two"'},
            "database": "elsewhere",
        },
        "defaults": {"timeZone": "America/Sao_Paulo", "cwd": "/srv/project"},
    },
    "one-namespace": {"namespaces": ["chamber"]},
    "namespaces": {"namespaces": ["chamber", "council", "councilors"], **SYNC},
    "operator": {"operator": {**POD, "resyncSeconds": 60, "metricsPerCouncilor": False}},
    "operator-account": {
        "operator": {"serviceAccount": {"create": False, "name": "mine"}},
        "sync": {"enabled": True, "serviceAccount": {"create": False, "name": "its"}},
    },
    "operator-account-named": {
        "operator": {"serviceAccount": {"name": "mine", "annotations": {"role": "reader"}}},
        "sync": {"enabled": True, "serviceAccount": {"name": "its", "annotations": {"role": "writer"}}},
    },
    "default-account": {"operator": {"serviceAccount": {"create": False}}},
    "disruption": {
        "operator": {"podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"}},
        "sync": {"enabled": True, "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1}},
    },
    "runner": {
        "runner": {
            "image": {
                "registry": "registry.example",
                "repository": "agents/runner",
                "tag": "1.2.3",
                "pullPolicy": "Never",
            },
            "imagePullSecrets": ["registry", "other"],
            "secretName": "credentials",
            "notificationsSecretName": "addresses",
            "caConfigMapName": "authorities",
            "proxy": {"http": "http://proxy:3128", "https": "http://proxy:3129", "noProxy": [".svc", "10.0.0.1"]},
            "resources": {"requests": {"cpu": "1"}},
            "nodeSelector": {"disk": "fast"},
            "tolerations": [{"operator": "Exists"}],
        }
    },
    "runner-without-resources": {"runner": {"resources": {"requests": None, "limits": None}}},
    "sync-settings": {
        "sync": {
            **SYNC["sync"],
            **POD,
            "mongodb": {"secretName": "mongo", "secretKey": "uri"},
            "cronDialect": "conductor",
            "timeZone": "America/Sao_Paulo",
            "pollSeconds": 5,
            "fullSeconds": 60,
            "confirmationSeconds": 120,
            "maxDeletions": 5,
        }
    },
    "without-rights": {"rbac": {"create": False}, **SYNC},
    "without-user-roles": {"rbac": {"aggregateToUserRoles": False}},
    "without-metrics": {"metrics": {"enabled": False}, **SYNC},
    "without-services": {"metrics": {"service": {"enabled": False}}, **SYNC},
    "monitoring": {**MONITORING, **SYNC},
    "network": {
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "apiServer": {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [6443]},
            "mongodb": {"to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}], "ports": [27017, 27018]},
            "runner": {
                "enabled": True,
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.3/32"}}], "ports": [{"port": 8000}]}],
            },
        },
        "namespaces": ["chamber", "councilors"],
        **SYNC,
    },
    "network-open": {"networkPolicy": {"enabled": True, "runner": {"enabled": True}}, **SYNC},
    "verify": {"verify": {"namespace": "chamber", "agentId": "Reviewer_Agent", "cwd": "/srv", "timeoutSeconds": 300}},
    "verify-in-a-listed-namespace": {"namespaces": ["chamber"], "imagePullSecrets": ["registry"]},
    "large-numbers": {"operator": {"resyncSeconds": 10_000_000}},
}
