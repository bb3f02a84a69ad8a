"""`python -m tests.mongodb`: a mongod in the foreground, for the demo. Ends on SIGTERM and SIGINT."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.mongodb.binary import MongodUnavailableError
from tests.mongodb.server import Mongod, MongodError


class _Ended(BaseException):
    """SIGTERM or SIGINT arrived."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mongodb", description="Runs a genuine mongod until SIGTERM.")
    parser.add_argument("--host", default="127.0.0.1", help="one IP address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="default: a free one")
    parser.add_argument("--data", type=Path, help="data directory, kept (default: a temporary one, removed at the end)")
    parser.add_argument("--pid-file", type=Path, help="holds the pid of this process while it runs")
    parser.add_argument("--shape", choices=("replica-set", "standalone"), default="replica-set")
    parser.add_argument("--failpoints", action="store_true", help="allow configureFailPoint")
    options = parser.parse_args(arguments)

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the orderly end
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise _Ended

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        server = Mongod(
            options.shape,
            bind_ip=options.host,
            port=options.port,
            dbpath=options.data,
            failpoints=options.failpoints,
        )
        return _serve(server, options.pid_file)
    except _Ended:
        return 0
    except (ValueError, MongodError, MongodUnavailableError) as error:
        sys.stderr.write(f"mongod: {error}\n")
        return 1


def _serve(server: Mongod, pid_file: Path | None) -> int:
    if pid_file is not None:
        pid_file.write_text(f"{os.getpid()}\n")
    try:
        with server:
            sys.stdout.write(f"mongod ready: {server.uri} pid {server.pid}\n")
            sys.stdout.flush()
            code = server.wait()
            sys.stderr.write(f"mongod: the server ended by itself with code {code}; see {server.log}\n")
            return 1
    finally:
        if pid_file is not None:
            pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
