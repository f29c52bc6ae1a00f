"""The error code table of the contract, typed from it, against the one the code uses.

`not_found` is 400 for a checkout session without a subscription (orgs 7).
"""

from nullspend_daemon import errors
from nullspend_daemon.contract.codes import CODES

TABLE = """
invalid_json 400
validation_error 400
invalid_key 400
spend_cap_exceeded 400
invalid_origin 400
invalid_input 400
stripe_validation_failed 400
no_subscription 400
subscription_exists 400
missing_signature 400
signature_invalid 400
slack_webhook_error 400 502
authentication_required 401
forbidden 403
configuration_error 403
csrf_rejected 403
not_found 404 400
budget_entity_not_found 404
method_not_allowed 405
limit_exceeded 409
invalid_action_transition 409
stale_action 409
action_expired 409
conflict 409
event_in_progress 409
expired 410
payload_too_large 413
unsupported_media_type 415
misdirected_request 421
rate_limit_exceeded 429
rate_limited 429
internal_error 500
server_error 500
webhook_processing_error 500
metrics_unavailable 503
service_unavailable 503
request_in_progress 503
unauthorized 401
bad_request 400
invalid_model 400
invalid_upstream 400
mandate_violation 403
budget_exceeded 429
customer_budget_exceeded 429
tag_budget_exceeded 429
velocity_exceeded 429
session_limit_exceeded 429
upstream_error 502
budget_unavailable 503
loop_detected 429
plan_limit_exceeded 429
"""


def test_every_code_of_the_contract_has_its_statuses_and_there_are_no_others() -> None:
    wanted = {words[0]: tuple(map(int, words[1:])) for line in TABLE.split("\n") if (words := line.split())}
    assert {code: entry.statuses for code, entry in CODES.items()} == wanted


def test_every_code_is_explained() -> None:
    for code, entry in CODES.items():
        assert entry.meaning.endswith("."), code


def leaves(kind: type[errors.NullSpendError]) -> list[type[errors.NullSpendError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return [*([kind] if hasattr(kind, "code") else []), *below]


def test_each_exception_names_a_code_of_the_table() -> None:
    assert {kind.code for kind in leaves(errors.NullSpendError)} <= CODES.keys()
