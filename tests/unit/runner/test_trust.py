"""Whom the runner's HTTP client trusts: the usual authorities where something is encrypted, otherwise nobody."""

import ssl

import pytest

from councilor_runner.contract import Endpoints
from councilor_runner.trust import trust

HTTP, HTTPS = "http://conductor:8000", "https://conductor:8443"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("conductor", "gateway", "environment"),
    [
        (HTTPS, None, {}),
        (HTTPS, HTTP, {}),
        (HTTP, HTTPS, {}),
        ("HTTPS://conductor", None, {}),
        (HTTP, None, {"HTTP_PROXY": "https://proxy:3128"}),
        (HTTP, HTTP, {"all_proxy": "https://proxy:3128"}),
    ],
)
def test_the_usual_authorities(
    monkeypatch: pytest.MonkeyPatch, conductor: str, gateway: str | None, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert trust(Endpoints(conductor_url=conductor, gateway_url=gateway)) is True


@pytest.mark.parametrize(
    ("gateway", "environment"),
    [(None, {}), (HTTP, {}), (HTTP, {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "elsewhere"})],
)
def test_nobody(monkeypatch: pytest.MonkeyPatch, gateway: str | None, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    context = trust(Endpoints(conductor_url=HTTP, gateway_url=gateway))
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509"] == 0
