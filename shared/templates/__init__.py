"""What ships with Xyra to start from."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def billing_model_templates() -> list[dict[str, Any]]:
    """Billing models, each usable as the body of `POST /billing-models` as it is."""
    paths = sorted((_HERE / "billing_models").glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
