"""What a new password has to be: long, hard to guess, and none of the last five."""

import math
from collections.abc import Iterable

from shared.domain.kernel.errors import ValidationError

MINIMUM_PASSWORD = 14
MAXIMUM_PASSWORD = 256
MINIMUM_SCORE = 3
"""Of zxcvbn's 0 to 4: safe from guesses even where the hashes are stolen."""
REMEMBERED = 5
"""How many passwords may not be used again, the present one among them."""

_ESTIMATED = 50
"""Characters that are looked at: the time that it takes grows with the square."""
_MOST_READINGS = 64
"""Ways in which digits and signs may be read as letters; each is looked at."""
_MOST_HINTS = 20
_LONGEST_HINT = 64


def check_strength(password: str, *, email: str, full_name: str, pointer: str = "/password") -> None:
    """Raises `ValidationError` for a password that is too short, too long or too easy to guess.

    It takes at most about 0.2 s, whatever the password. A long one is judged by its beginning, so it may be refused
    although its end would make it strong, but never the other way round.
    """
    if len(password) < MINIMUM_PASSWORD:
        raise ValidationError.at(pointer, f"is shorter than {MINIMUM_PASSWORD} characters")
    if len(password) > MAXIMUM_PASSWORD:
        raise ValidationError.at(pointer, f"is longer than {MAXIMUM_PASSWORD} characters")
    # Here, because its word lists take 0.1 s to load and most calls need none.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    if zxcvbn(_beginning(password), user_inputs=_hints(email, full_name))["score"] < MINIMUM_SCORE:
        raise ValidationError.at(
            pointer,
            "is too easy to guess: take four or more words that do not belong together, and neither your name nor "
            "your address",
        )


def remembered_hashes(present: str | None, earlier: Iterable[str]) -> tuple[str, ...]:
    """The hashes of the passwords that may not be used again, the newest first."""
    hashes = [] if present is None else [present]
    return (*hashes, *earlier)[:REMEMBERED]


def _hints(email: str, full_name: str) -> list[str]:
    """What others know of the user, as a whole and in parts."""
    parts = [email, full_name, "".join(full_name.split()), *email.replace("@", ".").split("."), *full_name.split()]
    return [part[:_LONGEST_HINT] for part in dict.fromkeys(parts) if part][:_MOST_HINTS]


def _beginning(password: str) -> str:
    """As much of it as is looked at."""
    end = min(len(password), _ESTIMATED)
    while _readings(password[:end]) > _MOST_READINGS:
        end -= 1
    return password[:end]


def _readings(text: str) -> int:
    """In how many ways zxcvbn at most reads the digits and signs of a text as letters."""
    from zxcvbn.matching import L33T_TABLE  # noqa: PLC0415  as above

    present = [[sign for sign in signs if sign in text] for signs in L33T_TABLE.values()]
    letters_of = {sign: sum(sign in signs for signs in present) for signs in present for sign in signs}
    return math.prod(sum(letters_of[sign] for sign in signs) for signs in present if signs)
