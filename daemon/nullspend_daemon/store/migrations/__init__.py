"""The schema's history, one module a step. A step that has been released is never edited; the next one is added below.

Each module holds its statements as SQL, commented with why a column or an index exists.
"""

from nullspend_daemon.store.migrations import (
    m001_people_keys_budgets_events,
    m002_holds_and_velocity,
    m003_actions_and_slack,
    m004_teams_tools_billing_customers,
    m005_analytics,
    m006_explanations,
    m007_webhooks,
    m008_fan_out,
    m009_customers_with_models,
)

_STEPS = (
    m001_people_keys_budgets_events,
    m002_holds_and_velocity,
    m003_actions_and_slack,
    m004_teams_tools_billing_customers,
    m005_analytics,
    m006_explanations,
    m007_webhooks,
    m008_fan_out,
    m009_customers_with_models,
)

MIGRATIONS: dict[str, str] = {step.__name__.rpartition(".")[2]: step.SQL for step in _STEPS}
"""Name to statements, in the order they are applied."""
