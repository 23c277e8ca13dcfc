"""Folders whose content is for their owner alone."""

import logging
from pathlib import Path

_OTHERS = 0o077
_log = logging.getLogger(__name__)


def make_private(folder: Path) -> None:
    """Make the folder if it is missing, and take from all others what is in it already.

    What cannot be taken, on a file system without owners for example, is one warning.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _take_from_others(folder)
        for path in folder.rglob("*"):
            if not path.is_symlink():
                _take_from_others(path)
    except OSError as error:
        _log.warning("others on this machine may read %s: %s", folder, error.strerror)


def _take_from_others(path: Path) -> None:
    try:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            path.chmod(mode & 0o7777 & ~_OTHERS)
    except FileNotFoundError:  # gone meanwhile, as SQLite's files go
        return
