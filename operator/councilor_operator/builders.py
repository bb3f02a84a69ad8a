"""Desired state: from a Councilor to its CronJob. Pure, imports no client.

A manifest is the complete set of fields that the operator owns, as server-side apply wants it, and a function of the
spec *and* of the operator's configuration, so that its hash rolls every CronJob when either changes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import (
    ANNOTATION_AGENT,
    ANNOTATION_COUNCILOR,
    ANNOTATION_INPUT_HASH,
    ANNOTATION_INSTANCE,
    ANNOTATION_INSTANTIATE,
    API_VERSION,
    KIND,
    LABEL_CONTROLLER_UID,
    LABEL_COUNCILOR,
    LABEL_COUNCILOR_UID,
    LABEL_JOB_NAME,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_PURPOSE,
    MANAGED_BY,
    PURPOSE_REPORT,
    RUNNER_APP,
)
from councilor_operator.names import cron_job_name, label_value, report_job_name
from councilor_operator.observed import ObservedCouncilor, ObservedJob
from councilor_operator.schedule import CompiledSchedule
from councilor_runner import contract

Manifest = dict[str, Any]

# What a run may need beyond the agent's own time: starting the Pod, claiming, recording, notifying.
START_AND_RECORD_SECONDS = 180
GRACE_PERIOD_SECONDS = 30
# The Job controller waits 10 s before the second Pod and doubles up to 6 min (Kubernetes batch/v1, backoffLimit).
BACKOFF_SECONDS = 10
BACKOFF_LIMIT_SECONDS = 360
RUNNER_USER = 65532
_CHANNELS = "notifications"
CA_VOLUME, CA_PATH, CA_KEY = "certificate-authorities", "/etc/councilor/certificate-authorities", "ca.crt"
# The kubelet starts a container again after 10 s, doubling up to 5 min: for some two hours.
REPORT_ATTEMPTS = 30
REPORT_DEADLINE_SECONDS = 6 * 3600
REPORT_KEPT_SECONDS = 3600
CONTRACT_LIMIT = 128 * 1024 - len(contract.ENV_CONTRACT) - 2
"""Bytes that fit into one environment variable (Linux, MAX_ARG_STRLEN, with the name, the equals sign and the end)."""


def build_cron_job(
    councilor: ObservedCouncilor,
    spec: CouncilorSpec,
    schedule: CompiledSchedule,
    config: OperatorConfig,
    *,
    run: contract.RunContract,
    suspended: bool,
) -> Manifest:
    """Return the CronJob (batch/v1) of a Councilor, its input hash included."""
    labels, annotations = _labels(councilor), _annotations(councilor, spec)
    name = cron_job_name(councilor.name)
    manifest: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": councilor.namespace,
            "labels": labels,
            "annotations": dict(annotations),
            "ownerReferences": [_owner(councilor)],
        },
        "spec": {
            "schedule": schedule.cron_expression,
            "timeZone": schedule.time_zone,
            # Null is a claim too: server-side apply removes what others set. A deadline shorter than the interval keeps
            # it from ever firing (batch/v1 CronJob); the runner looks after the Councilor's own.
            "startingDeadlineSeconds": None,
            "suspend": suspended,
            "concurrencyPolicy": spec.concurrency_policy,
            "successfulJobsHistoryLimit": spec.history.successful_runs,
            "failedJobsHistoryLimit": spec.history.failed_runs,
            "jobTemplate": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    # One Pod at a time and at once, and a Job that stays until it is counted; defaults that others
                    # might change.
                    "parallelism": 1,
                    "completions": 1,
                    "suspend": False,
                    "ttlSecondsAfterFinished": None,
                    "backoffLimit": spec.execution.retries,
                    "activeDeadlineSeconds": job_deadline_seconds(spec),
                    "podReplacementPolicy": "Failed",
                    "podFailurePolicy": _pod_failure_policy(),
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": _run_pod(run, spec, config),
                    },
                },
            },
        },
    }
    manifest["metadata"]["annotations"][ANNOTATION_INPUT_HASH] = input_hash(manifest)
    return manifest


def build_contract(
    councilor: ObservedCouncilor, spec: CouncilorSpec, config: OperatorConfig, *, cwd: str
) -> contract.RunContract:
    """Return what the runner is told: the snapshot of the spec, the operator's addresses, no secrets."""
    execution = spec.execution
    return contract.RunContract(
        councilor=contract.CouncilorRef(
            namespace=councilor.namespace,
            name=councilor.name,
            uid=councilor.uid,
            generation=councilor.generation,
            cron_job_name=cron_job_name(councilor.name),
            title=spec.title,
            emoji=spec.emoji,
        ),
        agent=contract.Agent(
            id=spec.agent_id,
            display_name=spec.display_name,
            instance_id=councilor.annotations.get(ANNOTATION_INSTANCE),
        ),
        task=contract.Task(
            name=spec.task.name or spec.title or councilor.name,
            prompt=spec.task.prompt,
            context_files=spec.task.context_files,
            output_format=spec.task.output_format,
        ),
        execution=contract.Execution(
            cwd=cwd,
            provider=execution.provider,
            context_mode=execution.context_mode,
            timeout_seconds=execution.timeout_seconds,
            starting_deadline_seconds=spec.schedule.starting_deadline_seconds,
            retries=execution.retries,
        ),
        verdict=contract.VerdictRules.model_validate(spec.verdict.model_dump()),
        notifications=contract.Notifications.model_validate(
            {**spec.notifications.model_dump(), "secret": config.notifications_secret}
        ),
        endpoints=contract.Endpoints(
            conductor_url=config.conductor_url,
            gateway_url=config.conductor_gateway_url,
            protocol=config.conductor_protocol,
            headers=config.conductor_headers,
            database=config.database,
        ),
    )


def build_manual_job(cron_job: Manifest, uid: str, name: str) -> Manifest:
    """Return a Job (batch/v1) of a CronJob's manifest as `kubectl create job --from=cronjob/...` makes it.

    `uid` is the CronJob's; with it as controller the Job counts in the CronJob's history limits.
    """
    metadata, template = cron_job["metadata"], cron_job["spec"]["jobTemplate"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"], "uid": uid, "controller": True}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {ANNOTATION_INSTANTIATE: "manual", **template["metadata"]["annotations"]},
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }


def build_report_job(
    councilor: ObservedCouncilor,
    spec: CouncilorSpec,
    config: OperatorConfig,
    *,
    job: ObservedJob,
    report: contract.RunReport,
) -> Manifest:
    """Return the Job (batch/v1) that records a run and tells of it; `job` is the run's own, whose ids it takes.

    It belongs to the Councilor, not to the CronJob, in whose history limits and concurrency it must not count. It has
    one Pod, whose container is started again until the database answers. Where a run may be placed and what it may use
    is left out: that may be what it died of.
    """
    labels = {**_labels(councilor), LABEL_PURPOSE: PURPOSE_REPORT}
    annotations = _annotations(councilor, spec)
    # Nothing is run there: a directory that is not known any more must not be in the way of a report.
    run = build_contract(councilor, spec, config, cwd=spec.execution.cwd or config.default_cwd or "/")
    environment = [
        # Nobody is asked anything, and a long prompt beside a report might be more than a process takes.
        _literal(contract.ENV_CONTRACT, contract_document(run.model_copy(update={"task": _without_text(run.task)}))),
        _literal(contract.ENV_REPORT, report.model_dump_json(by_alias=True, exclude_none=True)),
        _literal(contract.ENV_JOB_NAME, job.name),
        _literal(contract.ENV_JOB_UID, job.uid),
        _from_pod(contract.ENV_POD_NAME, "metadata.name"),
        *_secrets(config),
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": report_job_name(councilor.name, job.uid),
            "namespace": councilor.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [_owner(councilor)],
        },
        "spec": {
            "backoffLimit": REPORT_ATTEMPTS,
            "activeDeadlineSeconds": REPORT_DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": REPORT_KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    **_pod_spec(
                        config,
                        command="report",
                        environment=environment,
                        channels=run.notifications.secret_keys,
                        resources=dict(config.runner_resources),
                        node_selector=config.runner_node_selector,
                        tolerations=config.runner_tolerations,
                    ),
                    "restartPolicy": "OnFailure",
                },
            },
        },
    }


def _without_text(task: contract.Task) -> contract.Task:
    return task.model_copy(update={"prompt": None, "context_files": ()})


def contract_document(run: contract.RunContract) -> str:
    """Return the JSON document that the runner reads."""
    return run.model_dump_json(by_alias=True, exclude_none=True)


def job_deadline_seconds(spec: CouncilorSpec) -> int:
    """Return `activeDeadlineSeconds`: the agent's time, and room for every retry, so that the runner ends first."""
    retries = spec.execution.retries
    delays: int = sum(min(BACKOFF_SECONDS << attempt, BACKOFF_LIMIT_SECONDS) for attempt in range(retries))
    return spec.execution.timeout_seconds + START_AND_RECORD_SECONDS + delays + retries * GRACE_PERIOD_SECONDS


def input_hash(manifest: Manifest) -> str:
    """Return a digest of the whole manifest; equal hashes mean that there is nothing new to say."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def _pod_failure_policy() -> Manifest:
    final = [int(code) for code in contract.ExitCode if code and not code.retryable]
    return {
        "rules": [
            # An evicted Pod is replaced at no cost to backoffLimit; its successor has the same task id and polls.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": contract.CONTAINER_NAME, "operator": "In", "values": final},
            },
        ]
    }


def _labels(councilor: ObservedCouncilor) -> dict[str, str]:
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_NAME: RUNNER_APP,
        LABEL_COUNCILOR: label_value(councilor.name),
        LABEL_COUNCILOR_UID: councilor.uid,
    }


def _annotations(councilor: ObservedCouncilor, spec: CouncilorSpec) -> dict[str, str]:
    return {ANNOTATION_COUNCILOR: councilor.name, ANNOTATION_AGENT: spec.agent_id}


def _owner(councilor: ObservedCouncilor) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": councilor.name,
        "uid": councilor.uid,
        "controller": True,
    }


def _run_pod(run: contract.RunContract, spec: CouncilorSpec, config: OperatorConfig) -> Manifest:
    own = spec.runner
    return _pod_spec(
        config,
        command="run",
        environment=_environment(run, spec, config),
        channels=run.notifications.secret_keys,
        resources=_resources(spec, config),
        node_selector=config.runner_node_selector if own.node_selector is None else own.node_selector,
        tolerations=_tolerations(spec, config),
    )


def _pod_spec(
    config: OperatorConfig,
    *,
    command: str,
    environment: list[Manifest],
    channels: tuple[str, ...],
    resources: Manifest,
    node_selector: Mapping[str, str],
    tolerations: list[Manifest],
) -> Manifest:
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_PERIOD_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUNNER_USER,
            "runAsGroup": RUNNER_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": contract.CONTAINER_NAME,
                "image": config.runner_image,
                "imagePullPolicy": config.runner_image_pull_policy,
                "args": [command],
                "env": [*environment, *_egress(config)],
                "resources": resources,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "terminationMessagePath": contract.TERMINATION_MESSAGE_PATH,
                "terminationMessagePolicy": "File",
            }
        ],
    }
    if channels:
        pod["volumes"] = [_channel_addresses(channels, config)]
        pod["containers"][0]["volumeMounts"] = [
            {"name": _CHANNELS, "mountPath": contract.NOTIFICATIONS_PATH, "readOnly": True}
        ]
    if config.runner_ca_config_map is not None:
        _mount_authorities(pod, config.runner_ca_config_map)
    if node_selector:
        pod["nodeSelector"] = dict(node_selector)
    if tolerations:
        pod["tolerations"] = tolerations
    if config.runner_image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in config.runner_image_pull_secrets]
    return pod


def _channel_addresses(channels: tuple[str, ...], config: OperatorConfig) -> Manifest:
    """Return the volume with the keys of the Secret that this Councilor names, and no others.

    `optional` holds for the Secret and for each key: the kubelet leaves out what is not there (core/v1
    SecretVolumeSource, Kubernetes 1.36), so a missing address never keeps a run from starting.
    """
    return {
        "name": _CHANNELS,
        "secret": {
            "secretName": config.notifications_secret,
            "optional": True,
            # The files belong to root, the runner does not.
            "defaultMode": 0o444,
            "items": [{"key": name, "path": name} for name in channels],
        },
    }


def _environment(run: contract.RunContract, spec: CouncilorSpec, config: OperatorConfig) -> list[Manifest]:
    environment: list[Manifest] = [
        _literal(contract.ENV_CONTRACT, contract_document(run)),
        _from_pod(contract.ENV_POD_NAME, "metadata.name"),
        _from_pod(contract.ENV_JOB_NAME, f"metadata.labels['{LABEL_JOB_NAME}']"),
        _from_pod(contract.ENV_JOB_UID, f"metadata.labels['{LABEL_CONTROLLER_UID}']"),
        *_secrets(config),
    ]
    if (source := spec.task.prompt_from) is not None:
        reference = {"name": source.config_map_key_ref.name, "key": source.config_map_key_ref.key}
        environment.append({"name": contract.ENV_PROMPT, "valueFrom": {"configMapKeyRef": reference}})
    return environment


def _egress(config: OperatorConfig) -> list[Manifest]:
    """Return what tells the runner the way out: its proxies and their credentials."""
    values = (config.runner_http_proxy, config.runner_https_proxy, ",".join(config.runner_no_proxy))
    proxies = [_literal(name, value) for name, value in zip(contract.ENV_PROXIES, values, strict=True) if value]
    if config.runner_http_proxy or config.runner_https_proxy:
        proxies.append(_from_secret(contract.ENV_PROXY_CREDENTIALS, config))
    return proxies


def _mount_authorities(pod: Manifest, config_map: str) -> None:
    """Let the runner read the certificates of private authorities; namespaces without any need no ConfigMap."""
    source = {"name": config_map, "optional": True, "items": [{"key": CA_KEY, "path": CA_KEY}]}
    (container,) = pod["containers"]
    pod.setdefault("volumes", []).append({"name": CA_VOLUME, "configMap": source})
    container.setdefault("volumeMounts", []).append({"name": CA_VOLUME, "mountPath": CA_PATH, "readOnly": True})
    container["env"].append(_literal(contract.ENV_CA_FILE, f"{CA_PATH}/{CA_KEY}"))


def _literal(name: str, value: str) -> Manifest:
    # The kubelet expands $(NAME) in values, and $$ stands for $: texts must arrive as they were written.
    return {"name": name, "value": value.replace("$", "$$")}


def _secrets(config: OperatorConfig) -> list[Manifest]:
    return [_from_secret(name, config) for name in (contract.ENV_MONGODB_URI, contract.ENV_CONDUCTOR_TOKEN)]


def _from_pod(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _from_secret(name: str, config: OperatorConfig) -> Manifest:
    reference = {"name": config.runner_secret, "key": name, "optional": True}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _resources(spec: CouncilorSpec, config: OperatorConfig) -> Manifest:
    if spec.runner.resources is None:
        return dict(config.runner_resources)
    own = spec.runner.resources.model_dump(exclude_none=True)
    return {kind: {name: str(amount) for name, amount in amounts.items()} for kind, amounts in own.items()}


def _tolerations(spec: CouncilorSpec, config: OperatorConfig) -> list[Manifest]:
    if spec.runner.tolerations is None:
        return config.runner_tolerations
    return [toleration.model_dump(by_alias=True, exclude_none=True) for toleration in spec.runner.tolerations]
