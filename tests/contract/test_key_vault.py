"""Key Vault by the real SDK over HTTPS: what its port says, rotation, throttling, failures, and what is logged."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest

from shared.adapters.key_vault.secrets import FIRST_VALUE_TAG, KeyVaultSecrets, key_vault_client
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.ports.secrets import NotAllowedError
from tests.contract import test_secrets
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.key_vault_server import DROP, SECOND, TOKEN, Failure, KeyVaultServer, TokenOfTheTest

SETTLE_SECONDS = 1.1 * SECOND
"""More than the second in which a version is dated."""


def connect(vault: KeyVaultServer, seconds: SettableSeconds | None = None) -> KeyVaultSecrets:
    client = key_vault_client(
        vault.url,
        TokenOfTheTest(),
        connection_verify=str(vault.certificate),
        verify_challenge_resource=False,
    )
    return KeyVaultSecrets(client, settle_seconds=SETTLE_SECONDS, present=seconds or time.monotonic)


@pytest.fixture
async def secrets(vault: KeyVaultServer, seconds: SettableSeconds) -> AsyncIterator[KeyVaultSecrets]:
    secrets = connect(vault, seconds)
    yield secrets
    await secrets.close()


class TestContract:
    """That of every adapter of the port, in `test_secrets`."""

    async def test_a_secret_that_is_not_there(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_a_secret_that_is_not_there(secrets)

    async def test_the_first_value_holds(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_the_first_value_holds(secrets)

    async def test_of_many_at_once_all_learn_the_one_that_holds(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_of_many_at_once_all_learn_the_one_that_holds(secrets)

    async def test_what_is_current_can_be_replaced(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_what_is_current_can_be_replaced(secrets)

    async def test_what_is_not_current_is_not_replaced(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_what_is_not_current_is_not_replaced(secrets)

    async def test_of_many_that_replace_the_same_value_one_holds(self, secrets: KeyVaultSecrets) -> None:
        await test_secrets.test_of_many_that_replace_the_same_value_one_holds(secrets)


class TestClosing:
    async def test_the_credential_is_closed_with_the_client(self, vault: KeyVaultServer) -> None:
        credential = TokenOfTheTest()
        client = key_vault_client(vault.url, credential, connection_verify=str(vault.certificate))
        await KeyVaultSecrets(client, credential=credential).close()
        assert credential.is_closed


class TestFirstValues:
    async def test_processes_that_start_together_agree(self, vault: KeyVaultServer) -> None:
        processes = [connect(vault) for _ in range(5)]
        vault.let_meet(5)
        values = await asyncio.gather(
            *(secrets.set_if_absent("key", f"value of {number}") for number, secrets in enumerate(processes))
        )
        assert len(vault.secrets["key"]) == 5  # none saw another's
        assert len(set(values)) == 1
        assert {await connected.get("key") for connected in processes} == set(values)
        for connected in processes:
            await connected.close()

    async def test_who_reads_in_the_second_of_the_first_value_waits_for_an_older_one(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        """Two versions of one second are ordered by their ids.

        The second may come after the first was seen.
        """
        later = vault.store("key", "seen first", {FIRST_VALUE_TAG: "1"})
        later.id = "f" * 32
        reading = asyncio.create_task(secrets.get("key"))
        assert await asyncio.to_thread(vault.answered_a_listing.wait, 10)
        earlier = vault.store("key", "holds", {FIRST_VALUE_TAG: "1"})
        earlier.id, earlier.created = "0" * 32, later.created
        assert await reading == "holds"

    async def test_another_that_was_set_in_the_midst_holds(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.before_storing = lambda: vault.store("key", "theirs", {FIRST_VALUE_TAG: "1"}, seconds_ago=1) and None
        assert await secrets.set_if_absent("key", "ours") == "theirs"
        assert await secrets.get("key") == "theirs"

    async def test_a_value_that_was_set_on_purpose_is_left_alone(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.rotate("key", "provisioned")
        vault.may_set = False
        assert await secrets.set_if_absent("key", "ours") == "provisioned"

    async def test_without_the_right_to_set(self, vault: KeyVaultServer, secrets: KeyVaultSecrets) -> None:
        vault.may_set = False
        with pytest.raises(NotAllowedError):
            await secrets.set_if_absent("key", "ours")

    async def test_a_secret_that_is_disabled_is_not_made_anew(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.store("key", "leaked", {}).enabled = False
        with pytest.raises(UnavailableError):
            await secrets.set_if_absent("key", "ours")
        with pytest.raises(UnavailableError):
            await secrets.get("key")


class TestRotation:
    async def test_is_picked_up_when_the_kept_value_is_old(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets, seconds: SettableSeconds
    ) -> None:
        vault.store("key", "first", {FIRST_VALUE_TAG: "1"}, seconds_ago=3600)
        assert await secrets.get("key") == "first"
        asked = len(vault.requests)
        vault.rotate("key", "second")
        seconds.advance(599)
        assert await secrets.get("key") == "first"
        assert len(vault.requests) == asked
        seconds.advance(1)
        assert await secrets.get("key") == "second"
        assert await secrets.set_if_absent("key", "ours") == "second"

    async def test_the_newest_of_several_holds_and_a_disabled_one_does_not(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.store("key", "first", {FIRST_VALUE_TAG: "1"}, seconds_ago=30)
        vault.store("key", "second", {}, seconds_ago=20)
        vault.store("key", "third", {}, seconds_ago=10)
        vault.store("key", "fourth", {}).enabled = False
        assert await secrets.get("key") == "third"


class TestReplacing:
    async def test_another_process_that_replaces_it_at_the_same_time_is_noticed(self, vault: KeyVaultServer) -> None:
        """Both look before either has stored."""
        vault.rotate("key", "first")
        processes = [connect(vault) for _ in range(2)]
        vault.let_meet(2)
        outcomes = await asyncio.gather(
            *(secrets.replace("key", f"of {number}", expected="first") for number, secrets in enumerate(processes)),
            return_exceptions=True,
        )
        # Of one second, a value is stored again until it stands, so there may be more versions than values.
        assert {version.value for version in vault.secrets["key"]} == {"first", "of 0", "of 1"}
        (number,) = (number for number, outcome in enumerate(outcomes) if outcome is None)
        assert isinstance(outcomes[1 - number], ConflictError)
        assert {await connected.get("key") for connected in processes} == {f"of {number}"}
        for connected in processes:
            await connected.close()

    async def test_of_the_same_second_the_value_before_does_not_stay(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        """Two versions of one second are ordered by their ids.

        That of the value before is the highest.
        """

        def store_in_the_same_second() -> None:
            first = vault.store("key", "first", {})
            first.id = "f" * 32

        vault.store("key", "first", {}, seconds_ago=60)
        vault.before_storing = store_in_the_same_second
        await secrets.replace("key", "second", expected="first")
        assert await secrets.get("key") == "second"

    async def test_what_is_kept_from_before_is_not_taken_for_current(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.store("key", "first", {}, seconds_ago=60)
        assert await secrets.get("key") == "first"
        vault.store("key", "second", {}, seconds_ago=30)
        with pytest.raises(ConflictError):
            await secrets.replace("key", "third", expected="first")
        assert [version.value for version in vault.secrets["key"]] == ["first", "second"]

    async def test_without_the_right_to_set(self, vault: KeyVaultServer, secrets: KeyVaultSecrets) -> None:
        vault.rotate("key", "first")
        vault.may_set = False
        with pytest.raises(NotAllowedError):
            await secrets.replace("key", "second", expected="first")
        assert await secrets.get("key") == "first"


class TestAVaultThatFails:
    async def test_throttling_is_waited_out_as_long_as_it_asks(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.rotate("key", "value")
        vault.failures.append(Failure(429, retry_after=1))
        began = time.monotonic()
        assert await secrets.get("key") == "value"
        assert time.monotonic() - began >= 1

    async def test_a_long_wait_is_left_to_the_caller(self, vault: KeyVaultServer, secrets: KeyVaultSecrets) -> None:
        vault.rotate("key", "value")
        vault.failures.append(Failure(429, retry_after=20))
        with pytest.raises(UnavailableError) as raised:
            await secrets.get("key")
        assert raised.value.retry_after == 20
        assert await secrets.get("key") == "value"

    @pytest.mark.parametrize("failure", [Failure(500), Failure(503), Failure(429), DROP])
    async def test_what_passes_is_repeated(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets, failure: Failure
    ) -> None:
        vault.rotate("key", "value")
        vault.failures.extend([failure, failure])
        assert await secrets.get("key") == "value"

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refusal_of_this_identity_is_told_apart(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets, status: int
    ) -> None:
        vault.rotate("key", "value")
        vault.failures.append(Failure(status))
        with pytest.raises(NotAllowedError):
            await secrets.get("key")
        assert await secrets.get("key") == "value"

    async def test_what_does_not_pass_is_an_outage(self, vault: KeyVaultServer, secrets: KeyVaultSecrets) -> None:
        vault.is_down = True
        with pytest.raises(UnavailableError) as raised:
            await secrets.get("key")
        assert raised.value.retry_after >= 1
        with pytest.raises(UnavailableError) as raised:
            await secrets.set_if_absent("key", "value")
        assert not isinstance(raised.value, NotAllowedError)
        vault.is_down = False
        assert await secrets.set_if_absent("key", "value") == "value"

    async def test_an_answer_that_was_lost_does_not_set_a_second_value(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets
    ) -> None:
        vault.failures.extend([Failure(503), DROP])
        assert await secrets.set_if_absent("key", "value") == "value"
        assert {version.value for version in vault.secrets["key"]} == {"value"}

    async def test_a_value_that_is_known_serves_for_an_hour(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets, seconds: SettableSeconds
    ) -> None:
        vault.rotate("key", "value")
        assert await secrets.get("key") == "value"
        vault.is_down = True
        seconds.advance(600)
        assert await secrets.get("key") == "value"
        asked = len(vault.requests)
        seconds.advance(14)
        assert await secrets.get("key") == "value"
        assert len(vault.requests) == asked  # a vault in trouble is not asked at each call
        seconds.advance(3600 - 614 - 5)
        assert await secrets.get("key") == "value"
        seconds.advance(5)  # less than what a vault in trouble is usually left alone
        with pytest.raises(UnavailableError):
            await secrets.get("key")
        vault.is_down = False
        assert await secrets.get("key") == "value"

    async def test_a_secret_that_was_deleted_is_gone_when_the_kept_value_is_old(
        self, vault: KeyVaultServer, secrets: KeyVaultSecrets, seconds: SettableSeconds
    ) -> None:
        vault.rotate("key", "value")
        assert await secrets.get("key") == "value"
        del vault.secrets["key"]
        seconds.advance(600)
        with pytest.raises(NotFoundError):
            await secrets.get("key")


async def test_no_value_and_no_token_is_in_any_log(
    vault: KeyVaultServer, secrets: KeyVaultSecrets, seconds: SettableSeconds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "xyra", "asyncio", "aiohttp"):
        caplog.set_level(logging.DEBUG, logger=name)
    vault.is_down = True
    with pytest.raises(UnavailableError):
        await secrets.set_if_absent("key", "hush-first")
    vault.is_down = False
    vault.failures.extend([Failure(500), DROP])
    assert await secrets.set_if_absent("key", "hush-first") == "hush-first"
    vault.rotate("key", "hush-second")
    seconds.advance(600)
    assert await secrets.get("key") == "hush-second"
    vault.is_down = True
    seconds.advance(600)
    assert await secrets.get("key") == "hush-second"
    seconds.advance(3600)
    with pytest.raises(UnavailableError):
        await secrets.get("key")
    logged = "\n".join(f"{record.getMessage()} {record.exc_text or ''} {record.__dict__}" for record in caplog.records)
    assert "secrets/key" in logged  # the requests were logged
    assert "xyra.key_vault" in logged
    assert "hush" not in logged
    assert TOKEN not in logged
