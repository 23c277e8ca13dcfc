"""Where things of the checkout lie."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
DEMO_DATA = ROOT / "local" / "demo" / "data"
