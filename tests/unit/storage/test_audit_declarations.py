"""Every kind of entity says what the audit trail tells of it, and nothing that is secret can get onto it."""

import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import SecretBytes, SecretStr

import shared.domain
import shared.services
from shared.domain.kernel.audit import Audit, Audited, NotAudited
from shared.domain.kernel.entity import Entity
from shared.services.storage.audit.differences import SECRET, difference

SOUNDS_SECRET = re.compile(r"secret|password|token|fingerprint|hash(?!es_)|recovery|credential|private")
NO_SECRET = {
    "Invoice.lines_hash",
    "CreditNote.lines_hash",
    "Organization.password_allowed",
    "IdentityProvider.password_allowed",
}
"""Literally, so that nothing is shown by accident: fields that sound secret and are not."""


def kinds_below(cls: type[Entity]) -> Iterator[type[Entity]]:
    for each in cls.__subclasses__():
        if "kind" in vars(each) and each.__module__.startswith("shared."):
            yield each
        yield from kinds_below(each)


def all_kinds() -> list[type[Entity]]:
    for package in (shared.domain, shared.services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return sorted(set(kinds_below(Entity)), key=lambda cls: cls.__name__)


KINDS = all_kinds()
AUDITED = [kind for kind in KINDS if isinstance(kind.audit, Audited)]
WITH_SECRETS = [kind for kind in AUDITED if isinstance(kind.audit, Audited) and kind.audit.secret]


def test_every_kind_of_entity_declares_what_the_trail_tells_of_it() -> None:
    undeclared = [f"{kind.__module__}.{kind.__name__}" for kind in KINDS if kind.audit is None]
    assert undeclared == [], (
        "Declare `audit: ClassVar[Audit]` beside `kind`: `Audited(area=...)` where its changes are changes of money, "
        "access or configuration, else FOLLOWS, BOOKKEEPING or OWN_TRAIL of shared/domain/kernel/audit.py"
    )


def test_an_undeclared_kind_is_found() -> None:
    class Planted(Entity):
        kind: ClassVar[str] = "planted"

    assert Planted.audit is None
    assert len(KINDS) > 40


@pytest.mark.parametrize("kind", AUDITED, ids=lambda kind: kind.__name__)
def test_every_field_that_sounds_secret_is_declared_secret(kind: type[Entity]) -> None:
    assert isinstance(kind.audit, Audited)
    sounding = {name for name in kind.model_fields if SOUNDS_SECRET.search(name)}
    typed = {name for name, field in kind.model_fields.items() if {SecretStr, SecretBytes} & types_in(field.annotation)}
    kept_back = kind.audit.secret | kind.audit.ignored | {name.partition(".")[2] for name in NO_SECRET}
    assert sounding | typed <= kept_back
    declared = kind.audit.secret | kind.audit.ignored | {path.split(".")[0] for path in kind.audit.personal}
    unknown = declared - kind.model_fields.keys()
    assert unknown == set()


def types_in(annotation: Any) -> set[Any]:
    return {annotation}.union(*(types_in(each) for each in getattr(annotation, "__args__", ())))


@pytest.mark.parametrize(
    "kind",
    [kind for kind in AUDITED if isinstance(kind.audit, Audited) and kind.audit.secret],
    ids=lambda kind: kind.kind,
)
def test_no_value_of_a_secret_field_is_shown(kind: type[Entity]) -> None:
    rule = kind.audit
    assert isinstance(rule, Audited)
    before = kind.model_construct(id="one", **dict.fromkeys(rule.secret, "canary-1"))
    after = kind.model_construct(id="one", **dict.fromkeys(rule.secret, "canary-2"))
    for one, other in ((None, after), (before, after), (before, None)):
        with warnings.catch_warnings(action="ignore"):  # the canaries are not of the fields' types
            differs = difference(rule, one, other)
        assert differs is not None
        assert "canary" not in str(differs)
        for side in (differs.before, differs.after):
            assert side is None or {side[field] for field in rule.secret} == {SECRET}


def test_what_is_not_audited_has_a_reason() -> None:
    assert all(kind.audit.reason for kind in KINDS if isinstance(kind.audit, NotAudited))


def test_money_access_and_configuration_are_audited() -> None:
    """Literally, so that nothing leaves the trail by accident."""
    audits: dict[str, Audit | None] = {kind.__name__: kind.audit for kind in KINDS}
    for name in (
        *("Organization", "SlugClaim", "Project", "Department", "Agent"),
        *("Membership", "Account", "AddressClaim", "Session", "ApiKey"),
        *("BillingModel", "Version", "PriceOverride", "ExchangeRate", "ModelAlias"),
        *("Invoice", "CreditNote"),
    ):
        assert isinstance(audits[name], Audited), name
