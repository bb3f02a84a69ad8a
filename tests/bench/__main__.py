"""`python -m tests.bench`: measures, prints one JSON line for each figure and a summary; exit code 1 for a missed
target."""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tests.bench import floor, runner, sync
from tests.bench.client import Client
from tests.bench.measurement import AuditLog
from tests.bench.operator import MeasuredOperator, Step, Trial
from tests.bench.report import Report
from tests.controlplane.api import Api
from tests.controlplane.launcher import ROOT, ControlPlane

STEPS: Final = ("converge", "change", "restart", "idle")
SIZES: Final = (1000, 5000)
RESTARTS: Final = 3
IDLE_SECONDS: Final = 20.0
PARTS: Final = ("operator", "runner", "sync")
DOCUMENTS: Final = (100, 5000)
RUNS: Final = 25
FLOOR_NAMESPACE, NAMESPACE = "bench-floor", "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Operator, runner and sync against their floors: ratios, memory, processor time; real servers.",
    )
    parser.add_argument("part", nargs="?", choices=PARTS, help="measure this part alone (default: all)")
    parser.add_argument(
        "--councilors", type=int, action="append", metavar="N", help="how many; repeatable (default: 1000 and 5000)"
    )
    parser.add_argument(
        "--documents", type=int, action="append", metavar="N", help="how many; repeatable (default: 100 and 5000)"
    )
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="how many of each kind (default: 25)")
    parser.add_argument(
        "--only",
        choices=STEPS,
        action="append",
        help="report on this step alone; repeatable; what it needs is done too",
    )
    options = parser.parse_args(arguments)
    parts = (options.part,) if options.part else PARTS
    steps, sizes, databases = options.only or STEPS, options.councilors or SIZES, options.documents or DOCUMENTS
    if min(sizes) < 1:
        parser.error("--councilors takes a number from 1 up")
    if min(databases) < 2:
        parser.error("--documents takes a number from 2 up")
    if options.runs < 2:
        parser.error("--runs takes a number from 2 up")

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # Ended from outside, it leaves neither a cluster nor an operator behind.
    signal.signal(signal.SIGTERM, interrupt)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="councilor-bench-") as folder:
        if "runner" in parts:
            _say(f"runner: {options.runs} runs of each kind")
            runner.measure(Path(folder), options.runs, report)
        if "operator" in parts:
            for count in sizes:
                _with_control_plane(Path(folder) / str(count), count, steps, report)
        if "sync" in parts:
            for count in databases:
                sync.measure(Path(folder) / f"sync-{count}", count, report)
    sys.stderr.write(report.summary())
    return 0 if report.ok else 1


def _with_control_plane(folder: Path, count: int, steps: Sequence[str], report: Report) -> None:
    """Measure with a control plane of its own, so that no size finds the traces of another."""
    folder.mkdir()
    plane = ControlPlane(folder / "cluster")
    _say(f"{count} Councilors: starting a control plane")
    try:
        kubeconfig = plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        api = Api(kubeconfig)
        for namespace in (FLOOR_NAMESPACE, NAMESPACE):
            api.make_namespace(namespace)
        api.close()
        operator = MeasuredOperator(kubeconfig, folder / "operator.log")
        try:
            asyncio.run(_measure(kubeconfig, AuditLog(plane.audit_log), operator, count, steps, report))
        finally:
            operator.kill()
    finally:
        plane.down()


async def _measure(
    kubeconfig: Path, audit: AuditLog, operator: MeasuredOperator, count: int, steps: Sequence[str], report: Report
) -> None:
    async with Client.connect(kubeconfig) as client:
        writing = {"converge", "change"}.intersection(steps)
        floors = []
        if writing:
            _say(f"{count} Councilors: floor")
            floors.append(await floor.measure(client, FLOOR_NAMESPACE, count))

        trial = Trial(client, audit, operator, namespace=NAMESPACE, count=count)
        done: dict[str, Step] = {"start": await trial.start()}
        _say(f"{count} Councilors: create, converge")
        done["converge"] = await trial.converge()
        if "change" in steps:
            _say(f"{count} Councilors: change all, converge")
            done["change"] = await trial.change()
        if "idle" in steps:
            _say(f"{count} Councilors: idle")
            done["idle"] = await trial.idle(IDLE_SECONDS)
        restarts: list[Step] = []
        listings: list[float] = []
        if "restart" in steps:
            for _ in range(RESTARTS):
                _say(f"{count} Councilors: list, restart")
                listings.append(await floor.measure_listing(client))
                restarts.append(await trial.restart())
        operator.kill()
        if writing:
            _say(f"{count} Councilors: floor again")
            floors.append(await floor.measure(client, FLOOR_NAMESPACE, count))

    _report_writing(report, count, [step for step in ("converge", "change") if step in steps], floors, done)
    if restarts:
        _report_restart(report, count, listings, restarts)
    if "idle" in steps:
        report.add("idle_cpu", 100 * done["idle"].cpu_seconds / done["idle"].seconds, "% of a core", count)
    for name, step in (*done.items(), *((f"restart_{number}", step) for number, step in enumerate(restarts, 1))):
        report.add(f"memory_after_{name}", step.memory.now, "MB", count)
    report.add("memory_peak", max(step.memory.peak for step in (*done.values(), *restarts)), "MB", count)


def _report_writing(
    report: Report, count: int, steps: Sequence[str], floors: Sequence[floor.Floor], done: dict[str, Step]
) -> None:
    for name in steps:
        before, after = (one.converge if name == "converge" else one.reconverge for one in floors)
        base, step = (before + after) / 2, done[name]
        report.add(f"{name}_floor", base, "s", count)
        report.add(f"{name}_floor_drift", after / before, "", count)
        report.add(f"{name}_seconds", step.seconds, "s", count)
        report.add(f"{name}_ratio", step.seconds / base, "x floor", count)
        report.add(f"{name}_cpu", 1000 * step.cpu_seconds / count, "ms each", count)
        for kind, writes in sorted(step.writes.items()):
            report.add(f"{name}_writes_{kind.replace(' ', '_')}", writes / count, "each", count)
        least = min(SIZES)
        if count > least and (small := report.value(f"{name}_cpu", least)):
            report.add(f"{name}_cpu_growth", 1000 * step.cpu_seconds / count / small, f"x {least}", count)


def _report_restart(report: Report, count: int, listings: Sequence[float], restarts: Sequence[Step]) -> None:
    times = [step.seconds for step in restarts]
    listing, seconds = statistics.median(listings), statistics.median(times)
    report.add("restart_floor", listing, "s", count)
    report.add("restart_seconds", seconds, "s", count)
    report.add("restart_ratio", seconds / listing, "x floor", count)
    report.add("restart_spread", max(times) / min(times), "", count)
    report.add("restart_cpu", statistics.median(step.cpu_seconds for step in restarts), "s", count)
    report.add("restart_writes", sum(sum(step.writes.values()) for step in restarts), "writes", count)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
