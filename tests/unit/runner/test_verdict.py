"""The verdict: marker lines in all their dresses, keywords in context, and the labelled texts as a whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_runner.contract import VerdictRules
from councilor_runner.verdict import Verdict, judge, without_marker

BUILT_IN = VerdictRules()
READING_SECONDS = 120
"""Far more than reading takes even on a busy machine, far less than a search without bounds."""
LABELLED = Path(__file__).parents[2] / "data" / "verdicts.jsonl"

MARKERS = [
    ("SEVERITY: success", "success"),
    ("severity: warning", "warning"),
    ("Severity = error", "error"),
    ("Severity - error", "error"),
    ("Severidade: sucesso", "success"),
    ("Severidade: atenção", "warning"),
    ("SEVERIDADE: CRÍTICA", "error"),
    ("severidade final: aviso", "warning"),
    ("VERDICT: failed", "error"),
    ("Overall verdict: passed", "success"),
    ("Veredito: aprovado", "success"),
    ("VEREDICTO: REPROVADO", "error"),
    ("Status: ok", "success"),
    ("status: crítico", "error"),
    ("**SEVERITY: warning**", "warning"),
    ("**Severity:** WARN", "warning"),
    ("**Status:** ok.", "success"),
    ("*Verdict*: **SUCCESS**", "success"),
    ("__SEVERITY__: __error__", "error"),
    ("`SEVERITY: warning`", "warning"),
    ("> Severidade: atenção", "warning"),
    ("> **Severidade:** atenção", "warning"),
    ("## Severity: error", "error"),
    ("- SEVERITY: success", "success"),
    ("3. SEVERITY: success", "success"),
    ("SEVERITY: ✅ success", "success"),
    ("SEVERITY: success ✅", "success"),
    ("SEVERITY: [warning]", "warning"),
    ('SEVERITY: "warning"', "warning"),
    ("SEVERITY: warning - two packages are old", "warning"),
    ("SEVERITY: error (the backup is missing)", "error"),
    ("SEVERITY: success, nothing to do", "success"),
    ("SEVERITY:error", "error"),
    ("  SEVERITY :  error  ", "error"),
    ("Severidade: bem-sucedida", "success"),
    ("[SEVERITY: warning]", "warning"),
    ("⚠️ SEVERITY: warning", "warning"),
    ("🔴 **Severity:** error", "error"),
    ('"SEVERITY: warning"', "warning"),
    ("Severity level: high", "error"),
    ("Nível de severidade: atenção", "warning"),
    ("Severidade da execução: erro", "error"),
    ("Overall severity level: warning", "warning"),
    ("Task severity: error", "error"),
    ("Severity (overall): warning", "warning"),
    ("SEVERITY: error -- the backup is missing", "error"),
    ("SEVERITY: error -> the backup is missing", "error"),
    ("SEVERITY: error | backup missing", "error"),
    ("SEVERITY: error because the backup is missing", "error"),
    ("**SEVERITY: WARNING** - 2 issues", "warning"),
    ("Severidade: alta", "error"),
    ("SEVERITY: low", "warning"),
    ("SEVERITY: none", "success"),
    ("SEVERITY: success with warnings", "warning"),
    ("Veredito: aprovado com ressalvas", "warning"),
    ("SEVERITY -> warning", "warning"),
    ("Done. SEVERITY: warning", "warning"),
    ("All checks passed. Severity: success", "success"),
]


@pytest.mark.parametrize(("line", "severity"), MARKERS)
def test_a_marker_line_decides(line: str, severity: str) -> None:
    contrary = "Production is down, everything failed." if severity == "success" else "All green."
    for text in (line, f"{contrary}\n\n{line}", f"{contrary}\n{line}\n\n", f"{line}\n\n{contrary}"):
        assert judge(text, BUILT_IN) == Verdict(severity, "marker"), text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "SEVERITY: success|warning|error",
        "SEVERITY: success / warning / error",
        "SEVERITY: unknown",
        "SEVERITY: success, warning or error",
        "SEVERITY: success (or warning, or error)",
        "SEVERITY: success | warning | error",
        "Severity: critical: 0",
        "Severity: critical (0), high (0), medium (3)",
        "Severity: errors. None found.",
        "Status: failed: 0, passed: 12",
        "Status: warnings: 0",
        "Status: ok, but the backup failed",
        "Status: error (resolved)",
        "Status: high",
        "Status: failed tests were repaired",
        "Status: errors 0",
        "| Status | failed |",
        '"severity": "error",',
        "The severity: error means that something is broken",
        "Severity: error-prone code was rewritten",
        "status error",
        "SEVERITY:",
    ],
)
def test_what_only_looks_like_a_marker(line: str) -> None:
    assert judge(line, BUILT_IN).basis != "marker"


def test_the_last_marker_wins() -> None:
    assert (
        judge("SEVERITY: error\nOn second thoughts it is harmless.\nSEVERITY: warning", BUILT_IN).severity == "warning"
    )


def test_the_grade_of_one_finding_is_no_verdict_on_all() -> None:
    text = "1. Injection\nSeverity: high\n2. Old header\nSeverity: low\n\nProduction is down."
    assert judge(text, BUILT_IN).basis != "marker"
    assert judge(f"{text}\nSeverity: high", BUILT_IN) == Verdict("error", "marker")


def test_a_quoted_log_is_no_verdict() -> None:
    text = "SEVERITY: success\n\nThe log of the last run, for reference:\n\n```\nseverity: error\n```\n\nThat is over."
    assert judge(text, BUILT_IN) == Verdict("success", "marker")


def test_a_marker_in_a_block_at_the_end_is_meant() -> None:
    assert judge("All fine.\n\n```\nSEVERITY: warning\n```", BUILT_IN) == Verdict("warning", "marker")


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("", "success"),
        ("Tudo certo.", "success"),
        # Zero counts, in front and behind.
        ("0 falhas, 0 erros.", "success"),
        ("12 passed, 0 failed", "success"),
        ("Errors: 0", "success"),
        ("errors = 0", "success"),
        ("Errors in the server log: none", "success"),
        ("| critical | 0 |", "success"),
        ('{"failed_expectations": 0, "errors": []}', "success"),
        ("Taxa de falhas: 0,00 %", "success"),
        ("10 failed", "error"),
        ("Errors: 10", "error"),
        ("| critical | 1 |", "error"),
        ('{"corrupted_pages": 17}', "error"),
        # Negation, and where it ends.
        ("No errors.", "success"),
        ("Sem erros, avisos ou alertas.", "success"),
        ("Nenhum problema crítico encontrado.", "success"),
        ("Finished without a single error.", "success"),
        ("No warnings, but the deployment failed.", "error"),
        ("Sem alertas, mas o backup falhou.", "error"),
        # Named, not reported.
        ("The function `on_error` and `fail()` are covered.", "success"),
        ("The test test_error_on_timeout passes.", "success"),
        ("See src/errors/fatal.py for the list.", "success"),
        ("The message “Falha ao salvar” is spelled right.", "success"),
        ("Error handling is sound.", "success"),
        ("O tratamento de erros está bem feito.", "success"),
        # Ticked and open items.
        ("- [x] Fix the failing login\n- [x] No errors", "success"),
        ("- [x] Tests\n- [ ] Documentation", "warning"),
        # The past, put right or not.
        ("The failure reported last week has been fixed.", "success"),
        ("O erro da semana passada foi corrigido.", "success"),
        # Plain statements.
        ("Production is down.", "error"),
        ("Build quebrado na main.", "error"),
        ("Não consegui acessar o repositório.", "error"),
        ("I was unable to clone the repository.", "error"),
        ("Seven deprecation warnings.", "warning"),
        ("Atenção: 6 pacotes desatualizados.", "warning"),
        # Harmless, or not yet.
        ("A flaky test failed once and passed on retry.", "warning"),
        ("These notices will become errors in version 5.", "warning"),
        ("🔥 /pay", "error"),
        ("2 packages ⚠️", "warning"),
    ],
)
def test_words_in_context(text: str, severity: str) -> None:
    assert judge(text, BUILT_IN).severity == severity


def test_own_keywords_replace_the_built_in_ones() -> None:
    rules = VerdictRules(error_keywords=("Não conforme", "vetado"), warning_keywords=("ressalva",))
    assert judge("Item 4: NAO CONFORME.", rules) == Verdict("error", "keywords")
    assert judge("Aprovado com ressalva.", rules) == Verdict("warning", "keywords")
    assert judge("Aprovado sem ressalva.", rules) == Verdict("success", "default")
    assert judge("Production is down, everything failed.", rules) == Verdict("success", "default")
    assert judge("`vetado` is a column; vetados is another word.", rules) == Verdict("success", "default")


@pytest.mark.parametrize("keyword", ["BUILD_FAILED", "schema.sql", "a/b", "--force"])
def test_a_keyword_may_be_an_identifier(keyword: str) -> None:
    rules = VerdictRules(error_keywords=("vetado", keyword))
    assert judge(f"Result: {keyword} in stage 2.", rules) == Verdict("error", "keywords")
    assert judge(f"Result: no {keyword} in stage 2.", rules).severity != "error"
    assert judge(f"See `{keyword}`.", rules).severity != "error"


def test_own_keywords_are_no_patterns() -> None:
    assert judge("abc", VerdictRules(error_keywords=("a.c", "(", ""), warning_keywords=())).severity == "success"
    assert judge("it says a.c", VerdictRules(error_keywords=("says a",), warning_keywords=())).severity == "success"


def test_own_error_keywords_leave_the_warnings_alone() -> None:
    assert judge("Seven deprecation warnings.", VerdictRules(error_keywords=("vetado",))).severity == "warning"


@pytest.mark.parametrize(
    "piece",
    [
        "`",
        '"',
        "(",
        "a_",
        "- ",
        "no ",
        "*" * 480 + "\n",
        "0 ",
        "errors ",
        "from 1 ",
        "1 of ",
        "target ",
        "> > ",
        " ",
        "\n",
        "status ",
        "```\n",
        "[ ] ",
        "é",
    ],
)
def test_long_answers_are_read_in_bounded_time(piece: str) -> None:
    # Without bounds several of these take hours; a regular expression at work can only be ended from outside.
    program = (
        "import sys; from councilor_runner.contract import VerdictRules; from councilor_runner.verdict import judge; "
        "piece = sys.argv[1]; print(judge(piece * (3_000_000 // len(piece)), VerdictRules()).severity)"
    )
    try:
        judged = subprocess.run(
            [sys.executable, "-c", program, piece], capture_output=True, text=True, timeout=READING_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"not judged within {READING_SECONDS} s")
    assert judged.stdout.strip() in ("success", "warning", "error")


def test_the_end_of_a_long_answer_is_read() -> None:
    assert judge("x\n" * 8_000_000 + "SEVERITY: error\n", BUILT_IN) == Verdict("error", "marker")


_LINES = st.sampled_from(
    [line for line, _ in MARKERS]
    + [
        "0 falhas",
        "No errors.",
        "Atenção: é tarde",
        "- [x] falha",
        "```",
        "`erro`",
        "build failed",
        "İstanbul ist groß",
        "ﬁn",
    ]
)
_TEXTS = st.lists(_LINES | st.text(max_size=30), max_size=8).map("\n".join)


@settings(deadline=None)
@given(_TEXTS)
def test_letter_case_does_not_matter(text: str) -> None:
    assert judge(text.upper(), BUILT_IN) == judge(text.lower(), BUILT_IN) == judge(text, BUILT_IN)


@settings(deadline=None)
@given(_TEXTS, st.sampled_from(["\r\n", "\r", " \n", "\t \n"]))
def test_line_endings_and_trailing_space_do_not_matter(text: str, ending: str) -> None:
    plain = text.replace("\r", "")
    assert judge(plain.replace("\n", ending), BUILT_IN) == judge(plain, BUILT_IN)
    assert judge(plain + ending * 2, BUILT_IN) == judge(plain, BUILT_IN)


@settings(deadline=None)
@given(st.text())
def test_every_text_has_a_verdict(text: str) -> None:
    assert judge(text, BUILT_IN).severity in ("success", "warning", "error")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fine.\n\nSEVERITY: success", "Fine.\n"),
        ("Fine.\r\nSEVERITY: success\r\n", "Fine.\r"),
        ("É tarde.\n> **Severidade:** atenção\n\n", "É tarde."),
        ("Fine.\nSEVERITY: success ✅", "Fine."),
        ("SEVERITY: success", ""),
        # Says something that the severity does not.
        ("Done.\nSEVERITY: warning - two packages are old", "Done.\nSEVERITY: warning - two packages are old"),
        ("Done.\nSEVERITY: error (the backup is missing)", "Done.\nSEVERITY: error (the backup is missing)"),
        # Not the last line, or no marker.
        ("SEVERITY: success\nTwo are old.", "SEVERITY: success\nTwo are old."),
        ("SEVERITY: success|warning|error", "SEVERITY: success|warning|error"),
        ("Two are old.\n", "Two are old.\n"),
        ("", ""),
    ],
)
def test_an_answer_without_its_marker(text: str, expected: str) -> None:
    assert without_marker(text) == expected


def test_labelled_texts() -> None:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    verdicts = [(row, judge(row["text"], BUILT_IN)) for row in rows]
    wrong_markers = [row["id"] for row, v in verdicts if v.basis == "marker" and v.severity != row["severity"]]
    assert not wrong_markers
    right = sum(verdict.severity == row["severity"] for row, verdict in verdicts)
    # 108 at the time of writing. They were never learned from, and one more or less says nothing.
    assert right >= 104, f"{right} of {len(rows)}"
