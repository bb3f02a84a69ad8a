"""Reading answers without a marker line: what is left out, what a text's features are, where the weights come from."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_runner.contract import VerdictRules
from councilor_runner.verdict import judge, reading
from councilor_runner.verdict.features import features
from councilor_runner.verdict.labels import severity_of_labels
from councilor_runner.verdict.reading import PART, Weights, severity_of_statements
from councilor_runner.verdict.statements import MENTION, statements
from councilor_runner.verdict.text import normalise
from hack.verdict.corpus import FOLDER, read_corpus
from hack.verdict.training import learn

SEVERITIES = ["success", "warning", "error"]
BUILT_IN = VerdictRules()


def said(text: str) -> list[str]:
    return statements(normalise(text))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # Counts of zero, alone, in a row, in a table, in JSON.
        ("0 falhas", []),
        ("Errors: 0", []),
        ("errors in the server log: none", []),
        ("- null violations: 0", []),
        ("| critical | 0 |", []),
        ("Taxa de falhas: 0,00 %", []),
        ("0 falhas, 0 erros e 0 avisos.", []),
        ("12 passed, 0 failed", ["12 passed"]),
        ("stylelint: 0 errors, 46 warnings.", ["stylelint: 0 errors, 46 warnings."]),
        ("Deadlocks in the last 7 days: 0. Rejected connections: 0.", []),
        ('{"rows": 12, "errors": [], "failed": 0, "warnings": null}', ["rows: 12"]),
        # Not a count of trouble, or not zero.
        ("Errors: 10", ["errors: 10"]),
        ("| critical | 1 |", ["| critical | 1 |"]),
        ("Zero revenue since Monday.", ["zero revenue since monday."]),
        ("0 backups taken", ["0 backups taken"]),
        ("0.5 % of the errors remain", ["0.5 % of the errors remain"]),
        # Ticked items go, open ones stay.
        ("- [x] Fix the failing login\n* [X] erro\n☑ falha", []),
        ("- [ ] Renew the licence", ["☐ renew the licence"]),
        # What is named leaves a mark.
        ("`fail()` is covered", [f"{MENTION} is covered"]),
        ("The message “Falha ao salvar” is right.", [f"the message {MENTION} is right."]),
        ("test_error_on_timeout passes", [f"{MENTION} passes"]),
        ("See src/errors/fatal.py.", [f"see {MENTION}"]),
        ("--no-fail is set", [f"{MENTION} is set"]),
        # Fences and markup go, what stands in between stays.
        ("```\nbuild failed\n```", ["build failed"]),
        ("## **Backups**", ["backups"]),
        ("", []),
    ],
)
def test_what_is_left_of_a_text(text: str, left: list[str]) -> None:
    assert [" ".join(statement.split()) for statement in said(text)] == left


@pytest.mark.parametrize(
    ("text", "present", "absent"),
    [
        ("Nothing failed.", {"s:!failed"}, {"s:failed"}),
        ("Nothing failed, yet the export stopped.", {"s:!failed", "s:stoppe"}, {"s:!stoppe"}),
        ("It failed.", {"s:failed", "b:it>failed", "c:fail", "c:led>"}, {"s:!failed"}),
        ("Falharam 3 testes", {"s:falhar", "b:<>falhar", "b:falhar>#", "b:testes>>"}, set()),
        ("79.2 % against a target of 80 %", {"n:target<~"}, set()),
        ("Cobertura em 62 %; meta de 80 %", {"n:meta<"}, set()),
        ("p95 of 240 ms, limit 500 ms", {"n:limit<"}, set()),
        ("3 of 3 replicas", {"n:of="}, set()),
        ("1 of 3 replicas", {"n:of<"}, set()),
        ("2 de 40.000 imagens", {"n:offew"}, set()),
        ("de 7 para 15 min", {"n:up"}, {"n:down"}),
        ("from 640 ms to 310 ms", {"n:down"}, {"n:up"}),
    ],
)
def test_features(text: str, present: set[str], absent: set[str]) -> None:
    found = features(said(text))
    assert present <= found
    assert not absent & found


_TROUBLE = [
    "Production is down.",
    "Falha no backup.",
    "Atenção: 6 pacotes desatualizados.",
    "Two tests failed on main.",
]
_TEXTS = st.lists(st.sampled_from([*_TROUBLE, "All green.", "Tudo certo.", "42 packages, all MIT."]), max_size=6)
_HARMLESS = st.sampled_from(
    [
        "0 falhas",
        "0 erros, 0 avisos",
        "Errors: 0",
        "- failed: 0",
        "| critical | 0 |",
        "warnings: none",
        "- [x] Fix the failing login",
        "* [x] erro crítico corrigido",
        "Vulnerabilidades: 0",
        "`fatal error`",
        "test_failure_of_login",
    ]
)


@given(_TEXTS, _HARMLESS, st.integers(0, 6))
def test_what_is_ticked_counted_as_zero_or_only_named_never_raises_a_verdict(
    lines: list[str], harmless: str, place: int
) -> None:
    with_it = [*lines[:place], harmless, *lines[place:]]
    before, after = (judge("\n".join(text), BUILT_IN).severity for text in (lines, with_it))
    assert SEVERITIES.index(after) <= SEVERITIES.index(before)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("129 lidas.\nAtenção: a dependência `fast-xml` mudou de licença.", "warning"),
        ("- **Aviso:** o certificado vence em 20 dias", "warning"),
        ("⚠️ Warning: disk at 82 %", "warning"),
        ("2. Ponto de atenção: índice grande", "warning"),
        ("Critical: disk full", "error"),
        ("> **Erro grave:** a réplica parou", "error"),
        ("Atenção: um\nErro: dois", "error"),
        # Of nothing, in the middle, of something else.
        ("Erro: 0\nAtenção: nenhuma\nWarning: none", None),
        ("- [x] Erro: login", None),
        ("The message `Error: no such file` is explained.", None),
        ("Alertas: 2, ambos tratados", None),
        ("Error handling: sound", None),
        ("A label such as error: is common", None),
    ],
)
def test_labels(text: str, severity: str | None) -> None:
    assert severity_of_labels(said(text)) == severity


def test_many_good_statements_do_not_outweigh_a_bad_one() -> None:
    good = [
        line for line in said("All green.\nBackups complete.\nNo open incidents.\nEvery test passed.") for _ in "12345"
    ]
    assert len(good) > PART
    assert severity_of_statements(good) == "success"
    bad = "the backup failed and the database is corrupted, production is down."
    for place in (0, len(good) // 2, len(good)):
        assert severity_of_statements([*good[:place], bad, *good[place:]]) == "error"


@pytest.mark.parametrize(
    ("found", "scores"),
    [
        # One known feature: its weight and the bias. Unknown ones count for nothing.
        (["s:failed"], (-0.6, 0.0, 0.75)),
        (["s:failed", "s:other"], (-0.6, 0.0, 0.75)),
        ([], (0.1, -0.1, -0.25)),
    ],
)
def test_scores(found: list[str], scores: tuple[float, float, float]) -> None:
    document = b"generated\t100\t10\t-10\t-25\nb:a>b\t7\t1\t2\t3\ns:failed\t100\t-70\t10\t100\ns:zeta\t3\t1\t1\t1\n"
    assert Weights(document).scores(found) == pytest.approx(scores)


def test_every_weight_is_found() -> None:
    document = (Path(reading.__file__).parent / "weights.tsv").read_bytes()
    weights = Weights(document)
    lines = document.splitlines()[1:]
    for line in [*lines[:3], *lines[:: len(lines) // 500], *lines[-3:]]:
        name, *numbers = line.split(b"\t")
        assert weights._find(name) == [int(number) for number in numbers]
    for name in (b"", b"a", b"s:", b"s:\xff", b"zzz"):
        assert weights._find(name) is None


def test_the_weights_are_those_that_the_corpus_teaches() -> None:
    committed = (Path(reading.__file__).parent / "weights.tsv").read_bytes()
    assert learn(read_corpus()) == committed, (
        "run 'make verdict' and commit runner/councilor_runner/verdict/weights.tsv"
    )


def test_the_corpus_is_balanced_and_never_says_a_thing_twice() -> None:
    rows = [json.loads(line) for path in FOLDER.glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    assert all(row.keys() == {"lang", "severity", "text"} for row in rows)
    for key, parts in (("severity", 3), ("lang", 2)):
        counts = Counter(row[key] for row in rows)
        assert len(counts) == parts
        assert all(abs(count * parts / len(rows) - 1) < 0.05 for count in counts.values()), counts
    severities: dict[str, set[str]] = {}
    for row in rows:
        severities.setdefault(" ".join(normalise(row["text"]).split()), set()).add(row["severity"])
    assert not [text for text, found in severities.items() if len(found) > 1]
