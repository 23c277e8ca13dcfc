"""Each call to store and queue fails once in each way, on every declared path.

After redelivery totals and documents are exact, and the audit trail tells each change once. Each path is walked twice,
by two hosts.
"""

import logging
import random
from collections.abc import Hashable

import pytest

from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.fault_in_turn import STALENESS, Fault, Script
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.worlds.invoiced_organization import Scene
from tests.faults.in_turn.audit import assert_each_change_is_told_once
from tests.faults.in_turn.declared import PATHS, DeclaredPath
from tests.faults.in_turn.path import Path, Result, until_done

DISTURBING = {*STALENESS, Fault.OTHER_MEANWHILE}


@pytest.mark.parametrize("declared", PATHS, ids=lambda declared: declared.name)
def test_whatever_call_fails_in_whatever_way_the_result_is_exact(
    declared: DeclaredPath, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL, "shared")  # to format a thousand warnings takes most of the time
    hash_quickly(monkeypatch)  # as well
    random.seed(1)  # jitter
    scene = virtual_time.run(prepared(declared.path))
    known: dict[Hashable, Result] = {}

    def played(script: Script) -> Result:
        return virtual_time.run(walked(declared.path(scene.copy()), script, known))

    unharmed = Script()
    expected = played(unharmed)
    cases = [
        (number, call, fault)
        for number, (call, possible) in enumerate(unharmed.calls, 1)
        for fault in Fault
        if fault in possible
    ]
    wrong: list[str] = []
    for number, call, fault in cases:
        case = f"{fault.name} at call {number}, {call}"
        try:
            result = played(Script(number, fault))
        except Exception as error:  # noqa: BLE001  all cases are tried
            wrong.append(f"{case}: {error!r}")
            continue
        if result.exact != expected.exact:
            wrong.append(f"{case}: {result.exact}")
        elif fault not in DISTURBING and result.undisturbed != expected.undisturbed:
            wrong.append(f"{case}: {result.undisturbed}")
    print(f"{declared.name}: {len(unharmed.calls)} calls, {len(cases)} cases, {len(known)} ends, {len(wrong)} wrong")  # noqa: T201  figures
    assert not wrong, "\n".join(wrong)


async def prepared(path: type[Path]) -> Scene:
    scene = await Scene.prepared()
    await path(scene).prepare()
    return scene


async def walked(path: Path, script: Script, known: dict[Hashable, Result]) -> Result:
    """Walk twice, by two hosts.

    The first seems to have died before it could say that it was done. Most faults leave no trace. Where all is stored
    as in an earlier case, so is the result, which is `known` then.
    """

    async def meanwhile(fault: Fault) -> None:
        another = path.scene.host()
        await (until_done(path, another) if fault is Fault.SAME_MEANWHILE else path.do_other(another))

    script.meanwhile = meanwhile
    for host in (path.scene.host(script), path.scene.host(script)):
        await until_done(path, host)
    kept_by_client = repr({name: value for name, value in vars(path).items() if value is not path.scene})
    state = (path.scene.state(), kept_by_client)
    if state not in known:
        known[state] = await path.result()
        await assert_each_change_is_told_once(path.scene)
    return known[state]
