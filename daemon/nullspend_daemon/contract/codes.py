"""Every error code of the API: its HTTP statuses, what it means, and what a person does next.

This one table feeds the exception classes, the OpenAPI document, docs/errors.md and the command's sentences.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One error code. `statuses`: the usual HTTP status first; `next`: what to run or do, empty when nothing helps."""

    statuses: tuple[int, ...]
    meaning: str
    next: str = ""


CODES: dict[str, Code] = {
    # A request that cannot be read or does not fit its schema.
    "invalid_json": Code((400,), "The body is empty or is not JSON.", "Send a JSON object as the body."),
    "validation_error": Code(
        (400,), "A value is missing or wrong; details.issues names each one.", "Correct the named fields."
    ),
    "invalid_key": Code((400,), "The key in the path is unsafe or malformed.", "nullspend keys list"),
    "spend_cap_exceeded": Code((400,), "The amount is above the plan's spend cap.", "nullspend billing get"),
    "invalid_origin": Code((400,), "The Origin or Referer header cannot be read."),
    "invalid_input": Code((400,), "The billing request names something that does not exist.", "nullspend billing get"),
    "stripe_validation_failed": Code(
        (400,), "Stripe refused the key.", "Check the restricted key in Stripe's dashboard."
    ),
    "no_subscription": Code((400,), "The organization has no subscription.", "nullspend billing checkout"),
    "subscription_exists": Code((400,), "The organization has a subscription already.", "nullspend billing portal"),
    "missing_signature": Code((400,), "The webhook call carries no signature."),
    "signature_invalid": Code((400,), "The webhook call's signature does not match."),
    "slack_webhook_error": Code(
        (400, 502), "Slack refused the message or could not be reached.", "nullspend slack set"
    ),
    "bad_request": Code((400,), "The proxied request cannot be read.", "Send a JSON object the provider would accept."),
    "invalid_model": Code((400,), "The model is not known.", "nullspend prices list"),
    "invalid_upstream": Code((400,), "The named upstream is not allowed.", "nullspend daemon run --upstream NAME=URL"),
    # Who is asking.
    "authentication_required": Code((401,), "There is no valid API key or session.", "nullspend auth status"),
    "unauthorized": Code((401,), "The proxied request carries no valid NullSpend key.", "nullspend keys list"),
    "forbidden": Code((403,), "The caller may not do this.", "nullspend auth status"),
    "configuration_error": Code((403,), "The API key belongs to no organization.", "nullspend keys create NAME"),
    "csrf_rejected": Code((403,), "The request comes from another site's page."),
    "mandate_violation": Code((403,), "The key does not allow this provider or model.", "nullspend keys get KEY"),
    # What is there.
    "not_found": Code(
        (404, 400), "There is no such object in this organization.", "Use the list command of the same noun."
    ),
    "budget_entity_not_found": Code((404,), "The budget to increase does not exist.", "nullspend budgets list"),
    "method_not_allowed": Code((405,), "The path exists, this method does not."),
    "limit_exceeded": Code((409,), "The plan allows no more of these.", "nullspend billing get"),
    "invalid_action_transition": Code(
        (409,), "The action is not in a state that allows this.", "nullspend actions get ID"
    ),
    "stale_action": Code((409,), "The action changed at the same moment.", "Try again."),
    "action_expired": Code((409,), "The action has expired and cannot be decided.", "nullspend actions list"),
    "conflict": Code((409,), "Something with that name or state is there already."),
    "event_in_progress": Code((409,), "The event is being processed right now.", "Try again."),
    "expired": Code((410,), "The invitation has expired.", "nullspend invites create EMAIL"),
    "payload_too_large": Code((413,), "The body is larger than the limit.", "Send less, or in several requests."),
    "unsupported_media_type": Code((415,), "The content type is not JSON.", "Send Content-Type: application/json."),
    "misdirected_request": Code(
        (421,),
        "The Host header names neither this machine nor an allowed name.",
        "nullspend daemon run --allow-host NAME",
    ),
    # Too fast.
    "rate_limit_exceeded": Code((429,), "Too many API requests in a minute.", "Wait as long as Retry-After says."),
    "rate_limited": Code((429,), "Too many requests in a minute.", "Wait as long as Retry-After says."),
    # Denied before any money was spent.
    "budget_exceeded": Code((429,), "A budget has too little left for this call.", "nullspend budgets list"),
    "customer_budget_exceeded": Code((429,), "The customer's budget has too little left.", "nullspend budgets list"),
    "tag_budget_exceeded": Code((429,), "A tag's budget has too little left.", "nullspend budgets list"),
    "velocity_exceeded": Code(
        (429,), "Money is being spent faster than the velocity limit allows.", "nullspend budgets velocity"
    ),
    "session_limit_exceeded": Code((429,), "The session has reached its spend limit.", "nullspend budgets list"),
    "loop_detected": Code((429,), "The same call is being repeated.", "nullspend daemon run --loop-max-calls N"),
    "plan_limit_exceeded": Code((429,), "The plan's request count is used up.", "nullspend billing get"),
    # The server's side.
    "internal_error": Code((500,), "Something unexpected happened in the server.", "nullspend daemon logs"),
    "server_error": Code((500,), "The server lacks a setting it needs for this.", "nullspend daemon logs"),
    "webhook_processing_error": Code((500,), "The event could not be processed and will be retried."),
    "upstream_error": Code((502,), "The provider could not be reached or answered nothing usable.", "Try again."),
    "metrics_unavailable": Code((503,), "The metrics cannot be read right now.", "Try again."),
    "service_unavailable": Code((503,), "The store cannot answer right now.", "nullspend daemon logs"),
    "request_in_progress": Code((503,), "A request with the same idempotency key is still running.", "Try again."),
    "budget_unavailable": Code(
        (503,), "The budgets cannot be checked, so nothing is let through.", "nullspend daemon logs"
    ),
}


def status_of(code: str) -> int:
    """The usual HTTP status of `code`."""
    return CODES[code].statuses[0]
