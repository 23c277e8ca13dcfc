"""The first-run step: repeated, cut short at every call and repeated, with rights that come late, and twice at once."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.setup import Patience, set_up
from shared.adapters.secret_file.secrets import LocalSecrets
from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import ConflictError, UnauthenticatedError, UnavailableError
from shared.ports.secrets import NotAllowedError
from shared.services.access.accounts import SignUp
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.fault_in_turn import Fault, FaultInTurnStore, RememberingStore, Script
from tests.doubles.fakes.fault_in_turn_secrets import FaultInTurnSecrets
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock

SECRETS = ("token-signing-keys", "mailed-link-key", "sealing-keys", "audit-keys", "refresh-token-key")
CHOSEN = Settings(operator_email="ada@example.com", operator_password="a password of ours")
ADDRESS = Settings(operator_email="ada@example.com")
MADE_UP = Settings()
NOTHING_NEW = {Fault.THROTTLED, Fault.OTHER_MEANWHILE}
"""Here the same as `BEFORE` and `SAME_MEANWHILE`."""
AT_ONCE = Patience()

Output = Callable[[], str]


class LateSecrets(LocalSecrets):
    """The right to set them comes with the third try."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.tries = 0

    async def set_if_absent(self, name: str, value: str) -> str:
        self.tries += 1
        if self.tries < 3:
            raise NotAllowedError(f"The vault refuses this identity the secret {name}")
        return await super().set_if_absent(name, value)


@dataclass
class Deployment:
    """What lasts, whoever looks at it."""

    path: Path
    clock: SettableClock = field(default_factory=lambda: SettableClock(datetime(2026, 11, 18, 10, tzinfo=UTC)))

    def __post_init__(self) -> None:
        self.store = RememberingStore(self.clock)

    def application(self, chosen: Settings = MADE_UP, script: Script | None = None) -> Application:
        secrets = FaultInTurnSecrets(LocalSecrets(self.path), script or Script())
        store = FaultInTurnStore(self.store, script or Script())
        return Application(Ports(store, MemoryQueue(), self.clock, secrets), chosen)

    def secrets(self) -> dict[str, str]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    async def signs_in(self, email: str, password: str) -> bool:
        """As an operator, with a token that another process accepts."""
        with suppress(UnauthenticatedError):
            signed_in = await self.application().accounts.sign_in(email, password, None)
            assert (await self.application().tokens.read(signed_in.access_token)).roles == ("system",)
            return True
        return False


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path / "secrets.json")


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    return lambda: capsys.readouterr().out


def shown(output: str) -> list[tuple[str, str]]:
    return re.findall(r"^The operator: (\S+)  password: (\S+)  \(shown only now\)$", output, re.MULTILINE)


async def test_it_makes_what_is_missing_and_says_so(deployment: Deployment, output: Output) -> None:
    await set_up(deployment.application(CHOSEN), AT_ONCE)
    assert output().splitlines() == [
        "The token keys: made",
        "The key of mailed links: made",
        "The sealing keys: made",
        "The audit keys: made",
        "The refresh key: made",
        "The operator ada@example.com: made",
    ]
    assert await deployment.signs_in("ada@example.com", "a password of ours")


async def test_again_it_changes_nothing_and_says_so(deployment: Deployment, output: Output) -> None:
    await set_up(deployment.application(CHOSEN), AT_ONCE)
    before, _ = deployment.path.read_text(), output()
    later = Settings(operator_email="ada@example.com", operator_password="another password, later")
    await set_up(deployment.application(later), AT_ONCE)
    assert deployment.path.read_text() == before
    assert output().count(": there already\n") == 6
    assert await deployment.signs_in("ada@example.com", "a password of ours")


async def test_a_password_that_is_made_up_is_shown_once_and_signs_in(deployment: Deployment, output: Output) -> None:
    await set_up(deployment.application(), AT_ONCE)
    ((email, password),) = shown(output())
    assert await deployment.signs_in(email, password)
    await set_up(deployment.application(), AT_ONCE)
    assert shown(output()) == []


async def test_a_later_run_without_the_address_makes_no_other_operator(deployment: Deployment, output: Output) -> None:
    await set_up(deployment.application(CHOSEN), AT_ONCE)
    output()
    await set_up(deployment.application(), AT_ONCE)
    assert "The operator ada@example.com: there already" in output()


async def test_the_account_of_a_customer_is_not_taken_for_an_operators(deployment: Deployment, output: Output) -> None:
    customer = SignUp(
        email="ada@example.com",
        password="correct horse battery staple",
        full_name="Ada",
        organization_name="Engines",
        currency="USD",
        timezone="UTC",
    )
    await deployment.application().accounts.sign_up(customer)
    with pytest.raises(ConflictError, match="XYRA_OPERATOR_EMAIL"):
        await set_up(deployment.application(CHOSEN), AT_ONCE)
    other = Settings(operator_email="grace@example.com", operator_password="a password of ours")
    await set_up(deployment.application(other), AT_ONCE)
    assert await deployment.signs_in("grace@example.com", "a password of ours")
    await set_up(deployment.application(), AT_ONCE)
    assert "The operator grace@example.com: there already" in output()


async def test_a_password_that_could_not_be_shown_is_not_kept(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(text: str) -> int:
        raise BrokenPipeError(text[:0])

    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout.write", closed)
        with pytest.raises(BrokenPipeError):
            await set_up(deployment.application(), AT_ONCE)
    operator = deployment.application().first_operator
    assert not await operator.exists(await operator.email(None))


async def calls_of_setup(path: Path) -> list[tuple[str, frozenset[Fault]]]:
    script = Script()
    await set_up(Deployment(path).application(ADDRESS, script), AT_ONCE)
    return script.calls


async def test_cut_short_at_any_call_and_repeated_it_ends_as_if_nothing_had_been(
    tmp_path: Path, output: Output
) -> None:
    calls = await calls_of_setup(tmp_path / "counted.json")
    output()
    assert {name.split()[0] for name, _ in calls} == {"get", "set", "write"}
    for number, (name, possible) in enumerate(calls, start=1):
        for fault in sorted(possible - NOTHING_NEW, key=lambda fault: fault.name):
            deployment = Deployment(tmp_path / f"{number}-{fault.name}.json")
            made_before = await cut_short(deployment, number, fault)
            await set_up(deployment.application(ADDRESS), AT_ONCE)
            passwords = shown(output())
            valid = [await deployment.signs_in(*each) for each in passwords]
            assert valid.count(True) == 1, (name, fault)
            assert valid[-1] or fault is Fault.SAME_MEANWHILE, f"{name}, {fault}: one's own last one holds"
            assert made_before.items() <= deployment.secrets().items(), f"{name}, {fault}: nothing is made twice"
            assert set(deployment.secrets()) == set(SECRETS)


async def cut_short(deployment: Deployment, number: int, fault: Fault) -> dict[str, str]:
    """The secrets that were there then."""

    async def meanwhile(_: Fault) -> None:
        await set_up(deployment.application(ADDRESS), AT_ONCE)

    script = Script(at=number, fault=fault, meanwhile=meanwhile)
    with suppress(UnavailableError, asyncio.CancelledError):
        await set_up(deployment.application(ADDRESS, script), AT_ONCE)
    return deployment.secrets()


def test_rights_that_come_late_are_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = Deployment(tmp_path / "secrets.json")
    ports = Ports(deployment.store, MemoryQueue(), deployment.clock, LateSecrets(deployment.path))
    virtual_time.run(set_up(Application(ports, CHOSEN), Patience(600)))
    output = capsys.readouterr()
    assert output.out.count(": made\n") == 6
    assert output.err.count("Waiting: ") == 2


def test_rights_that_do_not_come_in_time_are_an_error(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "secrets.json")
    late = LateSecrets(deployment.path)
    ports = Ports(deployment.store, MemoryQueue(), deployment.clock, late)
    with pytest.raises(NotAllowedError):
        virtual_time.run(set_up(Application(ports, CHOSEN), Patience(9)))
    assert late.tries == 2
