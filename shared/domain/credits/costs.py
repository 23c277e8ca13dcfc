"""What an action of an agent type costs in credits, where the caller names no amount."""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.credits.amounts import rounded
from shared.domain.kernel.money import EXACT

DEFAULT_COST = Decimal(1)
"""Of an action that no table names."""

DEFAULT_COSTS: Mapping[tuple[str, str], Decimal] = {
    ("ContentAgent", "generate_content"): Decimal(1),
    ("ContentAgent", "generate_instagram_reel"): Decimal(5),
    ("VisualPostAgent", "create_visual_post"): Decimal(2),
    ("VoiceAgent", "generate_voice"): Decimal(2),
    ("VideoAgent", "generate_video"): Decimal(10),
    ("ResearchAgent", "research_topic"): Decimal(1),
    ("QAAgent", "answer_question"): Decimal("0.5"),
    ("WorkflowAgent", "execute_workflow"): Decimal(3),
    ("XPostGeneratorAgent", "generate_post"): Decimal(1),
    ("XSchedulerAgent", "schedule_post"): Decimal("0.5"),
    ("ThreadsAnalysisAgent", "analyze_trends"): Decimal(2),
    ("InstagramAnalyzerAgent", "analyze_profile"): Decimal(3),
    ("BackgroundVideoAgent", "generate_background"): Decimal(5),
    ("AppTestingAgent", "run_test"): Decimal(2),
    ("AffirmationsAgent", "generate_affirmation"): Decimal("0.5"),
    ("ImageSearchAgent", "search_images"): Decimal(1),
}


def price(cost: Decimal, quantity: Decimal) -> Decimal:
    """Cost times quantity, rounded half up to six places."""
    return rounded(EXACT.multiply(cost, quantity))
