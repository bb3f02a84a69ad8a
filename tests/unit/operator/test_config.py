"""The operator's configuration from environment variables: defaults, forms, and messages that name the variable."""

from __future__ import annotations

from typing import Any

import pytest

from councilor_operator.config import OperatorConfig
from councilor_operator.errors import ConfigurationError

REQUIRED = {"COUNCILOR_RUNNER_IMAGE": "runner:1", "COUNCILOR_CONDUCTOR_URL": "http://conductor:8000"}


def read(**variables: str) -> OperatorConfig:
    return OperatorConfig.from_environment(REQUIRED | {f"COUNCILOR_{name.upper()}": v for name, v in variables.items()})


def test_defaults() -> None:
    config = read()
    assert config.runner_image == "runner:1"
    assert config.runner_image_pull_policy == "IfNotPresent"
    assert config.runner_secret == "councilor-runner"
    assert config.notifications_secret == "councilor-notifications"
    assert config.runner_resources == {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    assert config.runner_node_selector == {}
    assert config.runner_tolerations == []
    assert config.conductor_gateway_url is None
    assert config.conductor_protocol == "current"
    assert config.default_time_zone == "UTC"
    assert config.default_cwd is None
    assert config.namespaces == ()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("runner_image_pull_policy", "Always", "Always"),
        ("runner_image_pull_secrets", "one", ("one",)),
        ("runner_image_pull_secrets", " one , two ,", ("one", "two")),
        ("namespaces", "a,b", ("a", "b")),
        ("runner_resources", '{"limits": {"cpu": "1"}}', {"limits": {"cpu": "1"}}),
        ("runner_node_selector", '{"a": ""}', {"a": ""}),
        ("runner_tolerations", '[{"operator": "Exists"}]', [{"operator": "Exists"}]),
        ("conductor_url", "https://c.example:8443/", "https://c.example:8443"),
        ("conductor_url", "http://c/prefix/", "http://c/prefix"),
        ("conductor_gateway_url", "http://[::1]:8080", "http://[::1]:8080"),
        ("conductor_headers", '{"X-A": "b"}', {"X-A": "b"}),
        ("runner_ca_config_map", "authorities", "authorities"),
        ("runner_ca_config_map", "", None),
        ("runner_http_proxy", "http://proxy:3128", "http://proxy:3128"),
        ("runner_https_proxy", "https://[fd00::1]:3128", "https://[fd00::1]:3128"),
        ("runner_no_proxy", " .svc ,localhost,10.1.2.3,", (".svc", "localhost", "10.1.2.3")),
        ("workers", "4", 4),
        ("resync_seconds", "30", 30),
        ("metrics_port", "0", 0),
        ("metrics_per_councilor", "false", False),
        ("log_level", "debug", "debug"),
        # Charts leave what is not set as empty text.
        ("default_cwd", "", None),
        ("default_cwd", "  ", None),
        ("namespaces", "", ()),
        ("workers", "", 16),
    ],
)
def test_settings(name: str, text: str, value: Any) -> None:
    assert getattr(read(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("runner_image_pull_policy", "Sometimes"),
        ("runner_resources", "{"),
        ("runner_resources", '{"limits": {"cpu": 1}}'),
        ("runner_resources", "[]"),
        ("runner_node_selector", '{"a": 1}'),
        ("runner_tolerations", "{}"),
        ("conductor_url", "conductor:8000"),
        ("conductor_url", "ftp://conductor"),
        ("conductor_url", "http://"),
        ("conductor_url", "http://user:s3cret@conductor"),
        ("conductor_gateway_url", "gateway"),
        ("conductor_protocol", "next"),
        ("conductor_headers", '{"X": 1}'),
        ("conductor_headers", '{"Authorization": "Bearer s3cret"}'),
        ("conductor_headers", '{"cookie": "s3cret"}'),
        ("conductor_headers", '{"X-A": "s3cret\\nX-B: c"}'),
        ("conductor_headers", '{"X-A": "ção s3cret"}'),
        ("conductor_headers", '{"X A": "s3cret"}'),
        ("conductor_headers", '{"": "s3cret"}'),
        ("conductor_headers", '{"Content-Length": "3"}'),
        ("runner_ca_config_map", "Authorities"),
        ("runner_ca_config_map", "a/b"),
        ("runner_http_proxy", "proxy:3128"),
        ("runner_http_proxy", "socks5://proxy:1080"),
        ("runner_http_proxy", "http://user:s3cret@proxy:3128"),
        ("runner_https_proxy", "http://s3cret@proxy:3128"),
        ("runner_https_proxy", "http://@proxy:3128"),
        ("runner_no_proxy", "localhost,10.0.0.0/8"),
        ("workers", "0"),
        ("workers", "129"),
        ("workers", "many"),
        ("resync_seconds", "4"),
        ("health_port", "65536"),
        ("metrics_port", "-1"),
        ("log_level", "loud"),
    ],
)
def test_wrong_settings_name_the_variable_and_repeat_no_value(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(**{name: text})
    message = str(caught.value)
    assert f"COUNCILOR_{name.upper()}" in message
    assert "s3cret" not in message


def test_credentials_of_a_proxy_are_shown_their_place() -> None:
    with pytest.raises(ConfigurationError, match="PROXY_CREDENTIALS"):
        read(runner_http_proxy="http://user:password@proxy:3128")
    with pytest.raises(ConfigurationError, match="CONDUCTOR_TOKEN"):
        read(conductor_headers='{"Authorization": "Bearer token"}')


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_is_missing_is_named(missing: str) -> None:
    for environment in ({k: v for k, v in REQUIRED.items() if k != missing}, REQUIRED | {missing: " "}):
        with pytest.raises(ConfigurationError, match=missing):
            OperatorConfig.from_environment(environment)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        OperatorConfig.from_environment({"COUNCILOR_WORKERS": "0"})
    for variable in (*REQUIRED, "COUNCILOR_WORKERS"):
        assert variable in str(caught.value)


def test_variables_of_others_are_passed_over() -> None:
    environment = REQUIRED | {"WORKERS": "3", "COUNCILOR_SOMETHING_ELSE": "x", "PATH": "/bin"}
    assert OperatorConfig.from_environment(environment) == read()
