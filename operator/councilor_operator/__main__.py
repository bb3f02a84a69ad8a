"""Entry point: `councilor-operator run` is the operator, `sync` keeps Councilors equal to documents, `import` prints
them, `verify` proves an installation."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from councilor_operator.config import OperatorConfig, ProcessConfig
from councilor_operator.errors import ConfigurationError

EXIT_USAGE, EXIT_CONFIGURATION = 64, 78  # EX_USAGE and EX_CONFIG of sysexits.h
USAGE: Final = """usage: councilor-operator run | sync | import | verify

  run      run the operator
  sync     keep the Councilors of a namespace equal to the documents in Conductor's MongoDB
  import   print those documents as Councilors, once, for files that are applied by hand or by GitOps
  verify   make a Councilor, run it once, say whether all of that worked, and delete it again

Settings are environment variables: COUNCILOR_* for run, MONGODB_URI and COUNCILOR_SYNC_* for sync and import,
COUNCILOR_VERIFY_* for verify.
"""


# Each command imports what it needs: the operator has no use for MongoDB's driver, nor import and verify for kopf.
def _run() -> int:
    from councilor_operator import process

    config = OperatorConfig.from_environment(os.environ)
    _prepare(config)
    asyncio.run(process.run(config))
    return 0


def _sync() -> int:
    from councilor_operator.sync import process
    from councilor_operator.sync.config import SyncConfig

    config = SyncConfig.from_environment(os.environ)
    _prepare(config)
    asyncio.run(process.run(config))
    return 0


def _import() -> int:
    from councilor_operator.sync import command

    return asyncio.run(command.run(os.environ, sys.stdout, sys.stderr))


def _verify() -> int:
    from councilor_operator.verify import command

    return asyncio.run(command.run(os.environ, sys.stdout))


COMMANDS: Final[Mapping[str, Callable[[], int]]] = {
    "run": _run,
    "sync": _sync,
    "import": _import,
    "verify": _verify,
}


def _prepare(config: ProcessConfig) -> None:
    """Set up the logs of a process that stays."""
    import kopf

    from councilor_operator import handlers

    kopf.configure(log_format=kopf.LogFormat.JSON)
    logging.getLogger().setLevel(config.log_level.upper())
    handlers.quiet_framework_logs()
    # What is imported stays: the garbage collector need not look at it again.
    gc.freeze()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if len(words) != 1 or words[0] not in COMMANDS:
        sys.stderr.write(USAGE)
        return EXIT_USAGE
    try:
        return COMMANDS[words[0]]()
    except ConfigurationError as error:
        sys.stderr.write(f"councilor-operator: {error}\n")
        return EXIT_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
