"""The command line: `python -m hack.readme`, or `make readme`.

Starts a demo, writes what it printed into README.md, and ends the demo. Exit codes: those of the demo, 1 for a page
without the blocks it should have.
"""

import json
import subprocess
import sys
import time
from typing import Final

from hack.demo.cluster import Cluster
from hack.demo.commands import ROOT, CommandError, Commands
from hack.demo.demo import SCOPE
from hack.demo.progress import DemoError, say
from hack.readme.page import PageError, replaced
from hack.readme.sessions import REFUSALS, SUNDAYS, Step

PAGE: Final = ROOT / "README.md"
EVENT_WITHIN: Final = 30.0  # seconds
DEMO: Final = (sys.executable, "-m", "hack.demo")


def main() -> int:
    """Refresh the page; the exit code."""
    try:
        demo = subprocess.run([*DEMO, "up", "--detach"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if demo.returncode != 0:
            return demo.returncode
        try:
            fresh = {"demo": _without_hints(demo.stdout), "refusals": _refusals(Cluster(Commands()))}
        finally:
            subprocess.run([*DEMO, "down"], cwd=ROOT, check=False)
        PAGE.write_text(replaced(PAGE.read_text(), fresh))
    except (DemoError, PageError) as error:
        say(f"error: {error}")
        return 1
    say(f"{PAGE.name} shows what was printed just now")
    return 0


def _without_hints(output: str) -> str:
    """The demo's output without the commands to look further with, which name this machine's folders."""
    kept, _, _ = output.partition("\nLook further:")
    return kept.strip()


def _refusals(cluster: Cluster) -> str:
    parts = [f"$ {step.shown}\n{_answer(cluster, step)}" for step in REFUSALS]
    namespace = ("-n", SCOPE.councilor_namespace)
    cluster.kubectl(*namespace, "apply", "-f", "-", stdin=json.dumps(SUNDAYS))
    name = SUNDAYS["metadata"]["name"]
    cluster.kubectl(*namespace, "wait", f"councilor/{name}", "--for=condition=Ready=false", "--timeout=30s")
    asked = (*namespace, "events", "--for", f"councilor/{name}", "--types=Warning")
    deadline = time.monotonic() + EVENT_WITHIN
    while "InvalidSchedule" not in (events := cluster.kubectl(*asked)):  # an event follows the status it is about
        if time.monotonic() > deadline:
            raise DemoError(f"no event tells what is wrong with Councilor {name}")
        time.sleep(0.3)
    return "\n\n".join([*parts, f"$ kubectl events --for councilor/{name} --types=Warning\n{events.strip()}"])


def _answer(cluster: Cluster, step: Step) -> str:
    try:
        return cluster.kubectl("-n", SCOPE.councilor_namespace, *step.arguments, stdin=json.dumps(step.file)).strip()
    except CommandError as error:
        # kubectl read standard input where the page names a file.
        return error.stderr.strip().replace('"STDIN"', '"typo.yaml"')


if __name__ == "__main__":
    sys.exit(main())
