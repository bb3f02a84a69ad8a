"""Notifications of the runner as a process, taken or refused by real servers on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer
from tests.receivers import Certificate, MailServer, SilentServer, Webhook, make_certificate
from tests.runner.process import RunnerProcess, wait_for
from tests.runner.world import World

ODD = "*bold* <b>html</b> & \\n `code` @everyone <!channel> :smile: %s {{x}} ação 📜"
"""What services might interpret, and some of it call everybody."""
RESULT = f"One \x1b[31mis\x1b[0m old.\x00\n{ODD}\nSEVERITY: warning"
TITLE = "[WARNING] Licence counsel (team-a/licences)"
RECIPIENT = "from=councilor@example.org&to=team@example.org&mode=insecure"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        yield server


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    with SilentServer() as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on as long as the test goes on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def reasons(pod: RunnerProcess) -> dict[str, str | None]:
    """Why each channel was not told, None for those that were, after a run that ended well."""
    assert pod.exit_code == ExitCode.COMPLETED, pod.log
    assert (pod.report.reason, pod.report.recorded) == (Reason.COMPLETED, True)
    assert all((result.reason is None) == result.delivered for result in pod.report.notified)
    assert pod.output == ""
    assert pod.lines, "every line of the log has to be JSON"
    return {result.channel: result.reason for result in pod.report.notified}


def body(world: World, answer: str = f"One is old.\n{ODD}") -> str:
    """The text of the message about the run, but for the line that says when it ran."""
    setup = world.setup
    return (
        f"Judged warning.\nAgent: A_Agent\n\nAnswer:\n{answer}\n\nExecution: {setup.execution_id}\n"
        "More: kubectl -n team-a describe councilor licences\n"
        f"Log, while the Job is kept: kubectl -n team-a logs job/{setup.job}"
    )


def without_time(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    lines = text.split("\n")
    ran = [line for line in lines if line.startswith("Ran: ")]
    assert len(ran) == 1, text
    assert ran[0].endswith(", as scheduled")
    return "\n".join(line for line in lines if line not in ran)


def test_webhooks_get_the_text_letter_by_letter(world: World, webhook: Webhook) -> None:
    world.stub.script("A_Agent", Answer(result=RESULT))
    at = f"127.0.0.1:{webhook.port}"
    world.setup.tell({kind: f"{kind}://{at}/{kind}" for kind in ("json", "form", "xml")})
    assert reasons(world.setup.run()) == {"json": None, "form": None, "xml": None}
    (as_json,), (as_form,), (as_xml,) = (webhook.at(f"/{kind}") for kind in ("json", "form", "xml"))
    assert (as_json.json["title"], as_json.json["type"]) == (TITLE, "warning")
    assert without_time(as_json.json["message"]) == body(world)
    assert as_form.form["title"] == TITLE
    assert without_time(as_form.form["message"]) == body(world)
    texts = {element.tag: element.text for element in ET.fromstring(as_xml.body).iter()}  # noqa: S314
    assert texts["Subject"] == TITLE
    assert without_time(texts["Message"] or "") == body(world)


def test_chats_call_nobody(world: World, webhook: Webhook) -> None:
    """Chats without a way to say that a text is only a text: what calls everybody there is broken by a space of no
    width."""
    world.stub.script("A_Agent", Answer(result=RESULT))
    at = f"127.0.0.1:{webhook.port}"
    addresses = {
        "mattermost": f"mmost://{at}/mattermost/abcdefghijklmnop12345678",
        "gotify": f"gotify://{at}/abcdefghijklmno",
        "ntfy": f"ntfy://{at}/alerts",
    }
    world.setup.tell(addresses)
    assert reasons(world.setup.run()) == dict.fromkeys(addresses)
    odd = ODD.replace("@everyone", "@\u200beveryone").replace("<!", "<\u200b!")
    (mattermost,) = webhook.at("/mattermost/hooks/abcdefghijklmnop12345678")
    title, _, text = mattermost.json["text"].replace("\r\n", "\n").partition("\n")
    assert (title, without_time(text)) == (TITLE, body(world, f"One is old.\n{odd}"))
    for path in ("/message", "/"):
        (request,) = webhook.at(path)
        assert request.json["title"] == TITLE
        assert without_time(request.json["message"]) == body(world, f"One is old.\n{odd}")


def test_services_for_short_messages_get_one_with_the_commands_in_it(
    world: World, webhook: Webhook, certificate: Certificate
) -> None:
    """Microsoft Teams takes 1,000 characters and escapes signs; a text message has 1,200 and no title."""
    world.stub.script("A_Agent", Answer(result=f"{ODD} {'and so on ' * 20}\n" * 30 + "SEVERITY: warning"))
    with Webhook(certificate.server_context()) as private:
        world.setup.tell(
            {
                "teams": f"workflows://127.0.0.1:{private.port}/0123456789abcdef/signature?verify=no",
                "sms": f"smseagle://token@127.0.0.1:{webhook.port}/15551234567",
            }
        )
        found = reasons(world.setup.run())
        (card,) = private.received
    # The stand-in does not answer as the box for text messages does.
    assert found == {"teams": None, "sms": "the service answered HTTP 200, but with an error in it"}
    title, text = card.json["attachments"][0]["content"]["body"]
    assert title["text"] == TITLE
    assert len(text["text"]) <= 1000
    assert text["text"].endswith(f"logs job/{world.setup.job}".replace("-", "\\-"))
    assert "\\*bold\\*" in text["text"]
    (message,) = webhook.received
    text = message.json["params"]["message"]
    assert len(text) <= 1200
    assert text.startswith(TITLE)
    assert text.endswith(f"logs job/{world.setup.job}")
    assert "\n…" in text or "…\n" in text


def test_email(world: World) -> None:
    world.stub.script("A_Agent", Answer(result=RESULT))
    with MailServer() as anybody, MailServer(login=("bot", "p@ss/w:rd")) as members:
        world.setup.tell(
            {
                "email": f"mailto://127.0.0.1:{anybody.port}/?{RECIPIENT}",
                "login": f"mailto://bot:p%40ss%2Fw%3Ard@127.0.0.1:{members.port}/?{RECIPIENT}",
            }
        )
        assert reasons(world.setup.run()) == {"email": None, "login": None}
        (mail,), (of_member,) = anybody.taken, members.taken
    assert (mail.sender, mail.recipients) == ("councilor@example.org", ("team@example.org",))
    assert mail.content["Subject"] == TITLE
    assert mail.content.get_content_type() == "text/plain"
    assert without_time(mail.text) == body(world)
    assert (mail.user, of_member.user) == (None, "bot")
    assert without_time(of_member.text) == body(world)


def test_the_format_that_an_address_asks_for(world: World) -> None:
    world.stub.script("A_Agent", Answer(result=RESULT))
    with MailServer() as server:
        world.setup.tell({"email": f"mailto://127.0.0.1:{server.port}/?{RECIPIENT}&format=html"})
        assert reasons(world.setup.run()) == {"email": None}
        (mail,) = server.taken
    html = mail.content.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;html&lt;/b&gt;" in html.get_content()


def test_every_channel_fails_in_its_own_way(
    world: World, webhook: Webhook, silent: SilentServer, closed_port: int, certificate: Certificate
) -> None:
    """Twenty channels at once, one of which is in order; nothing of what stands in the addresses gets anywhere."""
    at, secret = f"127.0.0.1:{webhook.port}", "s3cr3t-t0ken"
    http = f"bot:{secret}@{at}"
    with (
        Webhook(certificate.server_context()) as private,
        MailServer(login=("bot", "another")) as members,
        MailServer(refuse={"RCPT": "550 no such user"}) as strict,
        MailServer(refuse={"DATA": "554 spam"}) as suspicious,
        MailServer() as plain,
    ):
        cases = {
            "good": (f"json://{http}/fine", None),
            "bad-request": (f"json://{http}/status/400", "HTTP 400: the service does not take the message"),
            "forbidden": (f"json://{http}/status/403", "HTTP 403: check the credentials"),
            "gone": (f"json://{http}/status/404", "HTTP 404: check the address"),
            "busy": (f"json://{http}/status/429", "HTTP 429: too many messages"),
            "broken": (f"json://{http}/status/500", "HTTP 500"),
            "nice-to-have": (f"json://{http}/status/503?optional=yes", "HTTP 503"),
            "moved": (f"json://{http}/elsewhere", "HTTP 302, a redirection: write the address it leads to"),
            "hangs": (f"json://{secret}@127.0.0.1:{silent.port}/", "the server did not answer in time"),
            "drips": (f"json://{http}/drip", "no answer within 10 s"),
            "closed": (f"json://{secret}@127.0.0.1:{closed_port}/", "refused the connection: check host and port"),
            "nowhere": (f"json://{secret}.invalid/", "the server's name was not found"),
            "untrusted": (f"jsons://{secret}@127.0.0.1:{private.port}/", "the server's certificate is not trusted"),
            "no-tls": (f"jsons://{secret}@{at}/", "no encrypted connection could be made"),
            "mail-login": (
                f"mailto://bot:{secret}@127.0.0.1:{members.port}/?{RECIPIENT}",
                "the mail server refused the login (SMTP 535)",
            ),
            "mail-nobody": (
                f"mailto://127.0.0.1:{strict.port}/?{RECIPIENT}",
                "the mail server refused a recipient (SMTP 550)",
            ),
            "mail-spam": (
                f"mailto://127.0.0.1:{suspicious.port}/?{RECIPIENT}",
                "the mail server refused the message (SMTP 554)",
            ),
            "mail-plain": (
                f"mailtos://127.0.0.1:{plain.port}/?{RECIPIENT.replace('insecure', 'starttls')}",
                "the mail server offers no encryption",
            ),
            "mail-hangs": (f"mailto://127.0.0.1:{silent.port}/?{RECIPIENT}", "no answer within 10 s"),
            "wrong": (f"nonsense://{secret}", "line 1 of the key wrong of the Secret councilor-notifications is no"),
        }  # fmt: skip
        assert len(cases) == 20
        world.setup.tell({channel: address for channel, (address, _) in cases.items()})
        pod = world.setup.run()
    found = reasons(pod)
    assert list(found) == list(cases)
    for channel, (_, words) in cases.items():
        reason = found[channel]
        assert (words is None) == (reason is None), (channel, reason)
        assert words is None or words in (reason or ""), (channel, reason)
    assert webhook.at("/status/200") == [], "nobody follows a redirection to where nobody wanted to send anything"
    record = str(world.record)
    events = str([request.json for request in world.stub.requests.of("event")])
    for hidden in (secret, "127.0.0.1", "team@example.org", "councilor@example.org", ".invalid"):
        for place in (pod.log, pod.message.decode(), record, events):
            assert hidden not in place


def test_one_that_hangs_keeps_nobody_else_waiting(world: World, webhook: Webhook, silent: SilentServer) -> None:
    """SIGTERM while a channel hangs: the process ends in order, and what was delivered is known."""
    world.setup.tell(
        {
            "hangs": f"mailto://127.0.0.1:{silent.port}/?{RECIPIENT}",
            "ops": f"json://127.0.0.1:{webhook.port}/ops",
        },
        "panel",
    )
    pod = world.setup.start()
    wait_for(lambda: silent.connected.is_set() and webhook.at("/ops") and world.told_events)
    pod.terminate()
    assert reasons(pod) == {"hangs": "the Pod had to end before the service answered", "ops": None, "panel": None}


def test_all_addresses_of_a_channel_have_to_take_it(world: World, webhook: Webhook) -> None:
    at = f"127.0.0.1:{webhook.port}"
    world.setup.tell(
        {
            "both": f"\njson://{at}/one\n\n  json://{at}/two  \r\n",
            "half": f"json://{at}/three\njson://{at}/status/410\n",
            "odd": f"json://{at}/four\nnonsense\n",
        }
    )
    found = reasons(world.setup.run())
    assert found["both"] is None
    assert found["half"] == "1 of 2 addresses: the service answered HTTP 410: the address is no longer in use"
    assert (found["odd"] or "").startswith("1 of 2 addresses: line 2 of the key odd of the Secret councilor-notif")
    assert [len(webhook.at(f"/{path}")) for path in ("one", "two", "three", "four")] == [1, 1, 1, 1]


def test_a_key_that_is_missing_keeps_nothing_else_from_being_told(world: World, webhook: Webhook) -> None:
    world.setup.document["notifications"]["secret"] = "addresses"
    world.setup.tell({"ops": f"json://127.0.0.1:{webhook.port}/", "empty": " \n"}, "email", "panel")
    pod = world.setup.run()
    assert reasons(pod) == {
        "ops": None,
        "empty": "the key empty of the Secret addresses is empty: write an Apprise URL such as "
        "mailtos://user:password@example.com",
        "email": "add the key email to the Secret addresses, with an Apprise URL such as "
        "mailtos://user:password@example.com",
        "panel": None,
    }


def test_a_secret_that_is_missing(world: World, tmp_path: Path) -> None:
    world.setup.tell({}, "email")
    pod = world.setup.run(COUNCILOR_NOTIFICATIONS_PATH=str(tmp_path / "nothing"))
    assert "add the key email to the Secret councilor-notifications" in (reasons(pod)["email"] or "")


def test_nothing_that_goes_wrong_while_telling_fails_the_run(world: World) -> None:
    """A name that no file can have, which no Councilor can bring about: the API server refuses it."""
    world.setup.tell({}, "odd\0name", "panel")
    assert reasons(world.setup.run()) == {
        "odd\0name": "internal error (ValueError); the runner's log tells where",
        "panel": None,
    }


def test_a_private_certificate(world: World, certificate: Certificate) -> None:
    mail = RECIPIENT.replace("insecure", "starttls")
    with (
        Webhook(certificate.server_context()) as webhook,
        MailServer(context=certificate.server_context(), login=("bot", "password")) as server,
    ):
        world.setup.tell(
            {
                "hook": f"jsons://127.0.0.1:{webhook.port}/hook",
                "mail": f"mailtos://bot:password@127.0.0.1:{server.port}/?{mail}",
                "unverified": f"jsons://127.0.0.1:{webhook.port}/unverified?verify=no",
            }
        )
        strange = world.setup.run()
        trusted = {name: str(certificate.path) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
        known = world.setup.run(**trusted)
        (taken,) = server.taken
    no = "the server's certificate is not trusted"
    assert reasons(strange) == {"hook": no, "mail": no, "unverified": None}
    assert "127.0.0.1" not in strange.log, "a warning about a host whose certificate is not checked"
    assert reasons(known) == {"hook": None, "mail": None, "unverified": None}
    assert (taken.encrypted, taken.user) == (True, "bot")


def test_a_report_tells_those_who_do_not_know_yet(world: World, webhook: Webhook) -> None:
    at = f"127.0.0.1:{webhook.port}"
    world.setup.tell({"ops": f"json://{at}/ops", "email": f"json://{at}/email"}, "panel")
    before = [{"channel": "ops", "delivered": True}, {"channel": "email", "delivered": False, "reason": "waits"}]
    told = world.told(notified=before)
    pod = world.setup.report(told)
    world.finished(pod, recorded=True)
    assert {result.channel: result.delivered for result in pod.report.notified} == {
        "ops": True, "email": True, "panel": True
    }  # fmt: skip
    assert webhook.at("/ops") == []
    (message,) = webhook.at("/email")
    assert message.json["title"] == "[ERROR] Licence counsel (team-a/licences)"
    assert message.json["type"] == "failure"
    assert f"Why: {told.message} (OOMKilled)" in message.json["message"]
    assert f"logs job/{world.setup.job}" in message.json["message"]


def test_a_recovery_says_from_what(world: World, webhook: Webhook) -> None:
    world.stub.script("A_Agent", Answer(exit_code=3), Answer(result="Fine.\nSEVERITY: success"))
    world.setup.document["notifications"] = {"onSuccess": False}
    world.setup.tell({"ops": f"json://127.0.0.1:{webhook.port}/"}, "panel")
    world.setup.job = "licences-29540700"
    world.setup.run()
    world.setup.job = "licences-29540710"
    assert reasons(world.setup.run()) == {"ops": None, "panel": None}
    failed, recovered = (request.json for request in webhook.received)
    assert failed["title"] == "[ERROR] Licence counsel (team-a/licences)"
    assert recovered["title"] == "[RECOVERED] Licence counsel (team-a/licences)"
    assert recovered["type"] == "success"
    assert recovered["message"].startswith("Judged success; the run before, of ")
    assert recovered["message"].split("\n")[0].endswith(" UTC, failed.")
    assert [event["result_summary"] for event in world.told_events] == [
        "ERROR: the agent's command ended with exit code 3",
        "RECOVERED from error: Fine.",
    ]


def test_only_a_run_that_needs_it_loads_apprise(world: World, webhook: Webhook) -> None:
    world.setup.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    world.setup.tell({}, "panel")
    assert "requests" not in world.setup.run().log
    world.setup.tell({"ops": f"json://127.0.0.1:{webhook.port}/"})
    world.setup.document["notifications"]["onWarning"] = False
    assert "requests" not in world.setup.run().log, "nobody wants to hear of it"
    world.setup.document["notifications"]["onWarning"] = True
    log = world.setup.run().log
    loaded = {line.rsplit("|", 1)[1].strip() for line in log.splitlines() if line.startswith("import time:")}
    assert {"apprise", "requests"} <= loaded
