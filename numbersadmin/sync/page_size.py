"""How many rows a page has: as LIST_PAGE_SIZE says, or learned by asking for many and looking at what comes."""

from dataclasses import dataclass

from numbersadmin.provider.errors import BadAnswer, ProviderDown, ProviderError, Refused

DOCUMENTED = 50  # what the provider takes for certain
LARGEST = 1000


@dataclass
class PageSize:
    """The limit of the next reading. `proven`: that of the last complete list, None without one.

    A limit that is set (`learned` false) is used as it is.
    """

    limit: int
    learned: bool
    proven: int | None = None

    def lower(self, capped_at: int, error: ProviderError | None) -> bool:
        """Take a smaller limit if that is worth a new reading.

        `capped_at`: how many rows its pages had instead; `error`: what came instead of the first page.
        """
        lower = self._capped(capped_at) if capped_at else self._after(error)
        if not self.learned or lower >= self.limit:
            return False
        self.limit = lower
        return True

    def _capped(self, rows: int) -> int:
        """What the pages hold; but fewer rows than the documented number may have another reason, so ask for that."""
        return rows if self.limit <= DOCUMENTED else max(rows, DOCUMENTED)

    def _after(self, error: ProviderError | None) -> int:
        """Half of what was refused. Who does not answer at all may only be slow with a limit not tried before."""
        if isinstance(error, Refused):
            return max(self.limit // 2, DOCUMENTED)
        if isinstance(error, ProviderDown | BadAnswer) and self.limit != self.proven:
            return self.proven or DOCUMENTED
        return self.limit
