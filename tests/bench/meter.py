"""Runs a program once and prints what it took, as one JSON object: `python -I -S meter.py LOG PROGRAM [ARGUMENT...]`.

A process of its own, and a small one, because Linux hands the peak memory of whoever starts a program down to it: in
`getrusage` even `true` would be as large as the benchmark. The program's standard error goes to the file LOG.
"""

import json
import os
import resource
import sys
import time


def main() -> None:
    """Start the program, wait for it, print `seconds`, `exit_code` and `peak_mb` (10^6 bytes)."""
    log, *arguments = sys.argv[1:]
    files = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    started = time.perf_counter()
    pid = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=files)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    sys.stdout.write(
        json.dumps({"seconds": seconds, "exit_code": os.waitstatus_to_exitcode(status), "peak_mb": peak}) + "\n"
    )


if __name__ == "__main__":
    main()
