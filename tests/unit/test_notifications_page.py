"""docs/notifications.md against the code: addresses that Apprise takes, messages that are real, reasons that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from apprise import Apprise

from councilor_operator.api.spec import Notifications
from councilor_operator.config import OperatorConfig
from councilor_runner.channels import ADDRESS_LIMIT, SECONDS
from councilor_runner.messages import ANSWER_LIMIT, ANSWER_LINES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
TABLE = PAGE.partition("## Addresses")[2].partition("## ")[0]
ADDRESSES = [
    address
    for row in re.findall(r"^\| [^|]+ \| (`.+`) \|$", TABLE, re.MULTILINE)
    for address in re.findall(r"`([^`]+)`", row)
]
SOURCES = "".join(
    (ROOT / "runner/councilor_runner" / name).read_text(encoding="utf-8")
    for name in ("causes.py", "channels.py", "notifications.py", "reporting.py")
)


# Apprise looks for a module of the standard library that Python 3.13 has no more, and does without it there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_the_table_was_found() -> None:
    assert len(ADDRESSES) > 15


@pytest.mark.parametrize("address", ADDRESSES)
def test_apprise_takes_every_address(address: str) -> None:
    service = Apprise.instantiate(address)
    assert service is not None
    # Apprise would take almost any https:// address for a webhook of its own kind.
    assert not address.startswith("https://") or service.schema in ("slack", "discord", "workflow", "workflows")


def test_the_example_of_the_spec_shows_the_defaults() -> None:
    shown = BLOCKS[0]["spec"]["notifications"]
    assert Notifications.model_validate({**shown, "channels": ["panel"]}) == Notifications()
    assert Notifications.model_validate(shown).channels == tuple(shown["channels"])


def test_the_example_of_the_secret() -> None:
    secret = BLOCKS[1]
    assert secret["metadata"]["name"] == OperatorConfig.model_fields["notifications_secret"].default
    assert set(BLOCKS[0]["spec"]["notifications"]["channels"]) & set(secret["stringData"]) == {"email", "ops"}
    for name, value in secret["stringData"].items():
        Notifications.model_validate({"channels": [name]})
        assert all(Apprise.instantiate(address) for address in value.splitlines()), name


def test_the_messages_are_real() -> None:
    golden = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/golden").glob("message-*.txt"))]
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert any(text.startswith(block) for text in golden), block


def test_the_reasons_exist() -> None:
    table = PAGE.partition("| reason | what to do |")[2].partition("\n\n")[0]
    shown = [words for row in table.splitlines() if row for words in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(shown) > 12
    for words in shown:
        parts = words.replace(f"{SECONDS:g} s", "{seconds:g} s").split("…")
        assert all(part.strip() in SOURCES for part in parts), words


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"after {ANSWER_LINES} lines or {ANSWER_LIMIT:,} characters" in PAGE
    assert f"for {SECONDS:g} seconds at most" in PAGE
    assert f"up to {ADDRESS_LIMIT}" in PAGE
