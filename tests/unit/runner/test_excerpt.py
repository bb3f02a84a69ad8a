"""Excerpts of JSON: whatever the document and the pieces it comes in, what is short stays and what is long is cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_runner.excerpt import ANSWER, FIELDS, Excerpt, ExcerptLimits, TooLargeError
from councilor_runner.records import OUTPUT_LIMIT
from councilor_runner.verdict.text import LONGEST_READ

SMALL = ExcerptLimits(head=24, tail=12, document=100_000)
MARK = "\n[…]\n"


def excerpt(document: bytes, limits: ExcerptLimits = SMALL, pieces: list[int] | None = None) -> bytes:
    """Feed a document in pieces of these sizes, in turn."""
    taking, position, turn = Excerpt(limits), 0, 0
    while position < len(document):
        size = max(1, pieces[turn % len(pieces)]) if pieces else len(document)
        taking.add(document[position : position + size])
        position, turn = position + size, turn + 1
    return taking.finish()


def texts(document: Any) -> list[str]:
    """Every text of a document in order, keys included."""
    match document:
        case str():
            return [document]
        case list():
            return [text for item in document for text in texts(item)]
        case dict():
            return [text for pair in document.items() for part in pair for text in texts(part)]
    return []


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.text('\\"u\n\x00é✅👩a', max_size=120)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
PIECES = st.lists(st.integers(min_value=1, max_value=17), min_size=1, max_size=5)


@given(DOCUMENTS, PIECES, st.booleans())
def test_a_document_comes_out_as_one(document: Any, pieces: list[int], escaped: bool) -> None:
    data = json.dumps(document, ensure_ascii=escaped).encode()
    cut = json.loads(excerpt(data, pieces=pieces).decode("utf-8", "surrogatepass"))
    before, after = texts(document), texts(cut)
    assert len(before) == len(after)
    for text, short in zip(before, after, strict=True):
        written = len(json.dumps(text, ensure_ascii=escaped).encode()) - 2
        if written <= SMALL.head + SMALL.tail:
            assert short == text
        else:
            head, _, tail = short.partition(MARK)
            # A pair of surrogates may lose its half to the cut.
            assert text.startswith(head.rstrip("".join(map(chr, range(0xD800, 0xDC00)))))
            assert text.endswith(tail.lstrip("".join(map(chr, range(0xDC00, 0xE000)))))


@given(st.binary(max_size=400), PIECES)
def test_what_is_no_json_is_survived(data: bytes, pieces: list[int]) -> None:
    assert len(excerpt(data, pieces=pieces)) <= len(data) + data.count(b'"') * len(MARK) * 2


@given(st.text('\\"u0aé✅👩\n', max_size=300), PIECES, PIECES)
def test_the_pieces_do_not_matter_for_what_is_short(text: str, one: list[int], other: list[int]) -> None:
    data = json.dumps([text[:3]] * 20).encode()
    assert excerpt(data, pieces=one) == excerpt(data, pieces=other) == data


@pytest.mark.parametrize("data", [b"", b'"', b'{"a": "b', b'"\\', b'"\\u12', b'"\\u12x4"', b'"\\u12"', b'"\\q"', b"\\"])
def test_broken_documents_stay_broken(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        json.loads(excerpt(data, pieces=[1]))


def test_beginning_and_end_are_kept() -> None:
    data = json.dumps({"result": "b" * 50 + "m" * 1000 + "e" * 50, "exit_code": 3}).encode()
    assert json.loads(excerpt(data, pieces=[7])) == {"result": "b" * 24 + MARK + "e" * 12, "exit_code": 3}


def test_a_document_of_many_texts_has_a_limit_too() -> None:
    with pytest.raises(TooLargeError):
        excerpt(json.dumps(["x"] * 50_000).encode())


@pytest.mark.parametrize("character", ["x", "\x01", "é", "✅", "👩"])
@pytest.mark.parametrize("escaped", [False, True])
def test_an_answer_keeps_what_record_and_verdict_read(character: str, escaped: bool) -> None:
    size = 2 * (ANSWER.head + ANSWER.tail) // len(json.dumps(character, ensure_ascii=escaped).encode()[1:-1])
    text = "beginning" + character * size + "end"
    cut = json.loads(excerpt(json.dumps({"result": text}, ensure_ascii=escaped).encode(), ANSWER, [65536]))["result"]
    head, _, tail = cut.partition(MARK)
    assert len(head.encode("utf-8", "replace")) > OUTPUT_LIMIT
    assert len(tail) >= LONGEST_READ // 2
    assert text.startswith(head[:-1])
    assert text.endswith(tail[1:])


def test_of_a_list_only_the_short_fields_are_kept() -> None:
    tasks = [{"_id": "5" * 24, "exit_code": 3, "result": "x" * 2_000_000} for _ in range(10)]
    data = excerpt(json.dumps({"tasks": tasks}).encode(), FIELDS, [65536])
    assert len(data) < 20_000
    assert json.loads(data)["tasks"][9]["exit_code"] == 3
