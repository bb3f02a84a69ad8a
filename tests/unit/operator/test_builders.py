"""The CronJob of a Councilor: golden manifests, the contract inside, what the kubelet makes of it, and its hash."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.builders import build_contract, build_cron_job, input_hash, job_deadline_seconds
from councilor_operator.config import OperatorConfig
from councilor_operator.names import cron_job_name
from councilor_operator.schedule import compile_schedule
from councilor_runner.contract import NOTIFICATIONS_PATH, ExitCode, RunContract
from tests import factories
from tests.factories import CWD, merged

Manifest = dict[str, Any]

FULL_CONFIG: dict[str, Any] = {
    "runner_image": "registry.example/council/runner@sha256:0123",
    "runner_image_pull_policy": "Always",
    "runner_image_pull_secrets": "pull-one, pull-two",
    "runner_secret": "agents-secret",
    "runner_ca_config_map": "authorities",
    "runner_http_proxy": "http://proxy.example:3128",
    "runner_https_proxy": "http://proxy.example:3128",
    "runner_no_proxy": ".svc, localhost",
    "conductor_url": "https://conductor.example/",
    "conductor_gateway_url": "http://gateway:8080",
    "conductor_protocol": "seed",
    "conductor_headers": '{"X-Tenant": "a$b"}',
    "database": "state",
}
FULL_SPEC: dict[str, Any] = {
    "agentId": "QualityGuard_Agent",
    "title": "Quality counsel",
    "displayName": "Dra. Ana",
    "emoji": "⚖️",
    "color": "#5b21b6",
    "schedule": {
        "type": "cron",
        "value": "30 7 * * 1-5",
        "timeZone": "America/Sao_Paulo",
        "startingDeadlineSeconds": 900,
    },
    "concurrencyPolicy": "Replace",
    "task": {
        "name": "coverage",
        "prompt": 'Is coverage falling?\nCompare with $(git describe) and "$HOME"; it costs $$.',
        "contextFiles": ["docs/quality.md", "coverage.xml"],
        "outputFormat": "summary",
    },
    "execution": {
        "cwd": "/srv/projects/bank",
        "provider": "claude",
        "contextMode": "stateful",
        "timeoutSeconds": 1800,
        "retries": 4,
    },
    "verdict": {"askAgent": False, "errorKeywords": ["caindo"], "warningKeywords": []},
    "notifications": {"onSuccess": True, "onWarning": False, "onRecovery": False, "channels": ["panel", "slack"]},
    "suspendAfterFailures": 0,
    "history": {"successfulRuns": 2, "failedRuns": 1},
    "runner": {
        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": 1}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "agents", "operator": "Exists", "effect": "NoSchedule"}],
    },
}


def build(
    spec: Mapping[str, Any] | None = None,
    *,
    suspended: bool = False,
    config: OperatorConfig | None = None,
    cwd: str = CWD,
    **councilor: Any,
) -> Manifest:
    """The manifest of `factories.councilor(spec=spec, **councilor)`."""
    observed = factories.councilor(spec=spec, **councilor)
    settings = config or factories.config()
    parsed = CouncilorSpec.model_validate(observed.spec)
    schedule = compile_schedule(
        type=parsed.schedule.type,
        value=parsed.schedule.value,
        time_zone=parsed.schedule.time_zone,
        default_zone=settings.default_time_zone,
        uid=observed.uid,
    )
    run = build_contract(observed, parsed, settings, cwd=parsed.execution.cwd or cwd)
    return build_cron_job(observed, parsed, schedule, settings, run=run, suspended=suspended)


def pod_of(manifest: Manifest) -> Manifest:
    pod: Manifest = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


def container_of(manifest: Manifest) -> Manifest:
    (container,) = pod_of(manifest)["containers"]
    assert isinstance(container, dict)
    return container


def environment_of(manifest: Manifest) -> dict[str, Manifest]:
    entries = container_of(manifest)["env"]
    assert len({entry["name"] for entry in entries}) == len(entries), "names in env must be unique"
    return {entry["name"]: entry for entry in entries}


def expand(text: str, environment: Mapping[str, str]) -> str:
    """What the kubelet makes of a value in `env` (Kubernetes API, EnvVar.value).

    $(NAME) is replaced when NAME is defined and left as it is when not; $$ stands for one $ and so guards what follows;
    any other $ stands for itself, also an unclosed $( and the last sign.
    """
    result: list[str] = []
    position = 0
    while position < len(text):
        sign, following = text[position], text[position + 1 : position + 2]
        if sign != "$" or not following:
            result.append(sign)
            position += 1
        elif following == "$":
            result.append("$")
            position += 2
        elif following == "(" and (end := text.find(")", position)) != -1:
            name = text[position + 2 : end]
            result.append(environment.get(name, f"$({name})"))
            position = end + 1
        else:
            result.append(sign + following)
            position += 2
    return "".join(result)


def contract_in(manifest: Manifest) -> RunContract:
    """The contract as the runner finds it in its environment."""
    defined = {"HOME": "/root", "COUNCILOR_POD_NAME": "pod", "A": "expanded"}
    return RunContract.model_validate_json(expand(environment_of(manifest)["COUNCILOR_CONTRACT"]["value"], defined))


# --- golden manifests -------------------------------------------------------------------------------------------------


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - signature of the library
        return True


GOLDEN: dict[str, Callable[[], Manifest]] = {
    "minimal": build,
    "full": lambda: build(
        FULL_SPEC,
        generation=7,
        annotations={"conductor.community/instance-id": "inst-42"},
        config=factories.config(**FULL_CONFIG),
    ),
    "prompt-from": lambda: build(
        {"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "prompts", "key": "licences.txt"}}}}
    ),
    "interval": lambda: build({"schedule": {"type": "interval", "value": "6h", "timeZone": "Europe/Lisbon"}}),
    "paused": lambda: build({"schedule": {"enabled": False}}, suspended=True),
    "long-name": lambda: build(name="quarterly-licence-and-dependency-audit-of-the-shop-backend-in-both-regions"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    text = yaml.dump(GOLDEN[name](), Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
    golden(f"cronjob-{name}.yaml", text)


def test_the_same_input_gives_the_same_manifest() -> None:
    assert build(FULL_SPEC) == build(FULL_SPEC)


# --- frame ------------------------------------------------------------------------------------------------------------


def test_the_councilor_owns_its_cron_job() -> None:
    assert build()["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "councilors.conductor.community/v1alpha1",
            "kind": "Councilor",
            "name": factories.NAME,
            "uid": factories.UID,
            "controller": True,
        }
    ]


def test_labels_reach_jobs_and_pods() -> None:
    manifest = build()
    job = manifest["spec"]["jobTemplate"]
    labels = manifest["metadata"]["labels"]
    assert labels == {
        "app.kubernetes.io/managed-by": "councilor-operator",
        "app.kubernetes.io/name": "councilor-runner",
        "conductor.community/councilor": factories.NAME,
        "conductor.community/councilor-uid": factories.UID,
    }
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"] == labels


@pytest.mark.parametrize("length", [52, 53, 63, 64, 253])
def test_labels_hold_every_name(length: int) -> None:
    manifest = build(name="n" * length)
    assert len(manifest["metadata"]["name"]) == min(length, 52)
    assert len(manifest["metadata"]["labels"]["conductor.community/councilor"]) == min(length, 63)
    assert manifest["metadata"]["annotations"]["conductor.community/councilor"] == "n" * length
    assert contract_in(manifest).councilor.name == "n" * length
    assert contract_in(manifest).councilor.cron_job_name == manifest["metadata"]["name"]


def test_the_hash_stays_out_of_the_jobs() -> None:
    manifest = build()
    assert "conductor.community/input-hash" in manifest["metadata"]["annotations"]
    assert "conductor.community/input-hash" not in manifest["spec"]["jobTemplate"]["metadata"]["annotations"]


@pytest.mark.parametrize("suspended", [True, False])
def test_suspension(suspended: bool) -> None:
    assert build(suspended=suspended)["spec"]["suspend"] is suspended


@pytest.mark.parametrize(
    "over",
    [
        {"schedule": {"startingDeadlineSeconds": 30}},
        {"schedule": {"type": "interval", "value": "5m", "startingDeadlineSeconds": 30}},
    ],
)
def test_the_starting_deadline_is_the_runner_s_business(over: dict[str, Any]) -> None:
    """A CronJob of an interval with a deadline shorter than a minute never fires at all."""
    manifest = build(over)
    # Null, not absent: what others set is removed.
    assert manifest["spec"]["startingDeadlineSeconds"] is None
    assert contract_in(manifest).execution.starting_deadline_seconds == 30


@pytest.mark.parametrize(
    ("over", "config", "expected"),
    [
        ({}, {}, "UTC"),
        ({}, {"default_time_zone": "Europe/Lisbon"}, "Europe/Lisbon"),
        ({"schedule": {"timeZone": "Asia/Tokyo"}}, {"default_time_zone": "Europe/Lisbon"}, "Asia/Tokyo"),
        ({"schedule": {"type": "interval", "value": "5m"}}, {}, "UTC"),
    ],
)
def test_the_zone_in_effect_is_always_written(over: dict[str, Any], config: dict[str, Any], expected: str) -> None:
    assert build(over, config=factories.config(**config))["spec"]["timeZone"] == expected


# --- retries and limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "retries", "expected"),
    [
        (600, 0, 600 + 180),
        (600, 1, 600 + 180 + 10 + 30),
        (600, 2, 600 + 180 + 10 + 20 + 2 * 30),
        (1, 3, 1 + 180 + 10 + 20 + 40 + 3 * 30),
        (600, 6, 600 + 180 + 10 + 20 + 40 + 80 + 160 + 320 + 6 * 30),
        # The controller's delay ends at six minutes.
        (600, 10, 600 + 180 + 630 + 4 * 360 + 10 * 30),
        (86400, 10, 86400 + 180 + 630 + 4 * 360 + 10 * 30),
    ],
)
def test_the_deadline_leaves_room_for_everything(timeout: int, retries: int, expected: int) -> None:
    spec = factories.spec(execution={"timeoutSeconds": timeout, "retries": retries})
    assert job_deadline_seconds(spec) == expected
    job = build({"execution": {"timeoutSeconds": timeout, "retries": retries}})["spec"]["jobTemplate"]["spec"]
    assert job["activeDeadlineSeconds"] == expected
    assert job["backoffLimit"] == retries


@given(timeout=st.integers(1, 86400), retries=st.integers(0, 9))
def test_the_deadline_grows_with_what_it_covers(timeout: int, retries: int) -> None:
    def deadline(seconds: int, count: int) -> int:
        return job_deadline_seconds(factories.spec(execution={"timeoutSeconds": seconds, "retries": count}))

    assert deadline(timeout, retries) > timeout
    assert deadline(timeout, retries + 1) > deadline(timeout, retries)
    if timeout < 86400:
        assert deadline(timeout + 1, retries) == deadline(timeout, retries) + 1


def test_every_final_exit_code_ends_the_job_and_no_other() -> None:
    job = build()["spec"]["jobTemplate"]["spec"]
    evicted, final = job["podFailurePolicy"]["rules"]
    assert evicted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert final["action"] == "FailJob"
    assert final["onExitCodes"]["operator"] == "In"
    assert final["onExitCodes"]["containerName"] == container_of(build())["name"]
    assert sorted(final["onExitCodes"]["values"]) == [10, 11, 20, 78]
    assert ExitCode.TEMPORARY not in final["onExitCodes"]["values"]
    # What the API server demands beside a podFailurePolicy.
    assert job["podReplacementPolicy"] == "Failed"
    assert pod_of(build())["restartPolicy"] == "Never"


def test_nothing_removes_the_logs_early() -> None:
    assert build()["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] is None


# --- Pod Security "restricted" ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN)
def test_the_pod_is_restricted(name: str) -> None:
    manifest = GOLDEN[name]()
    pod, container = pod_of(manifest), container_of(manifest)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod)
    assert not any("hostPort" in port for port in container.get("ports", ()))
    assert not any("hostPath" in volume for volume in pod.get("volumes", ()))
    assert "privileged" not in container["securityContext"]
    assert "procMount" not in container["securityContext"]
    # Not demanded, but ours.
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert pod["enableServiceLinks"] is False


def test_nobody_but_the_operator_chooses_image_and_command() -> None:
    container = container_of(build(FULL_SPEC, config=factories.config(runner_image="i:1")))
    assert container["image"] == "i:1"
    assert container["args"] == ["run"]
    assert "command" not in container


# --- secrets ----------------------------------------------------------------------------------------------------------


def strings(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield str(key)
            yield from strings(value)
    elif isinstance(node, list):
        for item in node:
            yield from strings(item)


def test_secrets_are_named_never_held() -> None:
    manifest = build(config=factories.config(runner_secret="agents-secret"))
    environment = environment_of(manifest)
    for name in ("MONGODB_URI", "CONDUCTOR_TOKEN"):
        assert environment[name] == {
            "name": name,
            "valueFrom": {"secretKeyRef": {"name": "agents-secret", "key": name, "optional": True}},
        }
    assert not [text for text in strings(manifest) if "mongodb://" in text or "mongodb+srv://" in text]
    values = [entry["name"] for entry in container_of(manifest)["env"] if "value" in entry]
    assert values == ["COUNCILOR_CONTRACT"]


def test_the_runner_learns_who_it_is() -> None:
    environment = environment_of(build())
    paths = {
        name: entry["valueFrom"]["fieldRef"]["fieldPath"]
        for name, entry in environment.items()
        if "fieldRef" in entry.get("valueFrom", {})
    }
    assert paths == {
        "COUNCILOR_POD_NAME": "metadata.name",
        "COUNCILOR_JOB_NAME": "metadata.labels['batch.kubernetes.io/job-name']",
        "COUNCILOR_JOB_UID": "metadata.labels['batch.kubernetes.io/controller-uid']",
    }


def test_a_prompt_from_a_config_map_is_read_by_the_kubelet() -> None:
    manifest = build({"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}})
    assert environment_of(manifest)["COUNCILOR_PROMPT"]["valueFrom"] == {"configMapKeyRef": {"name": "n", "key": "k"}}
    assert contract_in(manifest).task.prompt is None
    assert "COUNCILOR_PROMPT" not in environment_of(build())


# --- the contract -----------------------------------------------------------------------------------------------------


def test_the_contract_survives_the_way_to_the_runner() -> None:
    observed = factories.councilor(
        spec=FULL_SPEC, generation=7, annotations={"conductor.community/instance-id": "inst-42"}
    )
    config = factories.config(**FULL_CONFIG)
    expected = build_contract(observed, CouncilorSpec.model_validate(observed.spec), config, cwd="/srv/projects/bank")
    manifest = GOLDEN["full"]()
    assert contract_in(manifest) == expected
    assert expected.model_dump(by_alias=True, mode="json") == {
        "version": 1,
        "councilor": {
            "namespace": "council",
            "name": "licence-counsel",
            "uid": factories.UID,
            "generation": 7,
            "cronJobName": "licence-counsel",
            "title": "Quality counsel",
            "emoji": "⚖️",
        },
        "agent": {"id": "QualityGuard_Agent", "displayName": "Dra. Ana", "instanceId": "inst-42"},
        "task": {
            "name": "coverage",
            "prompt": FULL_SPEC["task"]["prompt"],
            "contextFiles": ["docs/quality.md", "coverage.xml"],
            "outputFormat": "summary",
        },
        "execution": {
            "retries": 4,
            "cwd": "/srv/projects/bank",
            "provider": "claude",
            "contextMode": "stateful",
            "timeoutSeconds": 1800,
            "startingDeadlineSeconds": 900,
        },
        "verdict": {"askAgent": False, "errorKeywords": ["caindo"], "warningKeywords": []},
        "notifications": {
            "onSuccess": True,
            "onWarning": False,
            "onError": True,
            "onRecovery": False,
            "channels": ["panel", "slack"],
            "secret": "councilor-notifications",
        },
        "endpoints": {
            "conductorUrl": "https://conductor.example",
            "gatewayUrl": "http://gateway:8080",
            "protocol": "seed",
            "headers": {"X-Tenant": "a$b"},
            "database": "state",
        },
    }


@pytest.mark.parametrize(
    ("channels", "keys"),
    [
        ([], []),
        (["panel"], []),
        (["toast", "panel"], []),
        (["email"], ["email"]),
        (["ops", "panel", ".hidden", "On-Call_2.sms"], ["ops", ".hidden", "On-Call_2.sms"]),
    ],
)
def test_a_pod_sees_the_addresses_of_its_own_channels(channels: list[str], keys: list[str]) -> None:
    manifest = build(
        {"notifications": {"channels": channels}}, config=factories.config(notifications_secret="addresses")
    )
    pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    if not keys:
        assert "volumes" not in pod
        assert "volumeMounts" not in pod["containers"][0]
        return
    [volume] = pod["volumes"]
    # Optional: the kubelet leaves out what is not there, Secret or key.
    assert volume["secret"] == {
        "secretName": "addresses",
        "optional": True,
        "defaultMode": 0o444,
        "items": [{"key": key, "path": key} for key in keys],
    }
    [mount] = pod["containers"][0]["volumeMounts"]
    assert mount == {"name": volume["name"], "mountPath": NOTIFICATIONS_PATH, "readOnly": True}
    assert contract_in(manifest).notifications.secret == "addresses"


@pytest.mark.parametrize(
    ("task", "title", "expected"),
    [
        ({"name": "coverage"}, "Title", "coverage"),
        ({}, "Title", "Title"),
        ({}, None, factories.NAME),
        ({}, "", factories.NAME),
    ],
)
def test_the_name_of_the_task(task: dict[str, str], title: str | None, expected: str) -> None:
    assert contract_in(build({"task": task, "title": title})).task.name == expected


def test_the_default_directory_is_used_where_the_spec_names_none() -> None:
    manifest = build({"execution": {"cwd": None}}, cwd="/srv/default")
    assert contract_in(manifest).execution.cwd == "/srv/default"


@pytest.mark.parametrize(
    ("written", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)", "a-value"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$a-value"),
        ("$$$$(A)", "$$(A)"),
        ("$$", "$"),
        ("$", "$"),
        ("a$", "a$"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        ("$(A)$(A)", "a-valuea-value"),
        ("$(A)$$(A)", "a-value$(A)"),
        ("${A}", "${A}"),
    ],
)
def test_the_oracle_is_the_kubelet(written: str, expanded: str) -> None:
    """The examples of the Kubernetes API reference and of its expansion tests."""
    assert expand(written, {"A": "a-value"}) == expanded


DOLLARS = st.text(alphabet=st.sampled_from(list("$()AB{} \\\"'\n")), min_size=1, max_size=60)


PROMPTS = (DOLLARS | st.text(min_size=1, max_size=200)).filter(lambda text: text.strip(" \t\r\n"))


@given(prompt=PROMPTS)
def test_every_prompt_arrives_as_it_was_written(prompt: str) -> None:
    assert contract_in(build({"task": {"prompt": prompt}})).task.prompt == prompt


@given(path=DOLLARS, keyword=DOLLARS)
def test_so_does_everything_else(path: str, keyword: str) -> None:
    path = path.replace("\n", " ")
    manifest = build(
        {"task": {"contextFiles": [path]}, "verdict": {"errorKeywords": [keyword]}, "execution": {"cwd": path}}
    )
    contract = contract_in(manifest)
    assert contract.task.context_files == (path,)
    assert contract.verdict.error_keywords == (keyword,)
    assert contract.execution.cwd == path


# --- the way out ------------------------------------------------------------------------------------------------------


def test_without_configuration_there_is_neither_proxy_nor_volume() -> None:
    manifest = build()
    assert "volumes" not in pod_of(manifest)
    assert "volumeMounts" not in container_of(manifest)
    assert not {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PROXY_CREDENTIALS", "COUNCILOR_CA_FILE"} & set(
        environment_of(manifest)
    )


def test_proxies_and_their_credentials() -> None:
    config = factories.config(
        runner_https_proxy="http://pr$(x)oxy:3128", runner_no_proxy=".svc, localhost", runner_secret="agents-secret"
    )
    environment = environment_of(build(config=config))
    assert "HTTP_PROXY" not in environment
    assert expand(environment["HTTPS_PROXY"]["value"], {"x": "y"}) == "http://pr$(x)oxy:3128"
    assert environment["NO_PROXY"]["value"] == ".svc,localhost"
    reference = {"name": "agents-secret", "key": "PROXY_CREDENTIALS", "optional": True}
    assert environment["PROXY_CREDENTIALS"]["valueFrom"] == {"secretKeyRef": reference}


def test_private_authorities_are_mounted_for_reading_and_may_be_missing() -> None:
    manifest = build(config=factories.config(runner_ca_config_map="authorities"))
    (volume,) = pod_of(manifest)["volumes"]
    (mount,) = container_of(manifest)["volumeMounts"]
    assert volume["configMap"] == {
        "name": "authorities",
        "optional": True,
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert environment_of(manifest)["COUNCILOR_CA_FILE"]["value"] == f"{mount['mountPath']}/ca.crt"


# --- placement --------------------------------------------------------------------------------------------------------


def test_resources_and_placement_of_the_operator() -> None:
    config = factories.config(
        runner_resources='{"limits": {"memory": "1Gi"}}',
        runner_node_selector='{"pool": "agents"}',
        runner_tolerations='[{"key": "agents", "operator": "Exists"}]',
        runner_image_pull_secrets="one,two",
    )
    manifest = build(config=config)
    assert container_of(manifest)["resources"] == {"limits": {"memory": "1Gi"}}
    assert pod_of(manifest)["nodeSelector"] == {"pool": "agents"}
    assert pod_of(manifest)["tolerations"] == [{"key": "agents", "operator": "Exists"}]
    assert pod_of(manifest)["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]


def test_the_spec_goes_before_the_operator() -> None:
    config = factories.config(
        runner_resources='{"limits": {"memory": "1Gi"}}',
        runner_node_selector='{"pool": "agents"}',
        runner_tolerations='[{"key": "agents", "operator": "Exists"}]',
    )
    runner = {
        "resources": {"requests": {"cpu": 2, "memory": "64Mi"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [],
    }
    manifest = build({"runner": runner}, config=config)
    assert container_of(manifest)["resources"] == {"requests": {"cpu": "2", "memory": "64Mi"}}
    assert pod_of(manifest)["nodeSelector"] == {"disk": "ssd"}
    assert "tolerations" not in pod_of(manifest)


def test_empty_placement_is_left_out() -> None:
    """The API server would leave it out as well; said nevertheless, it would look like an edit for ever."""
    manifest = build({"runner": {"nodeSelector": {}, "tolerations": [], "resources": {}}})
    assert {"nodeSelector", "tolerations", "imagePullSecrets"}.isdisjoint(pod_of(manifest))
    assert container_of(manifest)["resources"] == {}


# --- hash -------------------------------------------------------------------------------------------------------------


def hash_of(manifest: Manifest) -> str:
    value = manifest["metadata"]["annotations"]["conductor.community/input-hash"]
    assert isinstance(value, str)
    return value


CONFIG_CHANGES: dict[str, Any] = {
    "runner_image": "registry.example/runner:2",
    "runner_image_pull_policy": "Never",
    "runner_image_pull_secrets": "one",
    "runner_secret": "other",
    "notifications_secret": "other",
    "runner_ca_config_map": "authorities",
    "runner_http_proxy": "http://proxy:3128",
    "runner_https_proxy": "http://proxy:3128",
    "runner_no_proxy": ".svc",
    "runner_resources": '{"limits": {"cpu": "1"}}',
    "runner_node_selector": '{"a": "b"}',
    "runner_tolerations": '[{"operator": "Exists"}]',
    "conductor_url": "http://other:8000",
    "conductor_gateway_url": "http://gateway:8080",
    "conductor_protocol": "seed",
    "conductor_headers": '{"X-A": "b"}',
    "database": "other",
    "default_time_zone": "Europe/Lisbon",
}
CONFIG_WITHOUT_EFFECT: dict[str, Any] = {
    "default_cwd": "/elsewhere",  # the spec names its directory
    "namespaces": "a,b",
    "workers": 3,
    "resync_seconds": 60,
    "health_port": 1,
    "metrics_port": 0,
    "metrics_per_councilor": False,
    "listen_address": "127.0.0.1",
    "log_level": "debug",
}
SPEC_CHANGES: dict[str, dict[str, Any]] = {
    "agentId": {"agentId": "Other_Agent"},
    "title": {"title": "T"},
    "displayName": {"displayName": "D"},
    "emoji": {"emoji": "🧪"},
    "schedule.type": {"schedule": {"type": "interval", "value": "5m"}},
    "schedule.value": {"schedule": {"value": "1 9 * * MON-FRI"}},
    "schedule.timeZone": {"schedule": {"timeZone": "Asia/Tokyo"}},
    "schedule.startingDeadlineSeconds": {"schedule": {"startingDeadlineSeconds": 60}},
    "concurrencyPolicy": {"concurrencyPolicy": "Allow"},
    "task.name": {"task": {"name": "n"}},
    "task.prompt": {"task": {"prompt": "And now?"}},
    "task.promptFrom": {"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}},
    "task.contextFiles": {"task": {"contextFiles": ["a"]}},
    "task.outputFormat": {"task": {"outputFormat": "summary"}},
    "execution.cwd": {"execution": {"cwd": "/other"}},
    "execution.provider": {"execution": {"provider": "gemini"}},
    "execution.contextMode": {"execution": {"contextMode": "stateful"}},
    "execution.timeoutSeconds": {"execution": {"timeoutSeconds": 601}},
    "execution.retries": {"execution": {"retries": 3}},
    "verdict.askAgent": {"verdict": {"askAgent": False}},
    "verdict.errorKeywords": {"verdict": {"errorKeywords": ["x"]}},
    "verdict.warningKeywords": {"verdict": {"warningKeywords": []}},
    "notifications.onSuccess": {"notifications": {"onSuccess": True}},
    "notifications.onWarning": {"notifications": {"onWarning": False}},
    "notifications.onError": {"notifications": {"onError": False}},
    "notifications.onRecovery": {"notifications": {"onRecovery": False}},
    "notifications.channels": {"notifications": {"channels": ["toast"]}},
    "history.successfulRuns": {"history": {"successfulRuns": 4}},
    "history.failedRuns": {"history": {"failedRuns": 4}},
    "runner.resources": {"runner": {"resources": {"limits": {"cpu": "1"}}}},
    "runner.nodeSelector": {"runner": {"nodeSelector": {"a": "b"}}},
    "runner.tolerations": {"runner": {"tolerations": [{"operator": "Exists"}]}},
}
SPEC_WITHOUT_EFFECT: dict[str, dict[str, Any]] = {
    "color": {"color": "#fff"},
    "suspendAfterFailures": {"suspendAfterFailures": 9},
    # `suspended` says it, which the breaker has a part in.
    "schedule.enabled": {"schedule": {"enabled": False}},
}


def test_the_tables_below_forget_no_setting() -> None:
    assert set(CONFIG_CHANGES) | set(CONFIG_WITHOUT_EFFECT) == set(OperatorConfig.model_fields)


PLACEMENT = ("nodeSelector", "tolerations")


def leaves(model: Any, path: str = "") -> Iterator[str]:
    for field in model.model_fields.values():
        name, default = f"{path}{field.alias}", field.default
        nested = type(default) if hasattr(type(default), "model_fields") else field.annotation
        if field.alias in {"schedule", "task", "execution", "verdict", "notifications", "history", "runner"}:
            yield from leaves(nested, f"{name}.")
        else:
            yield name


def test_the_tables_below_forget_no_field_of_the_spec() -> None:
    assert set(SPEC_CHANGES) | set(SPEC_WITHOUT_EFFECT) == set(leaves(CouncilorSpec))


@pytest.mark.parametrize("name", CONFIG_CHANGES)
def test_the_hash_changes_with_the_configuration(name: str) -> None:
    changed = build(config=factories.config(**{name: CONFIG_CHANGES[name]}))
    assert hash_of(changed) != hash_of(build())


@pytest.mark.parametrize("name", CONFIG_WITHOUT_EFFECT)
def test_settings_of_the_process_roll_nothing(name: str) -> None:
    assert build(config=factories.config(**{name: CONFIG_WITHOUT_EFFECT[name]})) == build()


@pytest.mark.parametrize("name", SPEC_CHANGES)
def test_the_hash_changes_with_the_spec(name: str) -> None:
    assert hash_of(build(SPEC_CHANGES[name])) != hash_of(build())


@pytest.mark.parametrize("name", [*SPEC_CHANGES, *SPEC_WITHOUT_EFFECT])
def test_no_field_of_a_councilor_decides_whom_the_runner_talks_to_or_what_it_is(name: str) -> None:
    config = OperatorConfig.model_validate(FULL_CONFIG)
    usual, changed = (build(spec, config=config) for spec in ({}, (SPEC_CHANGES | SPEC_WITHOUT_EFFECT)[name]))
    assert contract_in(changed).endpoints == contract_in(usual).endpoints
    own = {"COUNCILOR_CONTRACT", "COUNCILOR_PROMPT"}
    left, right = (
        {
            "pod": {key: value for key, value in pod_of(manifest).items() if key not in {"containers", *PLACEMENT}},
            "container": {
                key: value for key, value in container_of(manifest).items() if key not in {"env", "resources"}
            },
            "env": {name: entry for name, entry in environment_of(manifest).items() if name not in own},
        }
        for manifest in (usual, changed)
    )
    assert left == right


@pytest.mark.parametrize("name", SPEC_WITHOUT_EFFECT)
def test_what_the_run_does_not_see_rolls_nothing(name: str) -> None:
    assert build(SPEC_WITHOUT_EFFECT[name]) == build()


def test_the_hash_changes_with_suspension_directory_and_instance() -> None:
    without_cwd = {"execution": {"cwd": None}}
    hashes = {
        hash_of(build()),
        hash_of(build(suspended=True)),
        hash_of(build(without_cwd, cwd="/a")),
        hash_of(build(without_cwd, cwd="/b")),
        hash_of(build(annotations={"conductor.community/instance-id": "i"})),
        hash_of(build(uid="another")),
        hash_of(build(namespace="another")),
        hash_of(build(generation=2)),
    }
    assert len(hashes) == 8


def test_what_happens_to_a_councilor_rolls_nothing() -> None:
    same = build(
        resource_version="999",
        annotations={"example.com/note": "x"},
        status={"phase": "Running", "observedGeneration": 1},
    )
    assert same == build()


def test_the_hash_is_one_of_content_not_of_order() -> None:
    manifest = build()
    reordered = json.loads(json.dumps(manifest, sort_keys=True))
    assert input_hash(manifest) == input_hash(reordered)
    assert len(hash_of(manifest)) == 16


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_every_part_of_the_manifest_is_in_the_hash(name: str) -> None:
    manifest = GOLDEN[name]()
    before = input_hash(manifest)
    for path in list(paths(manifest)):
        changed = copy.deepcopy(manifest)
        target: Any = changed
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = "changed"
        assert input_hash(changed) != before, path


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from paths(value, (*path, key))
    elif isinstance(node, list) and node:
        for index, value in enumerate(node):
            yield from paths(value, (*path, index))
    else:
        yield path


def test_merging_in_the_tables_is_not_at_fault() -> None:
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}) == {"a": {"c": 2, "d": 3}}
    assert cron_job_name(factories.NAME) == factories.NAME
