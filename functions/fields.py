"""Fields of requests and answers that several areas share."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from shared.domain.credits.amounts import PLACES
from shared.domain.kernel.money import ExactDecimal, NonNegativeAmount, round_to
from shared.domain.kernel.validation import Length, refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.provider_costs.llm_calls import MAXIMUM_TEXT, MAXIMUM_UNITS
from shared.domain.tenancy.billing_details import EInvoiceSettings, ElectronicAddress, Language, PostalAddress
from shared.domain.tenancy.organization_settings import OrganizationSettings
from shared.http import PathText, PathValues, Schema, ThingId
from shared.services.storage import Page
from shared.services.storage.caller_json import text_of_metadata

Metadata = Annotated[
    str,
    BeforeValidator(text_of_metadata, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}, description="Data of the caller's own: an object of at most 50 keys."),
]
"""Request fields for caller-owned metadata, kept as text."""

MAXIMUM_FREE_FIELDS = 1000

FreeObject = Annotated[dict[str, Any], Length(0, MAXIMUM_FREE_FIELDS)]
"""An object of any content. Its fields are counted before they are looked at."""

ObjectPatch = FreeObject | None
"""A JSON Merge Patch of an object. Further bounds apply to the merged object."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
DocumentLabel = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
"""What is printed beside a name on a document, such as the number of an order."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""An id of Xyra's, or one that the caller has chosen."""

# No control characters: an identity must be readable and unambiguous wherever it is shown.
ClientId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Expected("a string of 1 to 256 characters without control characters"),
]
"""An id that the caller chooses."""

BudgetUnit = Literal["credits", "money"]


class BudgetLimit(Schema):
    """The most that may be spent."""

    limit: NonNegativeAmount
    """In credits with at most 6 decimals, or in money."""
    unit: BudgetUnit = "credits"
    """Money is credits by what each is worth when it is spent or set aside: the `credit_value` of who pays."""

    @model_validator(mode="after")
    def _counts_in_millionths(self) -> Self:
        if self.unit == "credits" and self.limit != round_to(self.limit, PLACES):
            raise refusal((("limit",), f"has more than {PLACES} decimal places: credits are counted in millionths"))
        return self


class RunBudgetAnswer(Schema):
    id: str
    """Of the budget: refusals name it, and `GET /budgets/{id}` shows how it stands."""
    limit: ExactDecimal
    """The most that the run may spend in all."""
    unit: BudgetUnit
    """What the limit counts."""


Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$"), Expected("a month such as 2026-10")]
"""A month such as 2026-10."""

ListedItem = TypeVar("ListedItem")


class Listed(Schema, Generic[ListedItem]):
    """A page of a list."""

    data: list[ListedItem]
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""

    @model_validator(mode="before")
    @classmethod
    def _of_page(cls, content: object) -> object:
        if isinstance(content, Page):
            return {"data": content.entities, "next_cursor": content.cursor}
        return content

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """`AgentList` for a list of `AgentAnswer`."""
        return str(params[0].__name__).removesuffix("Answer").removesuffix("Listed") + "List"


class OrganizationPath(PathValues):
    organization_id: PathText
    """The organization's id, slug or external id."""


class AgentPath(PathValues):
    agent_id: Annotated[str, ThingId("agt")]
    """The agent's id."""


class AgentReferencePath(PathValues):
    agent_id: PathText
    """The agent's id or external id."""


class ProjectPath(PathValues):
    project_id: Annotated[str, ThingId("prj")]
    """The project's id."""


class DepartmentPath(PathValues):
    department_id: Annotated[str, ThingId("dep")]
    """The department's id."""


class SpanAnswer(Schema):
    """A span of time [start, end)."""

    start: datetime
    """Inclusive."""
    end: datetime
    """Exclusive."""


_LAST = BeforeValidator(lambda history: history.last)
"""The newest value of a history, which may not be in force yet."""


class OrganizationAnswer(Schema):
    id: str
    name: str
    slug: str
    """Short name, unique among all organizations; part of invoice numbers."""
    external_id: str | None
    """The caller's own id, unique among all organizations."""
    description: str | None
    billing_email: str | None
    """The address that invoices are sent to."""
    contact: str | None
    """The person to contact."""
    address: PostalAddress | None
    """As invoices show it."""
    tax_id: str | None
    """As invoices show it."""
    language: Language
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: ElectronicAddress | None
    """Where electronic invoices are delivered."""
    buyer_reference: str | None
    """What it asks to be written on its invoices."""
    e_invoice: EInvoiceSettings | None
    """How it takes electronic invoices; null where it takes none."""
    currency: str
    """ISO 4217 code. It never changes."""
    timezone: str
    """IANA name. Billing periods are calendar months there."""
    billing_mode: str
    """`postpaid`: usage is invoiced after each period. `prepaid`: it is drawn from the credits as it happens."""
    credit_value: ExactDecimal | None
    """What one credit is worth, in the organization's currency."""
    credit_values: dict[str, ExactDecimal]
    """What one credit of other kinds than `default` is worth, by kind."""
    billing_mode_from: datetime | None
    """Since when, or from when on, this mode and value hold; null for the first ones. A period keeps its own."""
    status: str
    settings: OrganizationSettings
    """What the operator allows the organization."""
    due_days: int
    """Days from the issue of an invoice until it is due."""
    grace_hours: int
    """Hours from a period's end until its invoice is issued."""
    late_window_days: int
    """Days after which an event is too old to be accepted."""
    shard_count: Annotated[int, _LAST] = Field(validation_alias="shard_counts")
    """The number of store partitions for the organization's usage."""
    seats: Annotated[int, _LAST]
    """The number of seats that seat charges bill, from `seats_from` on."""
    seats_from: datetime | None
    """Null where the number never changed."""
    livemode: bool
    """False where it only tries Xyra out. It never changes."""
    created_at: datetime
    ended_at: datetime | None
    """When it was deleted. Usage until then is still invoiced."""


TokenCount = Annotated[int, Field(ge=0, lt=10**15, strict=True)]
ShortText = Annotated[str, StringConstraints(max_length=MAXIMUM_TEXT)]
UnitCounts = Annotated[dict[str, Any], Length(0, MAXIMUM_UNITS)]


class LlmUsage(Schema):
    """What an LLM call used. `usage` may take the place of all counts."""

    input_tokens: TokenCount | None = None
    """Including the cached ones."""
    cached_input_tokens: TokenCount | None = None
    """Those of the input that the provider had in its cache."""
    output_tokens: TokenCount | None = None
    """Including the reasoning ones."""
    reasoning_tokens: TokenCount | None = None
    """Those of the output that were spent on reasoning."""
    total_tokens: TokenCount | None = None
    """Input and output; tells whether the output includes the reasoning."""
    cache_write_tokens: TokenCount | None = None
    """Those of the input that the provider wrote to its cache."""
    cache_write_1h_tokens: TokenCount | None = None
    """Those of the written ones that it keeps for an hour."""
    units: UnitCounts | None = None
    """All other units, by the price list's names: `{"input_audio_tokens": 400, "web_searches": 2}`."""
    usage: FreeObject | None = None
    """The provider's own usage object, in place of counts."""
    api: ShortText | None = None
    """Which API of the provider sent `usage`, where it has several."""
    service_tier: ShortText | None = None
    """`standard` (the default), `batch`, `flex`, `priority` or another one of the provider's."""
    byok: bool | None = None
    """Whether the call was made with the customer's own key, so that it costs the operator nothing."""
