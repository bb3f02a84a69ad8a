"""`python -m hack.verdict` learns from the corpus and writes the weights; with `--evaluate` it says how well texts that
were not learned from are judged."""

import argparse
from collections import Counter
from pathlib import Path

from councilor_runner.verdict import reading
from councilor_runner.verdict.reading import Weights, severity_of_statements
from hack.verdict.corpus import Report, read_corpus
from hack.verdict.training import learn

WEIGHTS = Path(reading.__file__).parent / "weights.tsv"
LABELLED = Path(__file__).parents[2] / "tests" / "data" / "verdicts.jsonl"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m hack.verdict", description=__doc__)
    parser.add_argument("--evaluate", action="store_true", help="judge each author's reports by what the others wrote")
    reports = read_corpus()
    if parser.parse_args().evaluate:
        evaluate(reports)
        return
    WEIGHTS.write_bytes(learn(reports))
    print(f"{WEIGHTS.name}: learned from {len(reports)} reports")


def evaluate(reports: list[Report]) -> None:
    """Print how many reports are judged right, for each author, and of the labelled texts of the tests."""
    total: Counter[bool] = Counter()
    for author in sorted({report.author for report in reports}):
        weights = Weights(learn([report for report in reports if report.author != author]))
        total += _print(author, weights, [report for report in reports if report.author == author])
    print(_line("all authors", total))
    _print("tests/data", Weights(learn(reports)), read_corpus([LABELLED]))


def _print(name: str, weights: Weights, reports: list[Report]) -> Counter[bool]:
    right = Counter(
        (severity_of_statements(report.statements, weights) or "success") == report.severity for report in reports
    )
    print(_line(name, right), flush=True)
    return right


def _line(name: str, right: Counter[bool]) -> str:
    return f"{name:22} {right[True]:5} of {right.total():5} right: {right[True] / right.total():.1%}"


if __name__ == "__main__":
    main()
