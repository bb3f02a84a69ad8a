"""Entry point of the operator: `councilor-operator run`, or `python -m councilor_operator run`."""

import asyncio
import gc
import logging
import os
import sys

import kopf

from councilor_operator import handlers, process
from councilor_operator.config import OperatorConfig
from councilor_operator.errors import ConfigurationError

EXIT_USAGE, EXIT_CONFIGURATION = 64, 78  # EX_USAGE and EX_CONFIG of sysexits.h
USAGE = "usage: councilor-operator run\n\nRuns the operator; its settings are environment variables, COUNCILOR_*.\n"


def main() -> int:
    """Run the operator; returns the exit code."""
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if sys.argv[1:] != ["run"]:
        sys.stderr.write(USAGE)
        return EXIT_USAGE
    try:
        config = OperatorConfig.from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"councilor-operator: {error}\n")
        return EXIT_CONFIGURATION
    kopf.configure(log_format=kopf.LogFormat.JSON)
    logging.getLogger().setLevel(config.log_level.upper())
    handlers.quiet_framework_logs()
    # What is imported stays: the garbage collector need not look at it again.
    gc.freeze()
    try:
        asyncio.run(process.run(config))
    except ConfigurationError as error:
        sys.stderr.write(f"councilor-operator: {error}\n")
        return EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())
