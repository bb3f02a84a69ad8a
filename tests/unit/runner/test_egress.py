"""The variables that HTTP and TLS libraries read: proxies with credentials, authorities beside the public ones."""

import os
import ssl
from pathlib import Path

import certifi
import pytest

from councilor_runner.contract import Reason
from councilor_runner.egress import prepare
from councilor_runner.settings import SettingsError
from tests.certificates import Authority


@pytest.mark.parametrize(
    ("url", "credentials", "expected"),
    [
        ("http://proxy:3128", "user:password", "http://user:password@proxy:3128"),
        ("proxy:3128", "user:password", "http://user:password@proxy:3128"),
        ("https://[::1]:3128/", "us@er:p:a/s s%", "https://us%40er:p%3Aa%2Fs%20s%25@[::1]:3128/"),
        ("http://old:one@proxy", "new:", "http://new:@proxy"),
    ],
)
def test_credentials_of_a_proxy(url: str, credentials: str, expected: str) -> None:
    environment = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": "proxy", "PATH": "/bin"}
    prepare(environment, None, credentials)
    assert environment == {"HTTP_PROXY": expected, "HTTPS_PROXY": expected, "NO_PROXY": "proxy", "PATH": "/bin"}


def test_credentials_without_a_proxy_change_nothing() -> None:
    environment = {"HTTPS_PROXY": ""}
    prepare(environment, None, "user:password")
    assert environment == {"HTTPS_PROXY": ""}


@pytest.mark.parametrize("credentials", ["hunter2", ":hunter2"])
def test_credentials_that_are_none(credentials: str) -> None:
    with pytest.raises(SettingsError, match="PROXY_CREDENTIALS") as refusal:
        prepare({"HTTP_PROXY": "http://proxy"}, None, credentials)
    assert refusal.value.reason is Reason.CREDENTIALS_REFUSED
    assert "hunter2" not in refusal.value.message


def test_private_authorities_are_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    one, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    file = tmp_path / "ca.crt"
    # As people write such files: with explanations, Windows line ends, and what does not belong there.
    text = f"# Nossa autoridade ção\r\n{one.certificate.read_text()}\n{one.key.read_text()}"
    file.write_text(text.replace("\n", "\r\n") + other.certificate.read_text(), encoding="utf-8")
    environment: dict[str, str] = {}
    prepare(environment, file, None)
    assert set(environment) == {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    public = ssl.create_default_context(cafile=certifi.where())
    both = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    both.load_verify_locations(environment["SSL_CERT_FILE"])
    assert both.cert_store_stats()["x509_ca"] == public.cert_store_stats()["x509_ca"] + 2
    assert "PRIVATE KEY" not in Path(environment["SSL_CERT_FILE"]).read_text()
    os.close(int(Path(environment["SSL_CERT_FILE"]).name))


def test_no_file_is_no_authority(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    prepare(environment, tmp_path / "ca.crt", None)
    assert environment == {}


@pytest.mark.parametrize(
    "text", ["", "hunter2", "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n", "\x00\ufffd"]
)
def test_a_file_without_certificates(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ca.crt"
    file.write_bytes(text.encode())
    with pytest.raises(SettingsError, match=r"ca\.crt in the ConfigMap") as refusal:
        prepare({}, file, None)
    assert refusal.value.reason is Reason.TLS_FAILED
    assert "hunter2" not in refusal.value.message
