"""The schedules of Councilors: validated, compiled to what a CronJob accepts, and counted ahead as there."""

from councilor_operator.schedule.compiled import (
    CompiledSchedule,
    compile_expression,
    compile_schedule,
    next_times,
    times_between,
)
from councilor_operator.schedule.finding import Lint, ScheduleError, Suggestion, quote

__all__ = [
    "CompiledSchedule",
    "Lint",
    "ScheduleError",
    "Suggestion",
    "compile_expression",
    "compile_schedule",
    "next_times",
    "quote",
    "times_between",
]
