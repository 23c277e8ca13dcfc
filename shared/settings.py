"""Settings: `XYRA_*` environment variables, validated once, at the first use (never at import)."""

import re
from decimal import Decimal
from email.utils import parseaddr
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.domain.access.password_policy import MINIMUM_PASSWORD
from shared.ports.usage import MAXIMUM_DISTINCT_VALUES

MOST_ORIGINS = 20
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_LOCAL_SENDER = "Xyra <no-reply@xyra.localhost>"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")
_PUBLISHABLE = "pk_(live|test)_[A-Za-z0-9]{1,250}"
_MIB = 1024 * 1024


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="XYRA_", extra="ignore", frozen=True)

    environment: str = "local"
    """`local` keeps data and secrets in `data_dir`. Anything else is a deployment, which must bring its own."""

    data_dir: Path = Path(".xyra")
    clock_file: Path | None = None
    """A file with an ISO time that is taken for now, moving on from there. Only in `local`."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    store: Literal["sqlite", "cosmos"] = "sqlite"
    read_lag_milliseconds: int = Field(default=0, ge=0, le=10_000)
    """Of `sqlite`, for tests: how late at most a process sees what others wrote."""
    cosmos_endpoint: str | None = None
    cosmos_database: str = "xyra"
    cosmos_key: SecretStr | None = None
    """For emulators; without it the managed identity is used."""
    queue: Literal["sqlite", "service_bus"] = "sqlite"
    queue_lock_seconds: float = Field(default=60, gt=0, le=300)
    """Of `sqlite`: how long a killed host's messages stay locked before another one gets them."""
    service_bus_namespace: str | None = None
    """The host, `name.servicebus.windows.net`."""
    service_bus_connection_string: SecretStr | None = None
    """For the emulator; without it the managed identity is used."""
    secrets: Literal["file", "key_vault"] = "file"
    key_vault_url: str | None = None

    operator_email: str | None = None
    operator_password: SecretStr | None = None

    port: int = Field(default=7071, ge=0, le=65535)
    """Of the local host."""
    public_url: str | None = None
    """Where people reach Xyra, such as `https://billing.example.com`: links in mails begin with it."""

    mail: Literal["folder", "smtp", "azure"] = "folder"
    """Where mail goes: files in `{data_dir}/mail`, a mail server, or Azure Communication Services."""
    mail_sender: str | None = None
    """Who mails come from: `Xyra <no-reply@example.com>`."""
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    """With a user name, the secret `smtp-password` is its password."""
    smtp_password: SecretStr | None = None
    """In place of the secret, in `local` only."""
    email_endpoint: str | None = None
    """Of Azure Communication Services: `https://name.communication.azure.com`."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API, such as `https://app.example.com`, separated by commas."""

    outbound_allow: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks, such as `127.0.0.0/8`, separated by commas: addresses there that users choose are gone to. Only in
    `local`; elsewhere users choose public addresses alone.
    """

    dns_server: str | None = Field(default=None, pattern=r"^[0-9.]+(:[0-9]{1,5})?$")
    """The IPv4 address of the name server that is asked for records of claimed domains, with `:` and a port where it
    is not 53; by default the system's.
    """

    limits: Literal["on", "off"] = "on"
    """Whether requests are counted for rate limits. Quotas hold in any case."""
    trusted_hops: int = Field(default=1, ge=1, le=10)
    """How many proxies in front of the app add an address to `X-Forwarded-For`; the platform's own is one."""

    token_issuer: str = "xyra"  # noqa: S105  a name, no secret
    access_token_minutes: int = Field(default=30, ge=1, le=24 * 60)
    refresh_token_days: int = Field(default=30, ge=1, le=365)

    location_header: str = Field(default="", pattern=r"^([A-Za-z0-9-]{1,64})?$")
    """The request header in which a proxy of ours names the country of a caller, such as `CF-IPCountry`."""
    unverified_may_write: bool = False
    """Whether users may change things before they have shown that their e-mail address is theirs."""

    staff_mfa_required: bool = False
    """Whether the operator's staff need a second factor. Until one of them has one, they can only enrol it."""
    staff_step_up_required: bool = False
    """Whether the operator's staff show anew who they are before they change money or access."""

    deleted_readable_days: int = Field(default=30, ge=0, le=3660)
    """How long a deleted organization's own credentials may still read and pay."""

    sign_up_bonus: Decimal = Field(default=Decimal(100), ge=0, max_digits=15, decimal_places=6)
    """Credits that an organization gets whose first user signs up."""

    late_window_days: int = Field(default=90, ge=1, le=365)
    """How old an event may be when it is accepted. Decides acceptance only, never billing."""
    event_retention_days: int = Field(default=400, ge=1)
    """Raw events expire after this; totals and documents do not."""
    maximum_distinct_values: int = Field(default=MAXIMUM_DISTINCT_VALUES, ge=1)
    """How many distinct values of a unique meter one line counts in a period and shard; further events are parked."""
    shard_count: int = Field(default=1)
    """Usage partitions of a new organization: a power of two up to 64."""

    maximum_made_agents: int = Field(default=1000, ge=0, le=100_000)
    """Agents that API keys make on sight in an organization and UTC day; further unknown ones are parked."""
    maximum_waiting_calls: int = Field(default=50_000, ge=0)
    """Of an organization, calls in traces that wait for their agent; further ones go on at once."""
    maximum_trace_bytes: int = Field(default=8 * _MIB, ge=1, le=16 * _MIB)
    """Of a request with traces, as it is sent. The platform takes 16 MiB."""
    maximum_unpacked_trace_bytes: int = Field(default=16 * _MIB, ge=1, le=64 * _MIB)
    """Of a request with traces that was sent in gzip."""

    invoice_grace_hours: int = Field(default=24, ge=0, le=24 * 30)
    invoice_due_days: int = Field(default=15, ge=0, le=365)
    backdating_days: int = Field(default=731, ge=0, le=3660)
    """How far in the past an agent or a billing model may start."""

    stripe_key: SecretStr | None = None
    """Of Stripe's live mode, in place of the secret `stripe-key`; in `local` only."""
    stripe_test_key: SecretStr | None = None
    """Of its test mode, for organizations with `livemode` false, in place of `stripe-test-key`; in `local` only."""
    stripe_webhook_secrets: SecretStr | None = None
    """One or two, separated by a comma, in place of the secret `stripe-webhook-secrets`; in `local` only."""
    stripe_test_webhook_secrets: SecretStr | None = None
    """The same of test mode, in place of `stripe-test-webhook-secrets`; in `local` only."""
    stripe_api_base: str | None = None
    """A double of Stripe on this machine, such as `http://127.0.0.1:12111`; in `local` only."""
    stripe_publishable_key: str = Field(default="", pattern=rf"^({_PUBLISHABLE}(, ?{_PUBLISHABLE})?)?$")
    """What front ends load Stripe.js with; with one for each mode, separated by a comma."""

    price_list_url: str | None = None
    """Where a newer list of what LLM providers ask is looked for every hour, in the form of the package `genai-prices`.

    Without it the installed list holds.
    """

    @field_validator("cors_origins", "outbound_allow", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is not an origin: write it as https://app.example.com, without a path")
        if len(origins) > MOST_ORIGINS:
            raise ValueError(f"name at most {MOST_ORIGINS} origins")
        return origins

    @field_validator(
        *("stripe_key", "stripe_test_key", "stripe_webhook_secrets", "stripe_test_webhook_secrets", "stripe_api_base"),
        *("price_list_url", "public_url", "mail_sender", "smtp_host", "smtp_username", "email_endpoint", "dns_server"),
        mode="before",
    )
    @classmethod
    def _none_for_nothing(cls, text: object) -> object:
        return None if text == "" else text

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str | None) -> str | None:
        if url is not None and not _ORIGIN.fullmatch(url):
            raise ValueError("write it as https://billing.example.com, without a path and without a slash at the end")
        return url

    @property
    def public_origin(self) -> str:
        """What links in mails begin with."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def sender(self) -> str:
        """Who mails come from."""
        return self.mail_sender or _LOCAL_SENDER

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if self.event_retention_days < self.late_window_days:
            raise ValueError("XYRA_EVENT_RETENTION_DAYS must not be shorter than XYRA_LATE_WINDOW_DAYS")
        if self.shard_count not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError("XYRA_SHARD_COUNT must be a power of two from 1 to 64")
        if self.operator_password and len(self.operator_password.get_secret_value()) < MINIMUM_PASSWORD:
            raise ValueError(f"XYRA_OPERATOR_PASSWORD must have at least {MINIMUM_PASSWORD} characters")
        if self.price_list_url is not None and not self.price_list_url.startswith(("https://", *_LOOPBACK)):
            raise ValueError("XYRA_PRICE_LIST_URL must start with https://, or be on this machine")
        if self.stripe_api_base is not None and not self.stripe_api_base.startswith(_LOOPBACK):
            raise ValueError("XYRA_STRIPE_API_BASE must be on this machine, such as http://127.0.0.1:12111")
        return self

    @model_validator(mode="after")
    def _check_adapters(self) -> Self:
        if self.store == "cosmos" and self.cosmos_endpoint is None:
            raise ValueError("XYRA_STORE=cosmos needs XYRA_COSMOS_ENDPOINT")
        places = [self.service_bus_namespace, self.service_bus_connection_string]
        if self.queue == "service_bus" and places.count(None) != 1:
            raise ValueError("XYRA_QUEUE=service_bus needs XYRA_SERVICE_BUS_NAMESPACE, or a connection string instead")
        if self.secrets == "key_vault" and self.key_vault_url is None:
            raise ValueError("XYRA_SECRETS=key_vault needs XYRA_KEY_VAULT_URL")
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.mail == "smtp" and self.smtp_host is None:
            raise ValueError("XYRA_MAIL=smtp needs XYRA_SMTP_HOST")
        if self.mail == "azure" and self.email_endpoint is None:
            raise ValueError("XYRA_MAIL=azure needs XYRA_EMAIL_ENDPOINT")
        if self.mail != "folder" and self.mail_sender is None:
            raise ValueError(f"XYRA_MAIL={self.mail} needs XYRA_MAIL_SENDER")
        if self.mail_sender is not None and not _ADDRESS.fullmatch(parseaddr(self.mail_sender)[1]):
            raise ValueError("XYRA_MAIL_SENDER must be an address, such as Xyra <no-reply@example.com>")
        return self

    @model_validator(mode="after")
    def _check_payments(self) -> Self:
        if self.environment == "local":
            return self
        if self.stripe_api_base is not None:
            raise ValueError("XYRA_STRIPE_API_BASE is refused outside local")
        if any((self.stripe_key, self.stripe_test_key, self.stripe_webhook_secrets, self.stripe_test_webhook_secrets)):
            raise ValueError(
                "outside local, Stripe's keys are the secrets stripe-key and stripe-test-key, and those of its webhooks"
                " stripe-webhook-secrets and stripe-test-webhook-secrets"
            )
        return self

    @model_validator(mode="after")
    def _check_deployment(self) -> Self:
        """Refuse outside of local what only one machine may use."""
        if self.environment == "local":
            return self
        if self.clock_file is not None:
            raise ValueError("XYRA_CLOCK_FILE is refused outside local")
        if self.outbound_allow:
            raise ValueError("XYRA_OUTBOUND_ALLOW is refused outside local")
        if any(origin.startswith("http://") for origin in self.cors_origins):
            raise ValueError("XYRA_CORS_ORIGINS must begin with https:// outside local")
        if self.secrets == "file":
            raise ValueError("outside local, XYRA_SECRETS must be key_vault: a file's keys are nobody's secret there")
        if self.mail == "folder":
            raise ValueError("outside local, XYRA_MAIL must be azure or smtp: nobody reads a folder there")
        if self.smtp_password is not None or self.smtp_security == "none":
            raise ValueError(
                "outside local, the password of the mail server is the secret smtp-password, and XYRA_SMTP_SECURITY is"
                " starttls or tls"
            )
        if self.public_url is None or not self.public_url.startswith("https://"):
            raise ValueError("outside local, XYRA_PUBLIC_URL must be set, and begin with https://")
        if "sqlite" in {self.store, self.queue}:
            raise ValueError("outside local, XYRA_STORE must be cosmos and XYRA_QUEUE service_bus")
        return self


@cache
def settings() -> Settings:
    return Settings()
