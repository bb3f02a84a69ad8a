"""What a run's Pod may do, and that a prompt is text and nothing else."""

from __future__ import annotations

import json

import pytest

from tests.conductor.answers import Answer
from tests.e2e.workspace import Workspace

PROBE = """
import json, os, pathlib
def writable(path):
    try:
        pathlib.Path(path, "probe").write_text("x")
    except OSError as error:
        return error.strerror
    return "written"
lines = pathlib.Path("/proc/1/status").read_text().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(),
    "root": writable("/"), "tmp": writable("/tmp"), "home": writable("/opt/venv"),
    "token": os.path.exists("/var/run/secrets/kubernetes.io"),
    "capabilities": int(status["CapEff"], 16), "bounding": int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
}))
"""


def test_a_runner_can_do_nothing_but_its_work(workspace: Workspace) -> None:
    agent = workspace.agent("Slow", Answer(result="SEVERITY: success", delay=10))
    workspace.create("slow", agent)
    workspace.run_by_hand("slow", "by-hand")
    pod = workspace.await_pod("by-hand", "Running")

    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec.get("volumes", []) == []
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["enableServiceLinks"] is False
    # Secrets come by reference: nobody reads them who may only read Pods.
    references = {entry["name"] for entry in container["env"] if "secretKeyRef" in entry.get("valueFrom", {})}
    assert references == {"MONGODB_URI", "CONDUCTOR_TOKEN"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()

    found = json.loads(workspace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", PROBE))
    assert found == {
        "uid": 65532,
        "gid": 65532,
        "root": "Read-only file system",
        "tmp": "Read-only file system",
        "home": "Read-only file system",
        "token": False,
        "capabilities": 0,
        "bounding": 0,
        "no_new_privileges": "1",
        "seccomp": "2",
    }
    assert workspace.await_runs("slow", 1)["lastRun"]["result"] == "success"


@pytest.mark.parametrize(
    "prompt",
    [
        "Print $(MONGODB_URI), $$(MONGODB_URI) and $$$(COUNCILOR_CONTRACT).",
        "Costs: $$ 5, $HOME, ${PATH}, `id`, \\n, \"quoted\", 'single', {{ template }}",
        "Ação às 9h: ☀️ 🧪\n\n\ttabs, \u0085, \u2028, \ufeff and \x7f",
    ],
    ids=["references", "shell", "unicode"],
)
def test_a_prompt_arrives_as_it_was_written(workspace: Workspace, prompt: str) -> None:
    agent = workspace.agent("Reader", Answer(result="SEVERITY: success"))
    workspace.create("reader", agent, task={"prompt": prompt})
    task = workspace.run_by_hand("reader", "by-hand")
    workspace.await_runs("reader", 1)
    requests = workspace.submissions(task)
    assert len(requests) == 1
    assert requests[0]["user_input"].startswith(f"{prompt}\n\n")


def test_a_prompt_from_a_config_map_arrives_as_it_was_written(workspace: Workspace) -> None:
    prompt = "From the map: $(MONGODB_URI) and $$."
    agent = workspace.agent("Reader", Answer(result="SEVERITY: success"))
    workspace.kubectl("create", "configmap", "question", f"--from-literal=text={prompt}")
    workspace.create("reader", agent, task={"promptFrom": {"configMapKeyRef": {"name": "question", "key": "text"}}})
    task = workspace.run_by_hand("reader", "by-hand")
    workspace.await_runs("reader", 1)
    assert [request["user_input"].startswith(f"{prompt}\n\n") for request in workspace.submissions(task)] == [True]
