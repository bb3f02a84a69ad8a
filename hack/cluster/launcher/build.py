"""Builds the Go programs of the cluster once and keeps them in the user's cache folder.

A build is keyed by everything that decides its content (sources, module versions, compiler, platform, flags), so a
changed version is a new folder and an unchanged one is never built twice, also not by two launchers at once.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from .progress import ClusterError, say

SOURCES = Path(__file__).resolve().parent.parent
PROGRESS_INTERVAL = 10.0  # seconds; a build log without a line for longer looks like a hang
TAIL_LINES = 20
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Program:
    """A Go module beside the launcher that builds to one binary called `name`."""

    name: str
    expected: str  # how long a first build takes, in words

    @property
    def module(self) -> Path:
        return SOURCES / self.name


KUBERNETES = Program("kubernetes", "about 5 minutes on two cores, once")
COREDNS = Program("coredns", "about 2 minutes on two cores, once")
PAUSE = Program("pause", "some seconds, once")


def cache_folder() -> Path:
    """Where builds are kept: `$XDG_CACHE_HOME/councilor-operator`, else `~/.cache/councilor-operator`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "councilor-operator"


def version_flags(module_file: str) -> str:
    """The linker flags that tell Kubernetes its version, which upstream's own build takes from git.

    `module_file` is the text of a go.mod. Empty when it does not require k8s.io/kubernetes directly. Without them the
    API server calls itself v0.0.0 and refuses features that compare versions.
    """
    found = re.search(r"^\s*(?:require\s+)?k8s\.io/kubernetes (v(\d+)\.(\d+)\S*)\s*$", module_file, re.MULTILINE)
    if found is None:
        return ""
    package = "k8s.io/component-base/version"
    values = {"gitVersion": found[1], "gitMajor": found[2], "gitMinor": found[3]}
    return "".join(f" -X {package}.{name}={value}" for name, value in values.items())


def ensure(program: Program) -> Path:
    """The path of the program's binary, built if it is not in the cache yet.

    Raises ClusterError when Go is missing, or when the build fails (with the end of its output).
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    compiler = _compiler(program, environment)
    module_file = (program.module / "go.mod").read_text()
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w" + version_flags(module_file)]
    digest = hashlib.sha256("\0".join([compiler, *flags, module_file]).encode())
    for name in ("go.sum", "main.go"):
        path = program.module / name
        digest.update(b"\0" + (path.read_bytes() if path.exists() else b""))
    folder = cache_folder() / f"{program.name}-{digest.hexdigest()[:16]}"
    binary = folder / program.name
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another launcher is building {program.name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(program, environment, flags, binary)
    return binary


def _compiler(program: Program, environment: dict[str, str]) -> str:
    if shutil.which("go") is None:
        wanted = re.search(r"^go (\S+)", (program.module / "go.mod").read_text(), re.MULTILINE)
        raise ClusterError(
            f"Go is missing: the local cluster is built from source and needs Go {wanted[1] if wanted else ''} or "
            "newer. Get it from https://go.dev/dl/ and put its bin folder in PATH, or use a cluster that exists: "
            "CLUSTER=kind (needs Docker and kind) or CLUSTER=current."
        )
    asked = ["go", "env", "GOVERSION", "GOOS", "GOARCH"]
    answer = subprocess.run(asked, cwd=program.module, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ClusterError(f"`{' '.join(asked)}` failed in {program.module}:\n{answer.stderr.strip()}")
    return answer.stdout


def _build(program: Program, environment: dict[str, str], flags: list[str], binary: Path) -> None:
    say(f"building {program.name} ({program.expected})")
    began = time.monotonic()
    for left_over in binary.parent.glob(f"{UNFINISHED}*"):  # of a launcher that was killed; we hold the lock
        left_over.unlink()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    _run(["go", "mod", "download"], program, environment, tail, f"downloading modules of {program.name}", None)
    listed = subprocess.run(
        ["go", "list", "-deps", "."], cwd=program.module, env=environment, capture_output=True, text=True, check=False
    )
    total = len(listed.stdout.splitlines())
    descriptor, unfinished = tempfile.mkstemp(prefix=UNFINISHED, dir=binary.parent)
    os.close(descriptor)
    try:
        command = ["go", "build", "-v", *flags, "-o", unfinished, "."]
        _run(command, program, environment, tail, f"building {program.name}", total)
        # A binary that is in its place is whole: whoever finds it there may start it.
        Path(unfinished).chmod(0o755)
        Path(unfinished).rename(binary)
    finally:
        Path(unfinished).unlink(missing_ok=True)
    size = binary.stat().st_size / 1e6
    say(f"built {program.name}: {time.monotonic() - began:.0f} s, {size:.0f} MB, kept in {binary.parent}")


def _run(
    command: list[str],
    program: Program,
    environment: dict[str, str],
    tail: deque[str],
    what: str,
    total: int | None,
) -> None:
    """Runs a go command at low priority; a line of progress each PROGRESS_INTERVAL seconds."""
    process = subprocess.Popen(
        ["nice", *command],
        cwd=program.module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = 0

    def read() -> None:
        nonlocal lines
        if process.stderr is not None:
            for line in process.stderr:
                lines += 1
                tail.append(line.rstrip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    began = time.monotonic()
    try:
        while True:
            try:
                code = process.wait(timeout=PROGRESS_INTERVAL)
                break
            except subprocess.TimeoutExpired:
                # `go build -v` names a package when it begins to compile it; those in Go's own cache are not named.
                done = f", {lines} of at most {total} packages" if total else ""
                say(f"{what}: {time.monotonic() - began:.0f} s{done}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    reader.join(timeout=5)
    if code != 0:
        raise ClusterError(f"{what} failed (`{' '.join(command[:3])}` in {program.module}):\n" + "\n".join(tail))
