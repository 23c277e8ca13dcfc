"""Secrets, as their port describes them, and the file that keeps them on one machine."""

import asyncio
import stat
from pathlib import Path

import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.ports.secrets import Secrets
from tests.doubles.clients import python_process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets.json"


@pytest.fixture(params=["file"])
def secrets(path: Path) -> Secrets:
    return LocalSecrets(path)


async def test_a_secret_that_is_not_there(secrets: Secrets) -> None:
    with pytest.raises(NotFoundError):
        await secrets.get("key")
    await secrets.set_if_absent("other", "value")
    with pytest.raises(NotFoundError):
        await secrets.get("key")


async def test_the_first_value_holds(secrets: Secrets) -> None:
    assert await secrets.set_if_absent("key", "first ü\n") == "first ü\n"
    assert await secrets.set_if_absent("key", "second") == "first ü\n"
    assert await secrets.set_if_absent("other", "value") == "value"
    assert await secrets.get("key") == "first ü\n"
    assert await secrets.get("other") == "value"


async def test_of_many_at_once_all_learn_the_one_that_holds(secrets: Secrets) -> None:
    values = await asyncio.gather(*(secrets.set_if_absent("key", f"{number}") for number in range(20)))
    assert len(set(values)) == 1
    assert await secrets.get("key") == values[0]


async def test_what_is_current_can_be_replaced(secrets: Secrets) -> None:
    await secrets.set_if_absent("key", "first")
    await secrets.replace("key", "second", expected="first")
    assert await secrets.get("key") == "second"
    assert await secrets.set_if_absent("key", "third") == "second"
    await secrets.replace("key", "third", expected="second")
    assert await secrets.get("key") == "third"


async def test_what_is_not_current_is_not_replaced(secrets: Secrets) -> None:
    with pytest.raises(ConflictError):
        await secrets.replace("key", "second", expected="first")
    with pytest.raises(NotFoundError):
        await secrets.get("key")
    await secrets.set_if_absent("key", "first")
    with pytest.raises(ConflictError):
        await secrets.replace("key", "third", expected="second")
    assert await secrets.get("key") == "first"


async def test_of_many_that_replace_the_same_value_one_holds(secrets: Secrets) -> None:
    await secrets.set_if_absent("key", "first")
    outcomes = await asyncio.gather(
        *(secrets.replace("key", f"{number}", expected="first") for number in range(5)), return_exceptions=True
    )
    (number,) = (number for number, outcome in enumerate(outcomes) if outcome is None)
    assert all(outcome is None or isinstance(outcome, ConflictError) for outcome in outcomes)
    assert await secrets.get("key") == f"{number}"


def test_the_file_is_its_owners_only_and_is_kept(path: Path) -> None:
    asyncio.run(LocalSecrets(path).set_if_absent("key", "value"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert asyncio.run(LocalSecrets(path).get("key")) == "value"


def test_processes_that_start_together_agree(path: Path) -> None:
    processes = [python_process.start("secrets_process.py", path, f"value of {number}") for number in range(3)]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert len(outputs[0]) == 20
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"key": 1}'])
def test_a_file_that_cannot_be_read_is_an_outage_and_stays_as_it_is(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UnavailableError):
        asyncio.run(LocalSecrets(path).get("key"))
    with pytest.raises(UnavailableError):
        asyncio.run(LocalSecrets(path).set_if_absent("key", "value"))
    with pytest.raises(UnavailableError):
        asyncio.run(LocalSecrets(path).replace("key", "value", expected="1"))
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_an_outage(path: Path) -> None:
    path.parent.write_text("a file where the directory should be")
    with pytest.raises(UnavailableError):
        asyncio.run(LocalSecrets(path).set_if_absent("key", "value"))
