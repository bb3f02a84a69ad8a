"""The mounted Secret, and what becomes of a text on the way to a chat."""

from pathlib import Path

import pytest

from councilor_runner.channels import ADDRESS_LIMIT, AddressBook, _without_mentions

EXAMPLE = "write an Apprise URL such as mailtos://user:password@example.com"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"json://a.example", ["json://a.example"]),
        (b"\n json://a.example \r\n\njson://b.example\n", ["json://a.example", "json://b.example"]),
        (b"mailto://a.example?name=Our Councilor", ["mailto://a.example?name=Our Councilor"]),
        (b"json://a.example\n" * ADDRESS_LIMIT, ["json://a.example"] * ADDRESS_LIMIT),
        (None, "add the key ops to the Secret addresses, with an Apprise URL such as mailtos://user:password@example.com"),
        (b"", f"the key ops of the Secret addresses is empty: {EXAMPLE}"),
        (b" \n\t\n", f"the key ops of the Secret addresses is empty: {EXAMPLE}"),
        (b"\xff\xfe", f"the key ops of the Secret addresses holds no text: {EXAMPLE}"),
        (
            b"json://a.example\n" * (ADDRESS_LIMIT + 1),
            "the key ops of the Secret addresses holds more than 20 addresses: spread them over several keys",
        ),
        (
            b"json://a.example\n" + b" " * 70_000,
            "the key ops of the Secret addresses holds more than 20 addresses: spread them over several keys",
        ),
    ],
)  # fmt: skip
def test_the_addresses_of_a_channel(tmp_path: Path, content: bytes | None, expected: list[str] | str) -> None:
    if content is not None:
        (tmp_path / "ops").write_bytes(content)
    assert AddressBook(tmp_path, "addresses").look_up("ops") == expected


def test_a_key_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    found = AddressBook(tmp_path, "addresses").look_up("ops")
    assert found == "the key ops of the Secret addresses cannot be read (IsADirectoryError)"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("@everyone", "@\u200beveryone"),
        ("cc @Here, @channel and @all!", "cc @\u200bHere, @\u200bchannel and @\u200ball!"),
        ("<!channel> <@U123> <@&456> <#789>", "<\u200b!channel> <\u200b@U123> <\u200b@&456> <\u200b#789>"),
        ("@types/node and @allure, ops@here.example", "@types/node and @allure, ops@\u200bhere.example"),
        ("a < b, <b>bold</b>, x@example.org", "a < b, <b>bold</b>, x@example.org"),
    ],
)
def test_nobody_is_called(text: str, sent: str) -> None:
    assert _without_mentions(text) == sent
    assert sent.replace("\u200b", "") == text
