"""Chooses the adapters of this process by its settings, and closes what they opened.

Azure's SDKs are imported where they are used: together they take a second.
"""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.adapters.clock.file_clock import FileClock
from shared.adapters.clock.one_clock import OneClock
from shared.adapters.clock.system_clock import SystemClock
from shared.adapters.e_invoices.writer import FacturXWriter
from shared.adapters.mail.folder import FolderMail
from shared.adapters.mail.no_mail import NoMail
from shared.adapters.outbound.client import OutboundClient
from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.adapters.remnants.local_remnants import LocalRemnants
from shared.adapters.remnants.no_remnants import NoRemnants
from shared.adapters.secret_file.secrets import LocalSecrets
from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.lagging_reads import LaggingReads
from shared.adapters.sqlite.queue import LocalQueue
from shared.adapters.stripe import StripeModes
from shared.adapters.stripe.events import StripeEvents
from shared.adapters.stripe.no_payments import NoPaymentEvents, NoPayments
from shared.adapters.typst.printer import TypstPrinter
from shared.ports.broker import Broker
from shared.ports.clock import Clock, StoreTime
from shared.ports.e_invoices import EInvoiceWriter
from shared.ports.mail import Mail
from shared.ports.outbound import Outbound
from shared.ports.payment_events import PaymentEvents
from shared.ports.payments import PaymentModes
from shared.ports.prices import PriceList
from shared.ports.printing import Printer
from shared.ports.queue import Queue
from shared.ports.remnants import Remnants
from shared.ports.secrets import Secrets
from shared.ports.store import Store
from shared.private_folder import make_private
from shared.settings import Settings, settings

if TYPE_CHECKING:
    from shared.adapters.service_bus import ServiceBusNamespace


@dataclass(frozen=True, slots=True)
class Ports:
    """What the services stand on."""

    store: Store
    queue: Queue
    clock: Clock
    secrets: Secrets
    mail: Mail = field(default_factory=NoMail)
    store_time: StoreTime = field(default_factory=OneClock)
    outbound: Outbound = field(default_factory=lambda: OutboundClient(https_only=True))
    remnants: Remnants = field(default_factory=NoRemnants)
    printer: Printer = field(default_factory=TypstPrinter)
    e_invoices: EInvoiceWriter = field(default_factory=FacturXWriter)
    payments: PaymentModes = field(default_factory=NoPayments)
    payment_events: PaymentEvents = field(default_factory=NoPaymentEvents)


def chosen_ports() -> Ports:
    chosen = settings()
    secrets = _secrets(chosen)
    store, store_time = _store(chosen)
    outbound = OutboundClient(https_only=chosen.environment != "local", allowed=chosen.outbound_allow)
    return Ports(
        *(store, _queue(chosen), clock(), secrets, _mail(chosen, secrets), store_time, outbound),
        remnants=_remnants(chosen),
        payments=_payments(chosen, secrets),
        payment_events=_payment_events(chosen, secrets),
    )


def _payment_events(chosen: Settings, secrets: Secrets) -> PaymentEvents:
    return StripeEvents(secrets, {True: chosen.stripe_webhook_secrets, False: chosen.stripe_test_webhook_secrets})


def _payments(chosen: Settings, secrets: Secrets) -> PaymentModes:
    payments = StripeModes(secrets, {True: chosen.stripe_key, False: chosen.stripe_test_key}, chosen.stripe_api_base)
    opened().push_async_callback(payments.close)
    return payments


def _remnants(chosen: Settings) -> Remnants:
    if chosen.store != "sqlite":
        return NoRemnants()
    return LocalRemnants(_database_path(chosen), _mail_folder(chosen))


def price_list(chosen: Settings) -> PriceList:
    installed = PackagedPriceList()
    if chosen.price_list_url is None:
        return installed
    from shared.adapters.price_list.downloads import DownloadedPriceList  # noqa: PLC0415  most hosts need no client

    return DownloadedPriceList(installed, chosen.price_list_url)


@cache
def opened() -> AsyncExitStack:
    """Closes what is wired here, last first."""
    return AsyncExitStack()


@cache
def clock() -> Clock:
    chosen = settings()
    return FileClock(chosen.clock_file) if chosen.clock_file is not None else SystemClock()


@cache
def database() -> Database:
    """The one file of a machine without Azure."""
    chosen = settings()
    make_private(chosen.data_dir)
    path = _database_path(chosen)
    path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    database = Database(path)
    opened().callback(database.close)
    return database


def _database_path(chosen: Settings) -> Path:
    return chosen.data_dir / "xyra.db"


@cache
def local_queue() -> LocalQueue:
    present = clock()
    return LocalQueue(
        database(), lock_seconds=settings().queue_lock_seconds, scheduling=lambda: present.now().timestamp()
    )


def _lagging_reads(chosen: Settings) -> LaggingReads | None:
    if not chosen.read_lag_milliseconds:
        return None
    reads = LaggingReads(database(), _database_path(chosen), chosen.read_lag_milliseconds / 1000)
    opened().callback(reads.close)
    return reads


def _store(chosen: Settings) -> tuple[Store, StoreTime]:
    """With what tells its time. Azure's SDKs are imported where they are used: together they take a second."""
    if chosen.store == "sqlite":
        return SqliteStore(database(), clock(), lagging_reads=_lagging_reads(chosen)), OneClock()
    from shared.adapters.cosmos import CosmosAccount, CosmosStore  # noqa: PLC0415  see above

    key = chosen.cosmos_key.get_secret_value() if chosen.cosmos_key else None
    store = CosmosStore(CosmosAccount(chosen.cosmos_endpoint or "", chosen.cosmos_database, key=key))
    opened().push_async_callback(store.close)
    return store, store


def _queue(chosen: Settings) -> Queue:
    if chosen.queue == "sqlite":
        return local_queue()
    from shared.adapters.service_bus import ServiceBusQueue  # noqa: PLC0415  see _store

    queue = ServiceBusQueue(_namespace(chosen))
    opened().push_async_callback(queue.close)
    return queue


def _namespace(chosen: Settings) -> "ServiceBusNamespace":
    from shared.adapters.service_bus import ServiceBusNamespace  # noqa: PLC0415  see _store

    secret = chosen.service_bus_connection_string
    connection_string = secret.get_secret_value() if secret else None
    namespace = ServiceBusNamespace(host=chosen.service_bus_namespace, connection_string=connection_string)
    opened().push_async_callback(namespace.close)
    return namespace


@cache
def broker() -> Broker:
    """What a local host receives from. On Azure the platform receives by itself."""
    chosen = settings()
    if chosen.queue == "sqlite":
        return local_queue()
    from shared.adapters.service_bus import ServiceBusBroker  # noqa: PLC0415  see _store

    broker = ServiceBusBroker(_namespace(chosen))
    opened().push_async_callback(broker.close)
    return broker


def _secrets(chosen: Settings) -> Secrets:
    if chosen.secrets == "file":
        return LocalSecrets(chosen.data_dir / "secrets.json")
    from shared.adapters.key_vault.secrets import KeyVaultSecrets  # noqa: PLC0415  see _store

    secrets = KeyVaultSecrets.under_managed_identity(chosen.key_vault_url or "")
    opened().push_async_callback(secrets.close)
    return secrets


def _mail(chosen: Settings, secrets: Secrets) -> Mail:
    if chosen.mail == "folder":
        return FolderMail(_mail_folder(chosen), chosen.sender, _show)
    if chosen.mail == "smtp":
        return _smtp_mail(chosen, secrets)
    from shared.adapters.mail.azure import AzureMail  # noqa: PLC0415  see _store

    mail = AzureMail.under_managed_identity(chosen.email_endpoint or "", chosen.sender)
    opened().push_async_callback(mail.close)
    return mail


def _mail_folder(chosen: Settings) -> Path:
    return chosen.data_dir / "mail"


def _smtp_mail(chosen: Settings, secrets: Secrets) -> Mail:
    from shared.adapters.mail.smtp import SmtpMail, SmtpServer  # noqa: PLC0415  most hosts need no client

    async def password() -> str:
        if chosen.smtp_password is not None:
            return chosen.smtp_password.get_secret_value()
        return await secrets.get("smtp-password")

    server = SmtpServer(chosen.smtp_host or "", chosen.smtp_port, chosen.smtp_security, chosen.smtp_username)
    return SmtpMail(server, chosen.sender, password)


def _show(line: str) -> None:
    """To the terminal and nowhere else: the line may have a link in it that opens an account."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
