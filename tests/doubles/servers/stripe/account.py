"""The objects of one mode of the account: made, found, listed, expanded; each change is an event."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from tests.doubles.servers.stripe.description import Description
from tests.doubles.servers.stripe.refusals import Json, invalid, invalid_form, missing

ACCOUNT_ID = "acct_1Double"
SEARCH_LAG_SECONDS = 60

PREFIXES = {
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "charge": "ch",
    "checkout.session": "cs",
    "billing_portal.session": "bps",
    "refund": "re",
    "dispute": "dp",
    "balance_transaction": "txn",
    "event": "evt",
    "webhook_endpoint": "we",
}
_EXPANDABLE = {prefix: kind for kind, prefix in PREFIXES.items()}
_WITHOUT_MODE = {"refund", "balance_transaction"}


class Mode:
    """Test or live: nothing of one is seen in the other."""

    def __init__(self, described: Description, *, livemode: bool, now: Callable[[], int]) -> None:
        self.described, self.livemode, self.now = described, livemode, now
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in PREFIXES}
        self.behaviours: dict[str, str] = {}
        """What becomes of a charge, by payment method; see `intents`."""
        self.intent_forms: dict[str, Json] = {}
        """What the intent of a session is made of, once its customer pays."""
        self.on_event: Callable[[Json], None] = lambda _: None
        self._count = 0

    def new_id(self, kind: str) -> str:
        self._count += 1
        mode = "live" if self.livemode else "test"
        name = f"{self._count:06d}Double"
        return f"cs_{mode}_{name}" if kind == "checkout.session" else f"{PREFIXES[kind]}_{mode[0]}{name}"

    def make(self, kind: str, **fields: object) -> Json:
        made = self.described.blank(kind) | {"id": self.new_id(kind), "created": self.now()}
        if kind not in _WITHOUT_MODE:
            made["livemode"] = self.livemode
        made |= fields
        self.objects[kind][made["id"]] = made
        return made

    def get(self, kind: str, object_id: str, param: str) -> Json:
        found = self.objects[kind].get(object_id)
        if found is None:
            raise missing(kind, object_id, param)
        return found

    def of(self, kind: str) -> list[Json]:
        """All of a kind, newest first."""
        return list(reversed(self.objects[kind].values()))

    def listed(self, kind: str, form: Json, url: str, **wanted: str) -> Json:
        """A page. `wanted` names the fields that the form's parameters of the same name are compared with."""
        found = [each for each in self.of(kind) if not each.get("deleted")]
        for parameter, field in wanted.items():
            if parameter in form:
                found = [each for each in found if each[field] == form[parameter]]
        found = [each for each in found if _is_created_in(each["created"], form.get("created"))]
        return self._page(found, form, url)

    def _page(self, found: list[Json], form: Json, url: str) -> Json:
        limit = form.get("limit", 10)
        if not 1 <= limit <= 100:
            raise invalid_form("This value must be between 1 and 100", "parameter_invalid_integer", "limit")
        ids = [each["id"] for each in found]
        if after := form.get("starting_after"):
            if after not in ids:
                raise invalid(f"No such object: '{after}'", code="resource_missing", param="starting_after")
            found = found[ids.index(after) + 1 :]
        page = copy.deepcopy(found[:limit])
        for each in page:
            self.expand(each, [path.removeprefix("data.") for path in form.get("expand", ())])
        return {"object": "list", "url": url, "has_more": len(found) > limit, "data": page}

    def searched(self, kind: str, form: Json, url: str) -> Json:
        """By metadata, and late: what was made in the last minute is not found."""
        field, _, text = form["query"].replace('"', "'").partition(":")
        name = field.removeprefix("metadata['").removesuffix("']")
        seen = self.now() - SEARCH_LAG_SECONDS
        found = [
            each
            for each in self.of(kind)
            if each["created"] <= seen and each["metadata"].get(name) == text.strip("'") and name != field
        ]
        page = self._page(found, form, url)
        return {**page, "object": "search_result", "next_page": None}

    def answered(self, found: Json, form: Json) -> Json:
        """A copy, with what the request wants expanded."""
        made = copy.deepcopy(found)
        self.expand(made, form.get("expand", ()))
        return made

    def expand(self, made: Json, paths: Iterable[str]) -> None:
        for path in paths:
            if path.count(".") > 3:
                raise invalid_form("You cannot expand more than 4 levels of a property", None, "expand")
            self._expand(made, path)

    def _expand(self, made: Json, path: str) -> None:
        name, _, rest = path.partition(".")
        if name not in made:
            raise invalid_form(f"This property cannot be expanded ({name}).", None, "expand")
        value = made[name]
        if isinstance(value, str):
            kind = _EXPANDABLE.get(value.partition("_")[0])
            if kind is None:
                raise invalid_form(f"This property cannot be expanded ({name}).", None, "expand")
            made[name] = value = copy.deepcopy(self.get(kind, value, name))
        if rest and isinstance(value, dict):
            self._expand(value, rest)

    def emit(self, kind: str, changed: Json) -> Json:
        """An event with the object as it is now."""
        event = self.make(
            "event",
            api_version=self.described.version,
            data={"object": copy.deepcopy(changed)},
            type=kind,
            pending_webhooks=0,
            request={"id": None, "idempotency_key": None},
        )
        self.on_event(event)
        return event


def _is_created_in(created: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        return created == int(wanted)
    bounds = {name: int(value) for name, value in wanted.items()}
    return (
        created >= bounds.get("gte", created)
        and created > bounds.get("gt", created - 1)
        and created <= bounds.get("lte", created)
        and created < bounds.get("lt", created + 1)
    )


def put_metadata(made: Json, form: Json) -> None:
    """Names are added or replaced; an empty value takes one away."""
    given = form.get("metadata")
    if given == "":
        made["metadata"] = {}
        return
    kept = {**(made.get("metadata") or {}), **(given or {})}
    made["metadata"] = {name: value for name, value in kept.items() if value != ""}
