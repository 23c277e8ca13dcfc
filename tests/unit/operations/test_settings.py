"""Settings that cannot be used are refused by name.

Their value is never shown, as it may be secret.
"""

from typing import Any

import pydantic
import pytest
from pydantic_settings import BaseSettings

from local.__main__ import LocalSettings
from shared.settings import Settings

DEPLOYED = {
    "XYRA_ENVIRONMENT": "production",
    "XYRA_STORE": "cosmos",
    "XYRA_COSMOS_ENDPOINT": "https://xyra.documents.azure.com",
    "XYRA_QUEUE": "service_bus",
    "XYRA_SERVICE_BUS_NAMESPACE": "xyra.servicebus.windows.net",
    "XYRA_SECRETS": "key_vault",
    "XYRA_KEY_VAULT_URL": "https://xyra.vault.azure.net",
    "XYRA_PUBLIC_URL": "https://billing.example.com",
    "XYRA_MAIL": "azure",
    "XYRA_MAIL_SENDER": "Xyra <no-reply@example.com>",
    "XYRA_EMAIL_ENDPOINT": "https://xyra.communication.azure.com",
}


def complaint(kind: type[BaseSettings], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(pydantic.ValidationError) as refused:
        kind()
    (error,) = refused.value.errors(include_url=False, include_input=False, include_context=False)
    return " ".join([*(f"XYRA_{place}".upper() for place in error["loc"]), error["msg"]])


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (Settings, "XYRA_STORE", "paper"),
        (Settings, "XYRA_LOG_LEVEL", "debug"),
        (Settings, "XYRA_LOG_LEVEL", "LOUD"),
        (Settings, "XYRA_QUEUE_LOCK_SECONDS", "0"),
        (Settings, "XYRA_SHARD_COUNT", "3"),
        (Settings, "XYRA_EVENT_RETENTION_DAYS", "89"),
        (Settings, "XYRA_OPERATOR_PASSWORD", "short-hush"),
        (Settings, "XYRA_PUBLIC_URL", "https://billing.example.com/"),
        (Settings, "XYRA_MAIL_SENDER", "Xyra"),
        (Settings, "XYRA_SMTP_SECURITY", "ssl"),
        (Settings, "XYRA_PRICE_LIST_URL", "http://prices.example.com/list.json"),
        (Settings, "XYRA_STRIPE_API_BASE", "http://stripe.example.com"),
        (Settings, "XYRA_STRIPE_PUBLISHABLE_KEY", "sk_live_hush"),
        (Settings, "XYRA_CORS_ORIGINS", "https://app.example.com/paid"),
        (LocalSettings, "XYRA_PORT", "http"),
        (LocalSettings, "XYRA_PORT", "70000"),
        (LocalSettings, "XYRA_DEMO", "perhaps"),
        (LocalSettings, "XYRA_PROCESSES", "many"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(
    kind: type[BaseSettings], setting: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    told = complaint(kind, {setting: value}, monkeypatch)
    assert setting in told
    assert "hush" not in told


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({"XYRA_STORE": "cosmos"}, "XYRA_COSMOS_ENDPOINT"),
        ({"XYRA_QUEUE": "service_bus"}, "XYRA_SERVICE_BUS_NAMESPACE"),
        ({"XYRA_SECRETS": "key_vault"}, "XYRA_KEY_VAULT_URL"),
        ({"XYRA_MAIL": "smtp", "XYRA_MAIL_SENDER": "a@example.com"}, "XYRA_SMTP_HOST"),
        ({"XYRA_MAIL": "azure", "XYRA_MAIL_SENDER": "a@example.com"}, "XYRA_EMAIL_ENDPOINT"),
        ({"XYRA_MAIL": "smtp", "XYRA_SMTP_HOST": "mail.example.com"}, "XYRA_MAIL_SENDER"),
    ],
)
def test_an_adapter_needs_its_address(environment: dict[str, str], needed: str, monkeypatch: pytest.MonkeyPatch):
    assert needed in complaint(Settings, environment, monkeypatch)


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"XYRA_CLOCK_FILE": "clock"}, "XYRA_CLOCK_FILE"),
        ({"XYRA_SECRETS": "file"}, "XYRA_SECRETS"),
        ({"XYRA_STORE": "sqlite"}, "XYRA_STORE"),
        ({"XYRA_QUEUE": "sqlite"}, "XYRA_QUEUE"),
        ({"XYRA_MAIL": "folder"}, "XYRA_MAIL"),
        ({"XYRA_SMTP_PASSWORD": "hush"}, "smtp-password"),
        ({"XYRA_SMTP_SECURITY": "none"}, "XYRA_SMTP_SECURITY"),
        ({"XYRA_PUBLIC_URL": "http://billing.example.com"}, "XYRA_PUBLIC_URL"),
        ({"XYRA_PUBLIC_URL": ""}, "XYRA_PUBLIC_URL"),
        ({"XYRA_STRIPE_API_BASE": "http://127.0.0.1:12111"}, "XYRA_STRIPE_API_BASE"),
        ({"XYRA_STRIPE_KEY": "sk_live_hush"}, "stripe-key"),
        ({"XYRA_STRIPE_TEST_WEBHOOK_SECRETS": "whsec_hush"}, "stripe-test-webhook-secrets"),
        ({"XYRA_CORS_ORIGINS": "http://app.example.com"}, "XYRA_CORS_ORIGINS"),
    ],
)
def test_nothing_of_one_machine_serves_a_deployment(
    changed: dict[str, str], refused: str, monkeypatch: pytest.MonkeyPatch
):
    assert refused in complaint(Settings, DEPLOYED | changed, monkeypatch)


def test_a_deployment_brings_its_own(monkeypatch: pytest.MonkeyPatch):
    for name, value in DEPLOYED.items():
        monkeypatch.setenv(name, value)
    chosen: Any = Settings()
    assert (chosen.store, chosen.queue, chosen.secrets) == ("cosmos", "service_bus", "key_vault")
