"""The command line of the demo: `python -m hack.demo up|down|show`, or `make demo` and `make demo-down`.

Exit codes: 0 done, 1 an error that was explained, 2 wrong usage, 130 interrupted before everything ran.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from .commands import Commands
from .demo import Demo
from .progress import DemoError, say
from .state import State

DESCRIPTION = (
    "Councilors that really run: a Kubernetes cluster, MongoDB, a stub Conductor, operator and sync on this machine."
)
EPILOG = """\
environment:
  CLUSTER                local (default): a cluster of processes of this machine; needs Linux and root, no Docker
                         kind: a kind cluster, where Docker is
                         current: the cluster of kubectl's current context; name images it can pull
  CLUSTER_HOST_ADDRESS   with CLUSTER=current: the IP address at which Pods reach this machine
  OPERATOR_IMAGE, RUNNER_IMAGE
                         images the cluster has or can pull; both are built here unless named
"""
UP = """\
Starts everything, creates the Councilors of examples/, promotes two agents as Conductor's UI does, and shows the first
runs (about two minutes). In a terminal
it then stays, tells what happens and ends everything on Ctrl-C. Elsewhere (a script, CI), or with --detach, it returns
with exit code 0 and leaves everything running until `make demo-down`. A cluster that ran before is left running."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Runs one command; the exit code."""
    asked = _parse()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    state = State.at(asked.state)
    try:
        match asked.command:
            case "up":
                with state.locked(wait=False):
                    return _up(state, asked)
            case "down":
                Demo(state, Commands()).end_foreground()
                with state.locked(wait=True):
                    Demo(state, Commands()).clear(keep_logs=False)
                say("nothing of the demo runs any more")
            case "show":
                print(Demo(state, Commands()).summary(foreground=False), flush=True)
    except BrokenPipeError:  # `show | head`
        return 1
    except (DemoError, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; `make demo-down` ends what is left")
        return 130
    return 0


def _up(state: State, asked: argparse.Namespace) -> int:
    demo = Demo(state, Commands())
    stays = sys.stdout.isatty() if asked.detach is None else not asked.detach
    following = False
    try:
        demo.up()
        demo.await_first_runs(_tell)
        print(f"\n{demo.summary(foreground=stays)}\n", flush=True)
        if not stays:
            return 0
        following = True
        demo.follow(_tell)
    except KeyboardInterrupt:
        return _end(demo, 0 if following else 130)
    except Exception as error:
        # The reason first: cleaning up takes a while and has its own messages.
        say(f"error: {error}" if isinstance(error, (DemoError, OSError)) else f"error: {type(error).__name__}: {error}")
        return _end(demo, 1, keep_logs=True)
    return 0


def _end(demo: Demo, code: int, *, keep_logs: bool = False) -> int:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # half an end would leave the rest to `make demo-down`
    say("ending everything")
    demo.commands.interrupt()
    Demo(demo.state, Commands()).clear(keep_logs=keep_logs)
    if keep_logs:
        say(f"logs of MongoDB and Conductor, if they were started: {demo.state.logs}")
    return code


def _tell(line: str) -> None:
    print(line, flush=True)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _parse() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, metavar="DIR", help="where the demo remembers what it started")
    parser = argparse.ArgumentParser(
        prog="python -m hack.demo",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start everything and watch", description=UP, parents=[common])
    up.add_argument(
        "--detach",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="return when first runs have ended, or stay (default: stay if standard output is a terminal)",
    )
    commands.add_parser("down", help="end everything `up` started; nothing is no error", parents=[common])
    commands.add_parser("show", help="print Councilors and executions of a demo that runs", parents=[common])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
