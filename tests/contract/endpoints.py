"""Every endpoint of the contract, typed from it, with the command that uses it: docs/api-coverage.md is made of it."""

from typing import NamedTuple

ENDPOINTS = """
# API keys
GET     /api/keys                                       keys list
POST    /api/keys                                       keys create
PATCH   /api/keys/{id}                                  keys update
DELETE  /api/keys/{id}                                  keys delete
# Who is calling
GET     /api/auth/introspect                            auth status
GET     /api/auth/session                               auth status
POST    /api/auth/switch-org                            orgs switch
# Budgets
GET     /api/budgets                                    budgets list
POST    /api/budgets                                    budgets set
POST    /api/budgets/{id}                               budgets reset
DELETE  /api/budgets/{id}                               budgets delete
GET     /api/budgets/status                             budgets status
GET     /api/budgets/velocity-status                    budgets velocity
GET     /api/budgets/{id}/sources                       budgets sources
# Cost events
POST    /api/cost-events                                events report
POST    /api/cost-events/batch                          events report
GET     /api/cost-events                                events list
GET     /api/cost-events/{id}                           events get
GET     /api/cost-events/{id}/bodies                    events bodies
GET     /api/cost-events/sessions                       sessions list
GET     /api/cost-events/sessions/{sessionId}           sessions get
GET     /api/cost-events/summary                        costs summary
GET     /api/cost-events/export                         events export
GET     /api/cost-events/attribution                    costs by
GET     /api/cost-events/attribution/{key}              costs by
GET     /api/cost-events/tag-keys                       costs tags
# Actions
GET     /api/actions                                    actions list
POST    /api/actions                                    actions create
GET     /api/actions/{id}                               actions get
POST    /api/actions/{id}/approve                       actions approve
POST    /api/actions/{id}/reject                        actions reject
POST    /api/actions/{id}/result                        actions result
GET     /api/actions/{id}/costs                         actions costs
# Webhooks
GET     /api/webhooks                                   webhooks list
POST    /api/webhooks                                   webhooks create
PATCH   /api/webhooks/{id}                              webhooks update
DELETE  /api/webhooks/{id}                              webhooks delete
POST    /api/webhooks/{id}/test                         webhooks test
POST    /api/webhooks/{id}/rotate-secret                webhooks rotate-secret
GET     /api/webhooks/{id}/deliveries                   webhooks deliveries
# Policy
GET     /api/policy                                     policy get
# Organizations
GET     /api/orgs                                       orgs list
POST    /api/orgs                                       orgs create
GET     /api/orgs/{orgId}                               orgs get
PATCH   /api/orgs/{orgId}                               orgs update
DELETE  /api/orgs/{orgId}                               orgs delete
GET     /api/orgs/{orgId}/members                       members list
PATCH   /api/orgs/{orgId}/members/{userId}              members update
DELETE  /api/orgs/{orgId}/members/{userId}              members delete
GET     /api/orgs/{orgId}/invitations                   invites list
POST    /api/orgs/{orgId}/invitations                   invites create
DELETE  /api/orgs/{orgId}/invitations/{id}              invites delete
POST    /api/invite/accept                              invites accept
POST    /api/orgs/{orgId}/leave                         orgs leave
POST    /api/orgs/{orgId}/transfer                      orgs transfer
GET     /api/orgs/{orgId}/upgrade-url                   orgs upgrade-url
PATCH   /api/orgs/{orgId}/upgrade-url                   orgs upgrade-url
GET     /api/orgs/{orgId}/customers/{customerId}/upgrade-url    orgs upgrade-url
PATCH   /api/orgs/{orgId}/customers/{customerId}/upgrade-url    orgs upgrade-url
GET     /api/audit-log                                  audit list
# Tool costs
GET     /api/tool-costs                                 tools list
POST    /api/tool-costs                                 tools set
DELETE  /api/tool-costs/{id}                            tools reset
POST    /api/tool-costs/discover                        tools discover
# Slack
GET     /api/slack/config                               slack get
POST    /api/slack/config                               slack set
DELETE  /api/slack/config                               slack delete
POST    /api/slack/test                                 slack test
POST    /api/slack/callback                             api ; Slack itself calls it when a button is pressed
# Billing
POST    /api/stripe/checkout                            billing checkout
POST    /api/stripe/portal                              billing portal
GET     /api/stripe/subscription                        billing get
POST    /api/stripe/subscription/sync                   billing sync
POST    /api/stripe/webhook                             api ; Stripe itself calls it
GET     /api/stripe/connect                             billing get
POST    /api/stripe/connect                             billing connect
DELETE  /api/stripe/disconnect                          billing disconnect
GET     /api/stripe/revenue-sync                        billing sync-revenue
# Customers and margins
GET     /api/customer-mappings                          customers list
POST    /api/customer-mappings                          customers set
DELETE  /api/customer-mappings                          customers delete
GET     /api/margins                                    margins list
GET     /api/margins/{customer}                         margins get
GET     /api/margins/unmatched                          margins unmatched
# Health
GET     /api/health                                     doctor
GET     /api/version                                    version
# The proxy
POST    /v1/chat/completions                            quickstart
POST    /v1/messages                                    run ; the Anthropic clients call it
POST    /v1/messages/count_tokens                       run ; the Anthropic clients call it
POST    /v1/responses                                   run ; the OpenAI clients call it
GET     /v1/responses/{id}                              run ; the OpenAI clients call it
POST    /v1/responses/{id}/cancel                       run ; the OpenAI clients call it
POST    /v1/embeddings                                  run ; the OpenAI clients call it
POST    /v1/completions                                 run ; the OpenAI clients call it
GET     /v1/models                                      run ; the clients of both providers call it
GET     /v1/models/{id}                                 run ; the clients of both providers call it
POST    /v1/mcp/budget/check                            api ; an MCP proxy calls it before a tool runs
POST    /v1/mcp/events                                  api ; an MCP proxy calls it after tools ran
GET     /v1/policy                                      api ; agents read it; `policy get` reads /api/policy
GET     /health                                         api ; load balancers and monitors call it
GET     /health/ready                                   api ; load balancers and monitors call it
GET     /health/metrics                                 api ; Prometheus reads it
# Only on your own ground
GET     /_local/info                                    daemon status
GET     /_local/openapi.json                            api
POST    /_local/users                                   users create
GET     /_local/users                                   users list
POST    /_local/sessions                                users list ; `--as EMAIL` on any command
DELETE  /_local/sessions                                api
POST    /_local/reset                                   daemon wipe
POST    /_local/plan                                    api ; what a checkout would have led to
GET     /_local/clock                                   clock get
POST    /_local/clock                                   clock advance
POST    /_local/trigger                                 webhooks trigger
GET     /_local/events                                  events tail
GET     /_local/prices                                  prices list
GET     /_local/prices/{provider}/{model}               prices get
GET     /_local/cost-events/{id}/explain                events explain
GET     /_local/holds                                   budgets status
POST    /_local/deliveries/{id}/resend                  webhooks resend
POST    /_local/backup                                  daemon backup
POST    /_local/check                                   daemon check
POST    /_local/stop                                    daemon stop
"""


class Endpoint(NamedTuple):
    """One endpoint. `command` is `NOUN VERB` or a single command; `note` says who else calls it."""

    section: str
    method: str
    path: str
    command: str
    note: str


def endpoints() -> list[Endpoint]:
    """All of them, in the order they stand above."""
    found: list[Endpoint] = []
    section = ""
    for line in ENDPOINTS.strip().splitlines():
        if line.startswith("# "):
            section = line[2:]
            continue
        method, path, rest = line.split(maxsplit=2)
        command, _, note = rest.partition(" ; ")
        found.append(Endpoint(section, method, path, command.strip(), note.strip()))
    return found
