"""Commands that need no cluster, as they are typed."""

import json
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from councilor_cli.application import application
from councilor_cli.errors import CliError


def type_in(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(application, words, input=text)


def refused(*words: str, text: str | None = None) -> str:
    result = type_in(*words, text=text)
    assert isinstance(result.exception, CliError), result.output
    return str(result.exception)


def test_a_preview_as_a_document() -> None:
    found = json.loads(type_in("preview", "0 9 * * MON-FRI", "-z", "Europe/Berlin", "-c", "3", "-o", "json").stdout)
    assert (found["words"], found["timeZone"]) == ("at 09:00 on Monday to Friday", "Europe/Berlin")
    runs = [(datetime.fromisoformat(run["local"]), datetime.fromisoformat(run["utc"])) for run in found["runs"]]
    assert len(runs) == 3
    assert all(local == utc and local.hour == 9 and local.weekday() < 5 for local, utc in runs)


def test_a_preview_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "councilor.yaml"
    file.write_text(type_in("new", "coverage", "--agent", "A_Agent", "--every", "45m").stdout)
    result = type_in("preview", "-f", str(file), "-c", "2")
    assert result.stdout.startswith("coverage: runs every 45 minutes, UTC\n")
    assert len(result.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("61 * * * *", 'the minute "61"'),
        ("6x", 'schedule.value "6x" is not an interval'),
        ("45s", "schedule.value"),
        ("0 0 31 2 *", "schedule.value"),
        ("0 9 * * 7", 'the weekday "7"'),
        ("@fortnightly", "schedule.value"),
    ],
)
def test_what_cannot_be_previewed(schedule: str, why: str) -> None:
    assert why in refused("preview", schedule)


@pytest.mark.parametrize("words", [("preview",), ("preview", "6h", "-f", "x.yaml"), ("new", "a"), ("validate",)])
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert type_in(*words).exit_code == 2


def test_both_kinds_of_schedule_are_too_many() -> None:
    assert type_in("new", "a", "--agent", "A", "--cron", "0 9 * * *", "--every", "6h").exit_code == 2
    assert type_in("new", "a", "--agent", "A", "--every", "6h", "--time-zone", "UTC").exit_code == 2


def test_a_new_councilor_that_would_be_refused_is_not_printed() -> None:
    assert refused("new", "Coverage", "--agent", "A_Agent").startswith("metadata.name: ")
    assert refused("new", "coverage", "--agent", "a b").startswith("spec.agentId: ")
    assert "spec.schedule.value" in refused("new", "coverage", "--agent", "A", "--cron", "61 * * * *")


def test_findings_as_a_document(tmp_path: Path) -> None:
    file = tmp_path / "councilor.yaml"
    file.write_text("kind: Councilor\n")
    result = type_in("validate", str(file), "-o", "yaml")
    assert isinstance(result.exception, CliError)
    first, *_ = yaml.safe_load(result.stdout)
    assert (first["file"], first["line"], first["severity"]) == (str(file), 1, "error")


def test_warnings_are_errors_where_asked_for() -> None:
    text = type_in("new", "coverage", "--agent", "A", "--cron", "*/7 * * * *").stdout
    assert type_in("validate", "-", text=text).exit_code == 0
    assert "0 errors, 1 warning" in refused("validate", "--strict", "-", text=text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read" in refused("validate", str(tmp_path / "none.yaml"))
    assert "cannot be read" in refused("validate", str(tmp_path))
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"kind: \xe9")
    assert "not UTF-8" in refused("validate", str(file))


def test_import_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGODB_URI", "COUNCILOR_SYNC_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    assert "MONGODB_URI" in refused("import", "--namespace", "councilors")
    monkeypatch.setenv("MONGODB_URI", "mongodb://root:hunter2@127.0.0.1:1/")
    message = refused("import", "-n", "councilors", "--cron-dialect", "klingon")
    assert "COUNCILOR_SYNC_CRON_DIALECT" in message
    assert "hunter2" not in message
