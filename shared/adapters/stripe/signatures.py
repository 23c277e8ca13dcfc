"""The SDK's check of a webhook's signature, without its clock."""

from datetime import UTC, datetime

from stripe import SignatureVerificationError, WebhookSignature


def signed_at(body: bytes, header: str, secret: str) -> datetime | None:
    """When the body was signed with this secret; None where it was not.

    Age is left to the caller: the SDK looks at the system's clock, and takes times ahead.
    """
    try:
        WebhookSignature.verify_header(body, header, secret, tolerance=None)
        # The SDK signs and compares the first time that the header has; so it is the one that was verified.
        stamp = next(part[2:] for part in header.split(",") if part.startswith("t="))
        return datetime.fromtimestamp(int(stamp), UTC)
    except (SignatureVerificationError, StopIteration, ValueError, TypeError, AttributeError, OverflowError, OSError):
        return None  # what hostile headers and bodies raise; UnicodeDecodeError is a ValueError
