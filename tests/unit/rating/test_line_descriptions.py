"""What a line is for, in words."""

import pytest

from tests.doubles.worlds.calculated_usage import AGENTS, PLATFORM, SEATS, activity, calculated, valued


@pytest.mark.parametrize(
    ("charge", "description"),
    [
        (PLATFORM | {"interval": "year"}, "Platform (fee per year)"),
        ({"key": "set-up", "type": "setup_fee", "amount": "1"}, "Set up (once)"),
        (AGENTS | {"tier": "professional"}, "Agents (per agent and month, professional)"),
        (SEATS, "Seats (per seat and month)"),
        (activity("shell_commands"), "Shell commands (per command)"),
        (
            activity(
                "input",
                meter={
                    "event_type": "llm_call",
                    "aggregation": "sum",
                    "value": "data.input_tokens",
                    "unit": {"divide_by": "1000000"},
                },
            ),
            "Input (per 1,000,000 input tokens)",
        ),
        (
            activity("users", meter={"event_type": "chat", "aggregation": "unique", "value": "data.user_id"}),
            "Users (per distinct user id)",
        ),
        (valued("percentage"), "Percentage (by the value of order events)"),
        (
            {
                "key": "llm",
                "type": "cost",
                "categories": ["llm", "api"],
                "markup_percent": "12.5",
            },
            "Llm (llm, api costs plus 12.5 %)",
        ),
        ({"key": "all", "type": "cost"}, "All (all costs)"),
        (
            {
                "key": "tickets",
                "type": "outcome",
                "meter": {"event_type": "outcome.ticket_resolved"},
                "pricing": {"type": "per_unit", "unit_amount": "1"},
            },
            "Tickets (per ticket_resolved outcome)",
        ),
    ],
)
def test_a_line_says_in_words_what_it_is_for(charge, description):
    (line,) = calculated([charge]).lines
    assert line.description == description
