"""The keys with which pages load Stripe.js: one for each mode."""


class PublishableKeys:
    def __init__(self, setting: str) -> None:
        """One or two, separated by a comma, as `XYRA_STRIPE_PUBLISHABLE_KEY` has them."""
        self._keys = [key.strip() for key in setting.split(",") if key.strip()]

    def of(self, *, livemode: bool) -> str | None:
        """None where none of this mode is set."""
        begin = "pk_live_" if livemode else "pk_test_"
        return next((key for key in self._keys if key.startswith(begin)), None)
