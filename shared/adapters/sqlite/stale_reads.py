"""Stale reads, for tests: the version before a document's last write, as from a lagging replica."""

import random
from collections.abc import Iterable, Mapping

from shared.ports.store import Item


class StaleReads:
    def __init__(self, choices: random.Random) -> None:
        self._choices = choices
        self._before: dict[tuple[str, str, str], Item | None] = {}

    def written(self, container: str, pk: str, before: Mapping[str, Item | None]) -> None:
        """Remember the documents as they were before a committed write."""
        for id_, item in before.items():
            self._before[container, pk, id_] = item

    def instead(self, container: str, pk: str, ids: Iterable[str], found: Mapping[str, Item]) -> dict[str, Item]:
        """The documents found, some of them replaced by the version before."""
        answer = {id_: self._one(container, pk, id_, found.get(id_)) for id_ in ids}
        return {id_: item for id_, item in answer.items() if item is not None}

    def _one(self, container: str, pk: str, id_: str, item: Item | None) -> Item | None:
        return self._before.get((container, pk, id_), item) if self._choices.random() < 0.5 else item  # noqa: PLR2004  a coin
