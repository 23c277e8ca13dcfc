"""`python -m cli`: the first-run step and the rotation of keys, beside hosts that run, and how its errors look."""

import asyncio
import re
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import jwt
import pytest

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import NOW
from tests.doubles.clients.xyra_client import Client, Description, Xyra
from tests.doubles.clients.xyra_process import OPERATOR, XyraProcess
from tests.doubles.servers.cosmos_server import KEY
from tests.places import ROOT

MakeProcess = Callable[..., XyraProcess]

NO_DESCRIPTION = Description({"paths": {}})
EARLIER = timedelta(minutes=29)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Bound, and nobody listens there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """That of `new_process`."""
    return tmp_path / "data"


def clients_of(process: XyraProcess) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(process.base, cookie_jar=aiohttp.DummyCookieJar())


def kid(client: Client) -> str:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    return str(jwt.get_unverified_header(token)["kid"])


async def works(client: Client) -> bool:
    answer = await client.send("GET", "organizations")
    assert answer.status in {200, 401}
    return answer.status == 200


def test_setup_makes_the_operator_of_a_deployment_once(data_dir: Path) -> None:
    settings = {"XYRA_DATA_DIR": str(data_dir)}
    first, second = command_line.run("setup", **settings), command_line.run("setup", **settings)
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr == second.stderr == ""
    assert first.stdout.count("password") == 1
    assert "password" not in second.stdout
    assert second.stdout.count("there already") == 6
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir()} == {0o600}


def test_setup_says_at_its_end_that_rights_stand_and_how_to_end_them(data_dir: Path) -> None:
    ended = command_line.run("setup", XYRA_DATA_DIR=str(data_dir), OPERATOR_PRINCIPAL_ID="33333333")
    last = ended.stdout.splitlines()[-1]
    assert last.startswith("33333333 may still write secrets and all data")
    assert '"Rights of whoever deploys" in docs/deployment.md' in last
    assert "**Rights of whoever deploys.**" in (ROOT / "docs" / "deployment.md").read_text()


async def test_who_was_made_by_setup_signs_in_at_a_host_that_starts_then(
    data_dir: Path, new_process: MakeProcess
) -> None:
    made = await asyncio.to_thread(command_line.run, "setup", XYRA_DATA_DIR=str(data_dir))
    printed = re.search(r"^The operator: (\S+)  password: (\S+)  \(shown only now\)$", made.stdout, re.MULTILINE)
    assert printed
    process = new_process()
    await asyncio.to_thread(process.start)
    async with clients_of(process) as session:
        operator = await Xyra(session, NO_DESCRIPTION, "").sign_in(printed[1], printed[2])
        assert await works(operator)


def test_setups_at_once_make_one_operator_and_one_set_of_keys(data_dir: Path) -> None:
    settings = {
        "XYRA_DATA_DIR": str(data_dir),
        "XYRA_OPERATOR_EMAIL": OPERATOR[0],
        "XYRA_OPERATOR_PASSWORD": OPERATOR[1],
    }
    setups = [command_line.start("setup", **settings) for _ in range(3)]
    ends = [command_line.ended(process) for process in setups]
    assert [end.returncode for end in ends] == [0, 0, 0]
    for what in (
        "The token keys",
        "The key of mailed links",
        "The sealing keys",
        "The refresh key",
        f"The operator {OPERATOR[0]}",
    ):
        assert sorted(f"{what}: made\n" in end.stdout for end in ends) == [False, False, True], what


async def test_running_hosts_pick_a_rotation_up_and_old_tokens_live_until_they_expire(
    data_dir: Path, new_process: MakeProcess
) -> None:
    hosts = [new_process(), new_process()]
    for host in hosts:
        await asyncio.to_thread(host.start)
    here = {"XYRA_DATA_DIR": str(data_dir), "XYRA_CLOCK_FILE": str(hosts[0].clock_file)}
    async with clients_of(hosts[0]) as one, clients_of(hosts[1]) as other:
        sides = [Xyra(one, NO_DESCRIPTION, ""), Xyra(other, NO_DESCRIPTION, "")]
        before = await sides[0].sign_in(*OPERATOR)
        rotated = await asyncio.to_thread(command_line.run, "keys", "rotate", **here)
        assert rotated.returncode == 0, rotated.stderr
        assert f"retired: {kid(before)}, " in rotated.stdout
        for side in sides:
            after = await side.sign_in(*OPERATOR)
            assert f"active: {kid(after)}\n" in rotated.stdout
            for each in sides:
                assert await works(each.bearing(_token(after)))
                assert await works(each.bearing(_token(before)))
        early = await asyncio.to_thread(command_line.run, "keys", "rotate", **here)
        assert (early.returncode, early.stdout) == (1, "")
        assert "The keys were rotated at 2026-11-18T10:0" in early.stderr
        forced = await asyncio.to_thread(command_line.run, "keys", "rotate", "--force", **here)
        assert forced.returncode == 0
        hosts[0].set_clock(NOW + EARLIER)
        assert await works(sides[1].bearing(_token(before)))
        hosts[0].set_clock(NOW + EARLIER + timedelta(minutes=2))
        assert not await works(sides[1].bearing(_token(before)))


def test_sealing_keys_are_rotated_an_hour_apart(data_dir: Path) -> None:
    here = {"XYRA_DATA_DIR": str(data_dir)}
    assert command_line.run("setup", **here).returncode == 0
    rotated = command_line.run("sealed", "rotate", **here)
    assert rotated.returncode == 0, rotated.stderr
    assert [line.partition(":")[0] for line in rotated.stdout.splitlines()] == ["active", "next", "earlier"]
    for command in (("sealed", "rotate"), ("sealed", "again")):
        early = command_line.run(*command, **here)
        assert (early.returncode, early.stdout) == (1, "")
        assert "some processes may not have seen the last rotation" in early.stderr


def _token(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(
    ("command", "setting", "value"),
    [
        (("setup",), "XYRA_SHARD_COUNT", "3"),
        (("keys", "rotate"), "XYRA_STORE", "paper"),
        (("--verbose", "setup"), "XYRA_OPERATOR_PASSWORD", "short-hush"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(command: tuple[str, ...], setting: str, value: str) -> None:
    end = command_line.run(*command, **{setting: value})
    assert end.returncode == 3
    (line,) = end.stderr.splitlines()
    assert line.startswith("The settings cannot be used: ")
    assert setting in line
    assert "hush" not in line


def test_without_the_store_it_says_so_and_has_made_what_it_could(data_dir: Path, deaf_port: int) -> None:
    settings = {
        "XYRA_DATA_DIR": str(data_dir),
        "XYRA_STORE": "cosmos",
        "XYRA_COSMOS_KEY": KEY,
        "XYRA_COSMOS_ENDPOINT": f"https://127.0.0.1:{deaf_port}",
    }
    end = command_line.run("setup", **settings)
    assert (end.returncode, end.stderr) == (4, "The store does not answer: Cosmos DB: no answer\n")
    made = ("The token keys", "The key of mailed links", "The sealing keys", "The audit keys", "The refresh key")
    assert end.stdout == "".join(f"{each}: made\n" for each in made)
    assert command_line.run("setup", XYRA_DATA_DIR=str(data_dir)).returncode == 0


def test_without_the_vault_it_says_so(data_dir: Path, deaf_port: int) -> None:
    vault = {"XYRA_SECRETS": "key_vault", "XYRA_KEY_VAULT_URL": f"https://127.0.0.1:{deaf_port}"}
    end = command_line.run("setup", XYRA_DATA_DIR=str(data_dir), **vault)
    assert (end.returncode, end.stdout, end.stderr) == (4, "", "The secrets cannot be read now\n")


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    end = command_line.run("setup", XYRA_DATA_DIR=str(tmp_path / "file" / "data"))
    assert end.returncode == 4
    (line,) = end.stderr.splitlines()
    assert str(tmp_path / "file" / "data") in line


def test_keys_that_were_never_made_cannot_be_rotated(data_dir: Path) -> None:
    end = command_line.run("keys", "rotate", XYRA_DATA_DIR=str(data_dir))
    assert (end.returncode, end.stdout, end.stderr) == (1, "", "There is no secret token-signing-keys\n")


def test_wrong_usage_ends_with_2() -> None:
    assert command_line.run("setup", "--patience", "-1").returncode == 2
    assert command_line.run("keys", "turn").returncode == 2


def test_repair_says_what_it_cannot_look_at(data_dir: Path) -> None:
    settings = {"XYRA_DATA_DIR": str(data_dir)}
    end = command_line.run("repair", "--organization", "nobody", "--period", "2026-10", **settings)
    assert (end.returncode, end.stdout, end.stderr) == (1, "", "There is no such organization\n")
    assert command_line.run("repair", "--organization", "nobody", **settings).returncode == 2
