"""Everything a service may raise. The middleware alone turns these into replies.

NullSpendError
|- BadRequest            400  InvalidJson MalformedRequest ValidationFailed InvalidKey SpendCapExceeded InvalidOrigin
|  |                          InvalidUpstream
|  `- BillingRefused         InvalidInput NoSubscription SubscriptionExists StripeValidationFailed MissingSignature
|                            SignatureInvalid NothingBought
|- Unauthenticated       401  Unauthorized
|- Refused               403  Forbidden ConfigurationError CsrfRejected MandateViolated
|- Missing               404  NotFound BudgetEntityNotFound MethodNotAllowed(405)
|- Clash                 409  LimitExceeded Conflict EventInProgress InvalidActionTransition StaleAction ActionExpired
|- Expired               410
|- Unreadable                 PayloadTooLarge(413) UnsupportedMediaType(415) MisdirectedRequest(421)
|- TooFast               429  RateLimitExceeded RateLimited
|- CallDenied            429  whatever a budget, a session, a velocity or a loop says
|- SlackWebhookError 400 502
`- Unavailable           5xx  InternalError Misconfigured WebhookProcessingError ServiceUnavailable RequestInProgress
                              UpstreamFailed BudgetUnavailable MetricsUnavailable
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nullspend_daemon.contract.codes import status_of

Path = Sequence[str | int]


class NullSpendError(Exception):
    """A reply that is no success. Subclasses name the code; the status comes from the code table."""

    code: ClassVar[str]
    commits: ClassVar[bool] = False
    """True when what the transaction wrote before raising is part of the answer and stays."""

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers = dict(headers or {})
        self.beside: dict[str, Any] = {}
        """More keys of the envelope's `error` object, beside code, message and details."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return status_of(self.code)


class BadRequest(NullSpendError):
    """The request does not fit the contract."""


class InvalidJson(BadRequest):
    code = "invalid_json"

    def __init__(self, message: str = "Request body must be valid JSON.") -> None:
        super().__init__(message)


class MalformedRequest(BadRequest):
    code = "bad_request"


class ValidationFailed(BadRequest):
    code = "validation_error"

    @classmethod
    def at(cls, path: Path, message: str) -> "ValidationFailed":
        """One issue at `path`; an empty path is a rule about the whole object."""
        return cls.of([(path, message)])

    @classmethod
    def of(cls, issues: Sequence[tuple[Path, str]]) -> "ValidationFailed":
        """All issues at once, in the contract's `details.issues` form."""
        listed = [{"path": list(path), "message": message} for path, message in issues]
        return cls("Request validation failed.", details={"issues": listed})


class InvalidKey(BadRequest):
    code = "invalid_key"


class SpendCapExceeded(BadRequest):
    code = "spend_cap_exceeded"


class InvalidOrigin(BadRequest):
    code = "invalid_origin"


class InvalidUpstream(BadRequest):
    code = "invalid_upstream"


class BillingRefused(BadRequest):
    """A billing request that does not fit what the organization has, or what Stripe says of it."""


class InvalidInput(BillingRefused):
    code = "invalid_input"


class NoSubscription(BillingRefused):
    code = "no_subscription"


class SubscriptionExists(BillingRefused):
    code = "subscription_exists"


class StripeValidationFailed(BillingRefused):
    code = "stripe_validation_failed"


class MissingSignature(BillingRefused):
    code = "missing_signature"


class SignatureInvalid(BillingRefused):
    code = "signature_invalid"


class NothingBought(BillingRefused):
    """A checkout session without a subscription or a customer: of all `not_found` the one that is a 400."""

    code = "not_found"

    @property
    def status(self) -> int:
        return 400


class Unauthenticated(NullSpendError):
    code = "authentication_required"


class Unauthorized(Unauthenticated):
    """The proxy's word for it."""

    code = "unauthorized"


class Refused(NullSpendError):
    """Known caller, but not allowed."""


class Forbidden(Refused):
    code = "forbidden"


class ConfigurationError(Refused):
    code = "configuration_error"


class CsrfRejected(Refused):
    code = "csrf_rejected"


class MandateViolated(Refused):
    code = "mandate_violation"


class NotFound(NullSpendError):
    code = "not_found"


class BudgetEntityNotFound(NullSpendError):
    code = "budget_entity_not_found"


class MethodNotAllowed(NullSpendError):
    code = "method_not_allowed"


class Clash(NullSpendError):
    """The stored state does not allow it."""


class LimitExceeded(Clash):
    code = "limit_exceeded"


class Conflict(Clash):
    code = "conflict"


class EventInProgress(Clash):
    code = "event_in_progress"


class InvalidActionTransition(Clash):
    code = "invalid_action_transition"


class StaleAction(Clash):
    code = "stale_action"


class ActionExpired(Clash):
    """A decision that came too late; that the action has expired is noted in the same transaction."""

    code = "action_expired"
    commits = True


class Expired(NullSpendError):
    """What was asked for has lapsed; that it did is noted in the same transaction."""

    code = "expired"
    commits = True


class PayloadTooLarge(NullSpendError):
    code = "payload_too_large"


class UnsupportedMediaType(NullSpendError):
    code = "unsupported_media_type"


class MisdirectedRequest(NullSpendError):
    code = "misdirected_request"


class RateLimitExceeded(NullSpendError):
    code = "rate_limit_exceeded"


class RateLimited(NullSpendError):
    code = "rate_limited"


class SlackWebhookError(NullSpendError):
    """Slack did not take a message: 400 when it refused it, 502 when it failed or could not be reached."""

    code = "slack_webhook_error"

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self._refused = refused

    @property
    def status(self) -> int:
        return 400 if self._refused else 502


class CallDenied(NullSpendError):
    """A proxied call that may not be made. Each denial names its own code; all of them are 429."""

    code = "budget_exceeded"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any],
        beside: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, details=details, headers=headers)
        self.code = code  # pyright: ignore[reportAttributeAccessIssue] - the one error whose code is told
        self.beside = dict(beside)


class Unavailable(NullSpendError):
    """The server's side failed; the same request may succeed later."""


class InternalError(Unavailable):
    code = "internal_error"

    def __init__(self, message: str = "An unexpected error happened; the daemon's log has the details.") -> None:
        super().__init__(message)


class Misconfigured(Unavailable):
    """This server lacks something it needs: a setting, an extra, a key that works."""

    code = "server_error"


class WebhookProcessingError(Unavailable):
    code = "webhook_processing_error"


class ServiceUnavailable(Unavailable):
    code = "service_unavailable"

    def __init__(self, message: str, *, retry_after: int | None = 30) -> None:
        super().__init__(message, headers={} if retry_after is None else {"Retry-After": str(retry_after)})


class RequestInProgress(Unavailable):
    code = "request_in_progress"

    def __init__(self) -> None:
        super().__init__("A request with this idempotency key is still running.", headers={"Retry-After": "1"})


class UpstreamFailed(Unavailable):
    """A provider that could not be reached, or whose reply is none."""

    code = "upstream_error"

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        """The request had been sent, so that it may cost something."""


class BudgetUnavailable(Unavailable):
    """The engine cannot decide, so nothing is let through."""

    code = "budget_unavailable"

    def __init__(self, message: str = "The budgets cannot be checked right now.") -> None:
        super().__init__(message)


class MetricsUnavailable(Unavailable):
    code = "metrics_unavailable"


class StartupError(Exception):
    """The daemon cannot start. The message is a sentence for a person: what is wrong and what to do."""
