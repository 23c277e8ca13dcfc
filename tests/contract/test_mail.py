"""Mail, as its port describes it: in a folder, by SMTP, and by Azure's service through the real SDK."""

import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import pytest

from shared.adapters.mail.azure import AzureMail, email_client
from shared.adapters.mail.folder import FolderMail
from shared.adapters.mail.no_mail import NoMail
from shared.adapters.mail.smtp import SmtpMail, SmtpServer
from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import Mail, MailMessage, MailRefusedError
from tests.doubles.servers.email_service import EmailService
from tests.doubles.servers.key_vault_server import TokenOfTheTest
from tests.doubles.servers.mail_server import PASSWORD, USERNAME, MailServer

SENDER = "Xyra <no-reply@example.com>"
LINK = "https://billing.example.com/account/verify?token=abc"
MESSAGE = MailMessage(
    id="mail_1@example.com",
    to="ada@example.com",
    subject="Grüße, and a subject that is longer than one line of a header may be in an Internet message",
    text=f"Hello Ada,\n\nfollow {LINK}\n",
    html=f'<p>Hello Ä</p><a href="{LINK}">Follow</a>\n',
    written_at=datetime(2026, 11, 30, 22, 15, tzinfo=UTC),
    link=LINK,
)


@dataclass(frozen=True)
class Received:
    """What came of a mail."""

    id: str
    sender: str
    to: str
    subject: str
    text: str
    html: str


class Outside(Protocol):
    """The far end of an adapter."""

    mail: Mail

    def received(self) -> list[Received]: ...
    async def break_down(self) -> None:
        """Let it be out of reach from now on."""


def read(mail: EmailMessage) -> Received:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return Received(
        str(mail["Message-ID"]),
        str(mail["From"]),
        str(mail["To"]),
        str(mail["Subject"]),
        text.get_content().replace("\r\n", "\n"),
        html.get_content().replace("\r\n", "\n"),
    )


class Folder:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "mail"
        self.shown: list[str] = []
        self.mail = FolderMail(self.path, SENDER, self.shown.append)

    def received(self) -> list[Received]:
        return [read(self.parsed(path)) for path in sorted(self.path.glob("*.eml"))]

    async def break_down(self) -> None:
        self.path.write_text("a file where the folder should be")

    @staticmethod
    def parsed(path: Path) -> EmailMessage:
        mail = message_from_bytes(path.read_bytes(), policy=policy.SMTPUTF8)
        assert isinstance(mail, EmailMessage)
        return mail


async def right_password() -> str:
    return PASSWORD


class Smtp:
    def __init__(self, server: MailServer, password: Callable = right_password, username: str = USERNAME) -> None:
        self.server = server
        place = SmtpServer("127.0.0.1", server.port, "starttls", username)
        self.mail = SmtpMail(place, SENDER, password, certificates=str(server.certificate))

    def received(self) -> list[Received]:
        return [read(mail) for mail in self.server.accepted]

    async def break_down(self) -> None:
        await self.server.stop()


class Azure:
    def __init__(self, service: EmailService) -> None:
        self.service = service
        self.credential = TokenOfTheTest()
        client = email_client(service.endpoint, self.credential, connection_verify=str(service.certificate))
        self.mail = AzureMail(client, SENDER, credential=self.credential)

    def received(self) -> list[Received]:
        return [
            Received(
                mail.body["headers"]["Message-ID"],
                f"Xyra <{mail.body['senderAddress']}>",
                mail.body["recipients"]["to"][0]["address"],
                mail.body["content"]["subject"],
                mail.body["content"]["plainText"],
                mail.body["content"]["html"],
            )
            for mail in self.service.accepted.values()
        ]

    async def break_down(self) -> None:
        self.service.stop()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[MailServer]:
    async with MailServer(tmp_path) as server:
        yield server


@pytest.fixture
async def azure(tmp_path: Path) -> AsyncIterator[Azure]:
    service = EmailService(tmp_path)
    async with AsyncExitStack() as ending:
        ending.callback(service.stop)
        azure = Azure(service)
        ending.push_async_callback(azure.mail.close)
        yield azure


@pytest.fixture(params=["folder", "smtp", "azure"])
def outside(request: pytest.FixtureRequest, tmp_path: Path) -> Outside:
    match request.param:
        case "folder":
            return Folder(tmp_path)
        case "smtp":
            return Smtp(request.getfixturevalue("server"))
        case _:
            azure: Azure = request.getfixturevalue("azure")
            return azure


async def test_a_mail_arrives_as_it_was_written(outside: Outside) -> None:
    await outside.mail.send(MESSAGE)
    assert outside.received() == [
        Received("<mail_1@example.com>", SENDER, MESSAGE.to, MESSAGE.subject, MESSAGE.text, MESSAGE.html)
    ]


async def test_each_mail_arrives(outside: Outside) -> None:
    for number in range(3):
        await outside.mail.send(replace(MESSAGE, id=f"mail_{number}@example.com", to=f"{number}@example.com"))
    assert [(each.id, each.to) for each in outside.received()] == [
        (f"<mail_{number}@example.com>", f"{number}@example.com") for number in range(3)
    ]


async def test_a_repeat_is_known_by_its_message_id(outside: Outside) -> None:
    await outside.mail.send(MESSAGE)
    await outside.mail.send(MESSAGE)
    assert {each.id for each in outside.received()} == {"<mail_1@example.com>"}


async def test_an_address_cannot_add_a_header_or_a_recipient(outside: Outside) -> None:
    for address in ("ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nX: y"):
        with pytest.raises(MailRefusedError):
            await outside.mail.send(replace(MESSAGE, to=address))
    assert outside.received() == []


async def test_a_far_end_out_of_reach_is_an_outage(outside: Outside) -> None:
    await outside.break_down()
    with pytest.raises(UnavailableError) as raised:
        await outside.mail.send(MESSAGE)
    assert "ada@" not in raised.value.detail


class TestFolder:
    async def test_a_repeat_writes_the_same_file(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path)
        await folder.mail.send(MESSAGE)
        await folder.mail.send(MESSAGE)
        assert [path.name for path in folder.path.iterdir()] == ["mail_1.eml"]
        assert folder.parsed(folder.path / "mail_1.eml")["Date"] == "Mon, 30 Nov 2026 22:15:00 +0000"

    async def test_a_link_can_be_read_in_the_file_as_it_is(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path)
        await folder.mail.send(MESSAGE)
        assert LINK in (folder.path / "mail_1.eml").read_text(encoding="utf-8")

    async def test_its_files_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path)
        await folder.mail.send(MESSAGE)
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder.path / "mail_1.eml").stat().st_mode) == 0o600

    async def test_the_file_and_the_link_are_shown(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path)
        await folder.mail.send(MESSAGE)
        await folder.mail.send(replace(MESSAGE, link=None))
        first, link, second = folder.shown
        assert first == second
        assert str(folder.path / "mail_1.eml") in first
        assert link.strip() == LINK


class TestSmtp:
    @pytest.mark.parametrize("step", ["to_recipient", "to_content"])
    @pytest.mark.parametrize(
        ("answer", "raised"),
        [("550 no such mailbox", MailRefusedError), ("451 greylisted, come back later", UnavailableError)],
    )
    async def test_the_first_digit_says_whether_it_is_for_good(
        self, server: MailServer, step: str, answer: str, raised: type[Exception]
    ) -> None:
        setattr(server, step, answer)
        with pytest.raises(raised, match=answer[:3]):
            await Smtp(server).mail.send(MESSAGE)
        assert server.accepted == []

    async def test_a_wrong_password_loses_no_mail(self, server: MailServer) -> None:
        async def wrong_password() -> str:
            return "not this one"

        with pytest.raises(UnavailableError):
            await Smtp(server, wrong_password).mail.send(MESSAGE)
        await Smtp(server).mail.send(MESSAGE)
        assert len(server.accepted) == 1

    async def test_a_password_never_goes_in_the_clear(self, server: MailServer) -> None:
        await Smtp(server).mail.send(MESSAGE)
        place = SmtpServer("127.0.0.1", server.port, "none", USERNAME)
        with pytest.raises(UnavailableError):
            await SmtpMail(place, SENDER, right_password).send(MESSAGE)
        assert server.seen_in_the_clear == []

    async def test_a_certificate_that_nobody_vouches_for_is_an_outage(self, server: MailServer) -> None:
        place = SmtpServer("127.0.0.1", server.port, "starttls", USERNAME)
        with pytest.raises(UnavailableError):
            await SmtpMail(place, SENDER, right_password).send(MESSAGE)
        assert server.accepted == []


class TestAzure:
    async def test_a_repeat_is_sent_once(self, azure: Azure) -> None:
        for _ in range(2):
            await azure.mail.send(MESSAGE)
        assert len(azure.service.accepted) == 1
        assert azure.service.repeats == 1

    async def test_it_asks_not_to_have_links_rewritten(self, azure: Azure) -> None:
        await azure.mail.send(MESSAGE)
        (mail,) = azure.service.accepted.values()
        assert mail.body["userEngagementTrackingDisabled"] is True

    @pytest.mark.parametrize(
        ("status", "raised"),
        [
            (400, MailRefusedError),
            (401, UnavailableError),
            (403, UnavailableError),
            (404, UnavailableError),
            (429, UnavailableError),
            (500, UnavailableError),
            (503, UnavailableError),
        ],
    )
    async def test_only_what_is_wrong_with_the_mail_is_for_good(
        self, azure: Azure, status: int, raised: type[Exception]
    ) -> None:
        azure.service.status = status
        with pytest.raises(raised) as error:
            await azure.mail.send(MESSAGE)
        assert "the address is in this text" not in str(error.value)

    async def test_the_credential_is_closed_with_the_client(self, azure: Azure) -> None:
        await azure.mail.close()
        assert azure.credential.is_closed


async def test_a_process_without_mail_leaves_it_for_others() -> None:
    with pytest.raises(UnavailableError):
        await NoMail().send(MESSAGE)
