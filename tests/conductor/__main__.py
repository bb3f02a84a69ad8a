"""`python -m tests.conductor`: the stub in the foreground, for the demo. Ends on SIGTERM and SIGINT."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.conductor.answers import Answer, ScriptFileError, read_scripts
from tests.conductor.documents import DATABASE
from tests.conductor.settings import Settings
from tests.conductor.stub import StubConductor, StubConductorError

_END = {signal.SIGTERM, signal.SIGINT}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conductor", description="Runs a stub Conductor until SIGTERM."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--conductor-port", type=int, default=8000, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--gateway-port", type=int, default=8080, help="default: %(default)s; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="of /_stub/...; default: a free one")
    parser.add_argument("--mongodb-uri", required=True)
    parser.add_argument("--database", default=DATABASE, help="default: %(default)s")
    parser.add_argument("--scripts", type=Path, help="YAML or JSON: agent id to a list of answers, used in turn")
    parser.add_argument("--create-agents", action="store_true", help="store a document for scripted agents without one")
    parser.add_argument("--era", choices=("current", "seed"), default="current")
    parser.add_argument("--pid-file", type=Path, help="holds the pid of this process while it runs")
    options = parser.parse_args(arguments)

    # Blocked before any thread starts, so that the signals wait for sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    try:
        scripts = read_scripts(options.scripts) if options.scripts else {}
        stub = StubConductor(
            options.mongodb_uri,
            host=options.host,
            conductor_port=options.conductor_port,
            gateway_port=options.gateway_port,
            control_port=options.control_port,
            database=options.database,
            settings=Settings(era=options.era),
        )
        _serve(stub, scripts, create_agents=options.create_agents, pid_file=options.pid_file)
    except (ScriptFileError, StubConductorError) as error:
        sys.stderr.write(f"stub conductor: {error}\n")
        return 1
    return 0


def _serve(
    stub: StubConductor, scripts: dict[str, list[Answer]], *, create_agents: bool, pid_file: Path | None
) -> None:
    if pid_file is not None:
        pid_file.write_text(f"{os.getpid()}\n")
    try:
        with stub:
            for agent_id, answers in scripts.items():
                stub.script(agent_id, *answers)
                if create_agents:
                    stub.ensure_agent(agent_id)
            sys.stdout.write(
                f"stub conductor ready: conductor {stub.conductor_url} gateway {stub.gateway_url} "
                f"control {stub.control_url}\n"
            )
            sys.stdout.flush()
            signal.sigwait(_END)
    finally:
        if pid_file is not None:
            pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
