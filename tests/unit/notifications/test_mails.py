"""Mails that were decided on: sent at least once, the same each time, and not for ever."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from shared.containers import DIRECTORY
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.ports.mail import MailMessage, MailRefusedError
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.mailed_links import IssuedLink
from shared.services.notifications import mails as module
from shared.services.notifications.mails import Mails, RefusedMail, refused_partition
from shared.services.notifications.writing import SUBJECTS, write
from shared.services.storage import Outbox, Records
from shared.templates.rendering import MAXIMUM_NAME, plain_name
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.post_box import PostBox
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
URL = "https://billing.example.com/account/verify?token=abc-_123"
LINK = IssuedLink(URL, NOW + timedelta(minutes=60))
NAMES = {"name": "Ada Lovelace", "inviter": "Grace Hopper", "organization": "Engines & Sons", "provider": "Login"}
FIGURES = {"number": "INV-ACME-2026-000001", "amount": "49.00 USD", "due": "2026-11-30"} | {
    name: name for name in ("subject", "seller", "greeting", "text", "action", "footer")
}
FIGURES |= {"language": "en", "where": "Until 2026-11-30 13:00 UTC"}
LETTER = Letter("ada@example.com", NOW, LINK, NAMES, FIGURES)


class Office:
    """Mails as an application has them, with their outbox."""

    def __init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.store = MemoryStore()
        self.outbox = Outbox(self.store, self.clock)
        self.box = PostBox()
        self.letter: Letter | None = LETTER
        self.mails = Mails(self.box, self.store, self.clock, "Xyra <no-reply@example.com>", self._composers())
        self._sender = self.outbox.sender(ACCESS_MAIL)
        self.outbox.connect({ACCESS_MAIL: self.mails.receive}, {})

    def _composers(self):
        async def compose(*, request_id: str, user_id: str) -> Letter | None:
            assert (request_id, user_id) == ("req_1", "usr_1")
            return self.letter

        return {"verification": compose}

    async def decide(self) -> None:
        entry = self._sender.entry("mail", template="verification", request_id="req_1", user_id="usr_1")
        await self.store.create(DIRECTORY.name, "user:usr_1", entry.document())

    async def sweep_later(self) -> None:
        self.clock.move(timedelta(minutes=6))
        await self.outbox.sweep()

    async def is_left(self) -> bool:
        return bool(await self.store.due(DIRECTORY.name, "9999"))


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_mail_is_sent_to_the_address_of_the_letter(office: Office) -> None:
    await office.decide()
    await office.sweep_later()
    (message,) = office.box.sent
    assert (message.to, message.subject, message.link) == ("ada@example.com", SUBJECTS["verification"], URL)
    assert message.written_at == NOW
    assert URL in message.text
    assert not await office.is_left()


async def test_a_repeat_is_the_same_mail(office: Office) -> None:
    for _ in range(2):
        await office.mails.receive(template="verification", request_id="req_1", user_id="usr_1")
    first, second = office.box.sent
    assert first == second
    assert re.fullmatch(r"mail_[0-9a-z]{26}@example\.com", first.id)


async def test_what_is_not_to_be_sent_any_longer_is_dropped(office: Office) -> None:
    office.letter = None
    await office.decide()
    await office.sweep_later()
    assert office.box.tries == 0
    assert not await office.is_left()


async def test_after_an_outage_it_is_sent(office: Office) -> None:
    office.box.failing(UnavailableError("down"))
    await office.decide()
    await office.sweep_later()
    assert await office.is_left()
    office.box.fail = lambda: None
    await office.sweep_later()
    assert len(office.box.sent) == 1


async def test_a_mail_that_is_refused_for_good_is_recorded_and_not_tried_again(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.box.failing(MailRefusedError("The mail server refused it with 550"))
    await office.decide()
    for _ in range(3):
        await office.sweep_later()
    assert office.box.tries == 1
    assert not await office.is_left()
    partition = refused_partition(office.clock.now())
    (refused,) = [stored.entity async for stored in Records(office.store, DIRECTORY, RefusedMail).all(partition)]
    assert (refused.template, refused.request_id) == ("verification", "req_1")
    assert refused.reason == "The mail server refused it with 550"
    assert "ada@example.com" not in f"{refused.document()} {caplog.text}"
    assert "refused for good" in caplog.text


async def test_a_refused_mail_is_sent_again_by_the_operator_once_it_can_be(office: Office) -> None:
    office.box.failing(MailRefusedError("The mail server refused it with 550"))
    await office.decide()
    await office.sweep_later()
    (refused,) = [mail async for mail in office.mails.refused()]
    office.clock.move(timedelta(days=89))
    assert [mail.id async for mail in office.mails.refused()] == [refused.id]
    with pytest.raises(ConflictError, match="refused again"):
        await office.mails.resend(refused.id)
    office.box.fail = lambda: None
    office.letter = None
    with pytest.raises(ConflictError, match="not to be sent any longer"):
        await office.mails.resend(refused.id)
    office.letter = LETTER
    await office.mails.resend(refused.id)
    (message,) = office.box.sent
    assert (message.to, message.link) == ("ada@example.com", URL)
    assert [mail async for mail in office.mails.refused()] == []
    with pytest.raises(NotFoundError):
        await office.mails.resend(refused.id)


def test_a_server_that_hangs_keeps_only_the_first_mail_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the other effects of the sweep would wait, too."""
    office = Office()

    async def hang(message: MailMessage) -> None:
        office.box.tries += 1
        await module.asyncio.sleep(module.SLOW_SECONDS)
        raise UnavailableError(f"no answer for {message.id}")

    monkeypatch.setattr(office.box, "send", hang)

    async def three_in_a_row() -> None:
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await office.mails.receive(template="verification", request_id="req_1", user_id="usr_1")

    virtual_time.run(three_in_a_row())
    assert office.box.tries == 1
    office.clock.move(module.PAUSE)
    virtual_time.run(three_in_a_row())
    assert office.box.tries == 2


async def test_a_server_that_fails_at_once_is_asked_for_each_mail(office: Office) -> None:
    office.box.failing(UnavailableError("refused the connection"))
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await office.mails.receive(template="verification", request_id="req_1", user_id="usr_1")
    assert office.box.tries == 3


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value for name, value in attrs if name in {"href", "src", "action"}]


@pytest.mark.parametrize("name", SUBJECTS)
def test_each_mail_says_the_same_in_text_and_html(name: str) -> None:
    mail = write(name, LETTER)
    for part in (mail.text, mail.html):
        assert URL in part
        assert "2026-11-30 13:00 UTC" in part
        assert mail.subject.replace("&", "&amp;") in part or mail.subject in part
    assert set(Links(mail.html).found) == {URL}
    assert not Links(mail.html).tags & {"script", "img", "link", "form", "iframe"}
    assert max(map(len, mail.text.splitlines())) < 998


HOSTILE = [
    "https://evil.example.com/login",
    "Visit evil.com now",
    "www.evil.com",
    "a@evil.com",
    "mailto:eve@evil.com",
    '<a href="https://evil.com">Click</a>',
    "evil\u3002com",
    "evil\uff0ecom",
    "evil\u2024com",
    "Ada\r\nBcc: eve@evil.com",
    "\u202emoc.live",
    "[Click](https://evil.com)",
    "{{ link.url }}",
    "{organization}",
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_name_is_plain_text_in_which_nothing_becomes_a_link(name: str, hostile: str) -> None:
    mail = write(name, Letter("ada@example.com", NOW, LINK, dict.fromkeys(NAMES, hostile), FIGURES))
    assert set(Links(mail.html).found) == {URL}
    for part in (mail.subject, mail.text.replace(URL, ""), Shown(mail.html).text.replace(URL, "")):
        assert "\n" not in mail.subject
        assert not re.search(r"://|www\.|[\w-]\.[A-Za-z]{2,}|@|[<>{}\[\]]", part.replace("ada@example.com", "")), part
        assert not re.search("[\u202e\u3002\uff0e\u2024]", part)


class Shown(HTMLParser):
    """The text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "Zoë Müller-Lüdenscheidt",
        "Dr. Ada",
        "O'Brien",
        "山田 太郎",
        "Engines & Sons (UK), Ltd.",
        "María",
    ],
)
def test_names_of_people_stay_as_they_are(name: str) -> None:
    assert plain_name(name) == name


def test_a_name_is_bounded() -> None:
    assert len(plain_name("a" * 1000)) == MAXIMUM_NAME
    assert plain_name("a" * MAXIMUM_NAME) == "a" * MAXIMUM_NAME
