"""Which blocks of a job are done: their part files are counted, and nothing else is believed."""

from collections.abc import Callable, Iterable


class Tally:
    """Blocks by name, with those that are still missing; `report` is told how many are done, once
    at the beginning and whenever there are more.
    """

    def __init__(
        self,
        blocks: Iterable[str],
        is_done: Callable[[str], bool],
        report: Callable[[int], None],
    ):
        self._missing = dict.fromkeys(blocks)
        self._all = len(self._missing)
        self._is_done, self._report = is_done, report
        self._take(filter(is_done, self._missing))
        report(self._all - len(self._missing))

    @property
    def missing(self) -> list[str]:
        """The blocks that have not been found to be done, in their order."""
        return list(self._missing)

    def look(self, blocks: Iterable[str] | None = None) -> None:
        """Look whether these blocks are done by now; by default all that are missing."""
        among = self._missing if blocks is None else (set(blocks) & self._missing.keys())
        if self._take(filter(self._is_done, among)):
            self._report(self._all - len(self._missing))

    def _take(self, done: Iterable[str]) -> bool:
        found = list(done)
        for block in found:
            del self._missing[block]
        return bool(found)
