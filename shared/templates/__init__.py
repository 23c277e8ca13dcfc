"""What ships with Xyra to start from."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def billing_model_templates() -> list[dict[str, Any]]:
    """Billing models, each valid as the body of `POST /billing-models`, with the `id` of the template besides."""
    paths = sorted((_HERE / "billing_models").glob("*.json"))
    return [{"id": path.stem, **json.loads(path.read_text())} for path in paths]
