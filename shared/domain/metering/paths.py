"""Paths of values in an event: `data` and the names below it.

`data.region` and `data["region"]` are one path. A name that has a point or a space in it, such as
`gen_ai.usage.input_tokens`, stands in brackets and quotes.
"""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

ROOT = "data"
MAXIMUM_NAMES = 8

_PLAIN = r"[A-Za-z0-9_:/-]{1,64}"
_QUOTED = r'[^"\\\x00-\x1f\x7f]{1,128}'
_NAME = re.compile(rf'\.({_PLAIN})|\["({_QUOTED})"\]')
_PATH = re.compile(rf'{ROOT}(\.{_PLAIN}|\["{_QUOTED}"\]){{1,{MAXIMUM_NAMES}}}')
_IS_PLAIN = re.compile(_PLAIN)


@lru_cache(maxsize=4096)
def names_in(path: str) -> tuple[str, ...]:
    """The names below `data`."""
    return tuple(plain or quoted for plain, quoted in _NAME.findall(path))


def path_of(names: tuple[str, ...]) -> str:
    """The one way in which the path of these names is stored and compared."""
    return ROOT + "".join(f".{name}" if _IS_PLAIN.fullmatch(name) else f'["{name}"]' for name in names)


def _known_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError('is not a path such as data.quantity, or data["gen_ai.system"] for a name with points')
    return path_of(names_in(path))


Path = Annotated[str, AfterValidator(_known_path)]
"""Where a value stands in an event."""
