"""Desired state: from a Councilor to its CronJob. Pure, imports no client.

A manifest is the complete set of fields that the operator owns, as server-side apply wants it, and a function of the
spec *and* of the operator's configuration, so that its hash rolls every CronJob when either changes.
"""

import hashlib
import json
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
    MANAGED_BY,
    RUNNER_APP,
)
from councilor_operator.names import cron_job_name, label_value
from councilor_operator.observed import ObservedCouncilor
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
    labels = {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_NAME: RUNNER_APP,
        LABEL_COUNCILOR: label_value(councilor.name),
        LABEL_COUNCILOR_UID: councilor.uid,
    }
    annotations = {ANNOTATION_COUNCILOR: councilor.name, ANNOTATION_AGENT: spec.agent_id}
    name = cron_job_name(councilor.name)
    manifest: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": councilor.namespace,
            "labels": labels,
            "annotations": dict(annotations),
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": councilor.name,
                    "uid": councilor.uid,
                    "controller": True,
                }
            ],
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
                        "spec": _pod_spec(run, spec, config),
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
        notifications=contract.Notifications.model_validate(spec.notifications.model_dump()),
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


def _pod_spec(run: contract.RunContract, spec: CouncilorSpec, config: OperatorConfig) -> Manifest:
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
                "args": ["run"],
                "env": _environment(run, spec, config),
                "resources": _resources(spec, config),
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
    if node_selector := (
        config.runner_node_selector if spec.runner.node_selector is None else spec.runner.node_selector
    ):
        pod["nodeSelector"] = dict(node_selector)
    if tolerations := _tolerations(spec, config):
        pod["tolerations"] = tolerations
    if config.runner_image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in config.runner_image_pull_secrets]
    return pod


def _environment(run: contract.RunContract, spec: CouncilorSpec, config: OperatorConfig) -> list[Manifest]:
    # The kubelet expands $(NAME) in values, and $$ stands for $: prompts must arrive as they were written.
    document = contract_document(run).replace("$", "$$")
    environment: list[Manifest] = [
        {"name": contract.ENV_CONTRACT, "value": document},
        _from_pod(contract.ENV_POD_NAME, "metadata.name"),
        _from_pod(contract.ENV_JOB_NAME, f"metadata.labels['{LABEL_JOB_NAME}']"),
        _from_pod(contract.ENV_JOB_UID, f"metadata.labels['{LABEL_CONTROLLER_UID}']"),
        _from_secret(contract.ENV_MONGODB_URI, config),
        _from_secret(contract.ENV_CONDUCTOR_TOKEN, config),
    ]
    if (source := spec.task.prompt_from) is not None:
        reference = {"name": source.config_map_key_ref.name, "key": source.config_map_key_ref.key}
        environment.append({"name": contract.ENV_PROMPT, "valueFrom": {"configMapKeyRef": reference}})
    return environment


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
