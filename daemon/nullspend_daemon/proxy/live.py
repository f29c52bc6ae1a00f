"""A call in flight: what it holds, and the one way in which that ends."""

from dataclasses import dataclass, field

from nullspend_daemon.ledger.events import Stored
from nullspend_daemon.pricing.usage import Observed
from nullspend_daemon.proxy.calls import End, PricedCall
from nullspend_daemon.proxy.capture import Capture, Recording
from nullspend_daemon.proxy.settling import Settler
from nullspend_daemon.proxy.timing import Timing


@dataclass(slots=True)
class LiveCall:
    """A call that holds money, until it is settled."""

    call: PricedCall
    hold_id: str
    timing: Timing
    recording: Recording | None
    settler: Settler
    capture: Capture
    over: bool = False
    limits: dict[str, str] = field(default_factory=dict[str, str])
    request_id: str = ""
    """The provider's own id, once it has come."""

    def release(self) -> None:
        """The call costs nothing: nothing was sent, or the provider refused it."""
        if not self.over:
            self.over = True
            self.settler.release(self.hold_id)

    def settle(self, seen: Observed, *, cancelled: bool = False) -> None:
        """The call has ended, with whatever was seen of its usage."""
        if self.over:
            return
        self.over = True
        self.timing.upstream_ends()
        took, first_byte = round(self.timing.upstream), self.timing.first_byte
        end = End(
            request_id=self.request_id,
            seen=seen,
            cancelled=cancelled,
            limits=self.limits,
            duration_ms=took,
            upstream_ms=took if first_byte is None else round(first_byte),
        )
        awaits = seen.response_id if seen.usage is None and self.call.is_background else None
        self.settler.settle(self.hold_id, self.call.ended(end), awaits=awaits, after=self._keep_bodies)

    def _keep_bodies(self, stored: Stored | None) -> None:
        if stored is not None and self.recording is not None:
            self.capture.store(self.recording, self.call.key.org_id, stored.request_id)
