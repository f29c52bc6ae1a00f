"""The events of a list that were not there the last time somebody looked."""

from nullspend_cli import filters
from nullspend_cli.filters import Filters
from nullspend_cli.live import News
from nullspend_cli.replies import Record
from nullspend_daemon.contract.clock import from_iso, to_iso

_LATE_MS = 2_000
"""How much later than its time an event of a server with many writers may appear."""


class Unseen:
    """Looks through a list of events again and again; each event comes once, the oldest first.

    What is new is read from the list, not from the stream that says that there is something: the list has the filters,
    the full records, and everything that happened while nobody was connected.
    """

    def __init__(self, wanted: Filters, first: int) -> None:
        self._wanted = wanted
        self._first = first
        self._newest: str | None = None
        self._seen: dict[str, str] = {}
        self._looked = False

    def look(self, news: News) -> list[Record]:
        """The last `first` events at the first look, then those that are new."""
        if not self._looked:
            return self._begin(news)
        since = self._newest and (self._newest if news.streamed else _earlier(self._newest))
        wanted = self._wanted._replace(span=self._wanted.span._replace(since=since or self._wanted.span.since))
        found = [event for event in filters.events(news.client, wanted) if event["id"] not in self._seen]
        self._remember(found)
        return found[::-1]

    def _begin(self, news: News) -> list[Record]:
        found: list[Record] = []
        for event in filters.events(news.client, self._wanted):
            if len(found) >= self._first and found and str(event["createdAt"]) < _earlier(str(found[0]["createdAt"])):
                break  # what shares the newest event's moment must be known, or it would pass for new
            found.append(event)
        self._looked = True
        self._remember(found)
        return found[: self._first][::-1]

    def _remember(self, newest_first: list[Record]) -> None:
        self._seen |= {str(event["id"]): str(event["createdAt"]) for event in newest_first}
        if newest_first:
            self._newest = max(self._newest or "", str(newest_first[0]["createdAt"]))
        if self._newest:
            kept_from = _earlier(self._newest)
            self._seen = {event_id: at for event_id, at in self._seen.items() if at >= kept_from}


def _earlier(iso: str) -> str:
    return to_iso(from_iso(iso) - _LATE_MS)
