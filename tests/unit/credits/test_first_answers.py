"""What a repeated command is answered with, where the first answer was kept by an earlier version."""

import json
from datetime import UTC, datetime

from functions.credits.fields import answer_of
from functions.credits.holds import ReleaseAnswer
from shared.domain.credits.transfers import Transfer
from shared.http.replies import serialised


def test_an_answer_of_before_has_no_revision() -> None:
    kept = {"transaction_id": "txn_1", "hold_id": "hold_1", "amount": "2", "available": "10"}
    fields = {"id": "txn_1", "organization_id": "org_1", "time": datetime(2026, 11, 18, tzinfo=UTC), "answer": kept}
    shown = json.loads(serialised(ReleaseAnswer, answer_of(Transfer(type="release", **fields))))
    assert shown == {**kept, "revision": None}
    present = Transfer(type="release", **{**fields, "answer": {**kept, "revision": 7}})
    assert json.loads(serialised(ReleaseAnswer, answer_of(present)))["revision"] == 7
