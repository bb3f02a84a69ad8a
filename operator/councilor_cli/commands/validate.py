"""`councilor validate`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from councilor_cli.errors import CliError
from councilor_cli.files import read_text
from councilor_cli.output import Format, note, one_line, print_document

Files = Annotated[
    list[Path], typer.Argument(help="Files with Councilors, - for standard input.", metavar="FILE...", allow_dash=True)
]


def validate(
    files: Files,
    time_zone: Annotated[str, typer.Option("--default-time-zone", help="The operator's default zone.")] = "UTC",
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print what was found.")] = Format.TABLE,
) -> None:
    """Check Councilors in files, without a cluster; exit code 1 where one would be refused."""
    from councilor_cli.validation import Severity, check

    found: list[tuple[str, Any]] = []
    councilors = others = 0
    for file in files:
        name, text = read_text(file)
        checked = check(text, default_zone=time_zone)
        councilors += checked.councilors
        others += checked.others
        found += [(name, finding) for finding in checked.findings]
    if output is Format.TABLE:
        for name, finding in found:
            place = f"{one_line(name)}:{finding.place.line}:{finding.place.column}"
            sys.stdout.write(f"{place}: {finding.severity}: {one_line(finding.message)}\n")
    else:
        print_document(
            [
                {
                    "file": name,
                    "line": finding.place.line,
                    "column": finding.place.column,
                    "severity": str(finding.severity),
                    "message": finding.message,
                }
                for name, finding in found
            ],
            output,
        )
    sys.stdout.flush()
    errors = sum(finding.severity is Severity.ERROR for _, finding in found)
    warnings = len(found) - errors
    beside = f"; {_number(others, 'object')} of other kinds not checked" if others else ""
    summary = f"{_number(councilors, 'Councilor')}: {_number(errors, 'error')}, {_number(warnings, 'warning')}{beside}"
    if errors or (strict and warnings):
        raise CliError(summary)
    note(summary)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
