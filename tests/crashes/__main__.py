"""`python -m tests.crashes` (`make trials`): carry out all trials and print the figures.

    TRIALS=2000 SEED=1 python -m tests.crashes

`TRIALS` is how many there are at random places, besides the systematic ones, which strike everywhere. Ends with 1 when
anything was lost, done twice or wrong.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Final

from tests.crashes.campaign import Figures, Tally, carry_out, disturbing, random_trials, systematic
from tests.crashes.scenario import SHAPES
from tests.crashes.site import Site, open_site
from tests.crashes.tap import Exchange
from tests.crashes.trial import Trial
from tests.mongodb import Mongod
from tests.mongodb.server import Shape

_TRIALS: Final = 500
_SEED: Final = 20260302
_EVERY: Final = 50


def main() -> int:
    trials, seed = _number("TRIALS", _TRIALS), _number("SEED", _SEED)
    # FastAPI warns while it builds an application; pytest would show it, here it only disturbs the table.
    warnings.simplefilter("ignore")
    # In the background a shell lets SIGINT be ignored; the servers have to be ended either way.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    tally = Tally(on_trial=_Progress(started))
    with contextlib.ExitStack() as ending:
        exchange = ending.enter_context(Exchange())
        directory = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="trials-")))

        def site(shape: Shape) -> Site:
            return ending.enter_context(
                open_site(ending.enter_context(Mongod(shape, failpoints=True)), exchange, directory)
            )

        sites = {shape: site(shape) for shape in SHAPES}
        own = [site(shape) for shape in SHAPES]
        carry_out(tally, systematic(sites), alone=[disturbing(each) for each in own])
        random_trials(tally, sites, seed, trials)
    _print(f"\nseed {seed}, {time.monotonic() - started:.0f} s\n{_table(tally)}")
    for trial in tally.violations:
        _print(f"\n{trial}\n  " + "\n  ".join(trial.judgement.violations) + f"\n{trial.log}")
    return 1 if tally.violations else 0


class _Progress:
    """A line now and then, and one for each violation as soon as it is found."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._trials = 0

    def __call__(self, trial: Trial) -> None:
        self._trials += 1
        if trial.judgement.violations:
            _print(f"VIOLATION {trial}: {'; '.join(trial.judgement.violations)}")
        if self._trials % _EVERY == 0:
            _print(f"{self._trials} runs after {time.monotonic() - self._started:.0f} s")


def _table(tally: Tally) -> str:
    columns = list(vars(Figures()))
    lines = [("kind", "MongoDB", *columns)]
    for (kind, shape), row in sorted(tally.figures.items()):
        lines.append((kind, shape, *(str(getattr(row, column)) for column in columns)))
    lines.append(("all", "", *(str(getattr(tally.total, column)) for column in columns)))
    return "\n".join(
        f"{kind:<19} {shape:<12}" + "".join(f"{value:>8}" for value in values) for kind, shape, *values in lines
    )


def _number(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdecimal():
        raise SystemExit(f"{name} has to be a whole number, such as {default}")
    return int(value)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
