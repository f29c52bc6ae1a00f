"""Actions."""

from typing import Annotated, Any

import typer

from nullspend_cli import action_view, approvals, decision_wait
from nullspend_cli.action_view import Facts
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.json_input import json_object
from nullspend_cli.options import GLOBAL, Limit, Yes, duration_option, money_option
from nullspend_cli.output import Empty
from nullspend_cli.payload_view import summary
from nullspend_cli.problems import Usage
from nullspend_cli.render import Cell, count, money
from nullspend_cli.replies import Record, record
from nullspend_cli.requests_feed import follow_new
from nullspend_cli.run import Run
from nullspend_cli.server_time import ahead_ms, machine_ms
from nullspend_cli.tables import Column, column
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import Kind

EXAMPLES = {
    "list": """
nullspend actions list
nullspend actions list --status pending,approved
nullspend approvals list --status pending -q
""",
    "get": """
nullspend actions get 3f9c21d0
nullspend actions get ns_act_019a0000-0000-7000-8000-000000000000 --json
""",
    "create": """
nullspend actions create --agent mailer --type send_email --payload '{"to": "a@example.org", "subject": "Hi"}'
nullspend actions create --agent ops --type shell_command --payload @command.json --expires 10m
""",
    "approve": """
nullspend actions approve 3f9c21d0
nullspend actions approve 3f9c21d0 --amount '$2' --yes
""",
    "reject": """
nullspend actions reject 3f9c21d0
""",
    "result": """
nullspend actions result 3f9c21d0 executing
nullspend actions result 3f9c21d0 executed --result '{"sent": true}'
nullspend actions result 3f9c21d0 failed --error 'no route to host'
""",
    "costs": """
nullspend actions costs 3f9c21d0
""",
    "wait": """
nullspend actions wait 3f9c21d0 --timeout 5m
nullspend actions wait 3f9c21d0 && ./deploy.sh
""",
    "review": """
nullspend actions review
""",
    "tail": """
nullspend actions tail
nullspend actions tail --limit 0 --format jsonl
""",
}
_STYLES = {"pending": "yellow", "approved": "green", "executed": "green", "rejected": "red", "failed": "red"}
_COSTS = (
    column("createdAt", "TIME", show_time),
    column("model", value=lambda row: f"{row.get('provider')}/{row.get('model')}"),
    column("toolName", "TOOL", wide=True),
    column("inputTokens", "IN", count, right=True),
    column("outputTokens", "OUT", count, right=True),
    column("costMicrodollars", "COST", money, right=True),
    column("id", wide=True),
)
_NONE = Empty("No agent has asked for anything.", "nullspend actions create --help")
_NO_COSTS = Empty("No call has named this action yet.")

noun = Noun(EXAMPLES, aliases={"show": "get"})

_Action = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the end of it.")]


def _text(flag: str, help: str, metavar: str = "TEXT") -> Any:
    return typer.Option(flag, metavar=metavar, help=help, show_default=False)


def _columns(now_ms: int) -> tuple[Column, ...]:
    return (
        column("ref", "ID", value=lambda row: approvals.short(row["id"])),
        column("createdAt", "TIME", show_time, wide=True),
        column("agentId", "AGENT"),
        column("actionType", "TYPE"),
        column("status", show=lambda status: Cell(str(status), _STYLES.get(str(status), ""))),
        column("expiresAt", "EXPIRES", value=lambda row: _left(row, now_ms), show=lambda cell: cell, absent=""),
        column("summary", "WHAT", value=summary, wide=True),
        column("id", "WHOLE ID", wide=True),
    )


def _left(row: Record, now_ms: int) -> Cell | None:
    return action_view.time_left(row, now_ms) if row.get("status") == approvals.PENDING else None


def _details(run: Run) -> tuple[Column, ...]:
    def who(decided_by: Any) -> str:
        return run.names.entity("user", str(decided_by))

    return (
        column("id"),
        column("agentId", "AGENT"),
        column("actionType", "TYPE"),
        column("status", show=lambda status: Cell(str(status), _STYLES.get(str(status), ""))),
        column("createdAt", "ASKED", show_time),
        column("expiresAt", "EXPIRES", show_time, absent="never"),
        column("approvedAt", "APPROVED", show_time),
        column("approvedBy", "APPROVED BY", who),
        column("rejectedAt", "REJECTED", show_time),
        column("rejectedBy", "REJECTED BY", who),
        column("expiredAt", "EXPIRED", show_time),
        column("executedAt", "ENDED", show_time),
        column("errorMessage", "ERROR"),
        column("environment"),
        column("sourceFramework", "FRAMEWORK"),
        column("result"),
    )


@noun.verb()
def list_(
    run: Run,
    status: Annotated[str | None, _text("--status", "Only these, such as pending,approved.", "A,B")] = None,
    limit: Limit = None,
) -> None:
    """List what agents have asked for, newest first."""
    found = list(approvals.rows(run.client, statuses=status, limit=run.rows_wanted(limit)))
    now_ms = machine_ms() + (ahead_ms(run.client) if found else 0)
    run.out.table(found, _columns(now_ms), empty=_NONE)


@noun.verb()
def get(run: Run, action: _Action) -> None:
    """Show one action with its whole payload."""
    found = approvals.find(run.client, action)
    run.out.record(found, _details(run), below=[[], *action_view.body_lines(found, whole=True)])


@noun.verb()
def create(
    run: Run,
    agent: Annotated[str, _text("--agent", "Who asks.", "NAME")],
    type_: Annotated[str, _text("--type", "What for: send_email, shell_command, budget_increase ...", "TYPE")],
    payload: Annotated[str, _text("--payload", "The details, as a JSON object.", "JSON|@FILE|-")] = "{}",
    metadata: Annotated[str | None, _text("--metadata", "Remarks, as a JSON object.", "JSON|@FILE|-")] = None,
    expires: Annotated[
        int | None, duration_option("--expires", "How long it waits, or none. [new: 1h]", removable=True)
    ] = None,
    key: Annotated[str | None, _text("--key", "Ask with a saved key.", "NAME")] = None,
    idempotency_key: Annotated[str | None, _text("--idempotency-key", "Ask only once under this key.", "KEY")] = None,
) -> None:
    """Ask for a decision, as an agent does."""
    body: Record = {"agentId": agent, "actionType": type_, "payload": json_object("--payload", payload)}
    if metadata is not None:
        body["metadata"] = json_object("--metadata", metadata)
    if expires is not None:
        body["expiresInSeconds"] = None if expires < 0 else expires // 1000
    reply = run.client_with(key).post(approvals.PATH, body, auth=Auth.KEY, once=idempotency_key or True)
    made = record(reply, Kind.ACTION)
    run.out.result(f"Asked for {type_} as {approvals.short(made['id'])}; it waits for a decision.", made)
    run.out.hint(f"next: nullspend actions wait {approvals.short(made['id'])}")


@noun.verb()
def approve(
    run: Run,
    action: _Action,
    amount: Annotated[int | None, money_option("--amount", "Raise the budget by this instead.")] = None,
    yes: Yes = False,
) -> None:
    """Approve an action, after showing what it is."""
    found = approvals.find(run.client, action)
    if amount is not None and found.get("actionType") != approvals.BUDGET_INCREASE:
        raise Usage("Only a budget_increase has an amount.")
    if not yes:
        _show(run, found)
    asked = amount if amount is not None else approvals.requested(found)
    raised = found.get("actionType") == approvals.BUDGET_INCREASE and asked is not None
    what = f"{found['actionType']} of {found['agentId']}" + (f" by {money(asked)}" if raised else "")
    run.out.confirm(f"Approve the {what}?", yes=yes)
    done = approvals.decide(run.client, found["id"], "approve", amount)
    run.out.result(f"Approved the {what}.{_new_limit(done)}", done)


def _show(run: Run, action: Record) -> None:
    """What is about to be decided, for the person who is asked."""
    budget = approvals.budget_of(run.client, action)
    entity = "" if budget is None else run.names.entity(budget["entityType"], budget["entityId"])
    facts = Facts(approvals.costs(run.client, action["id"]), budget, entity)
    head = action_view.head_lines(action, machine_ms() + ahead_ms(run.client), facts)
    run.out.preview([*head, [], *action_view.body_lines(action, whole=True), []])


def _new_limit(done: Record) -> str:
    increase = done.get("budgetIncrease")
    if not isinstance(increase, dict):
        return ""
    return f" The limit went from {money(increase.get('previousLimit'))} to {money(increase.get('newLimit'))}."


@noun.verb()
def reject(run: Run, action: _Action) -> None:
    """Reject an action."""
    found = approvals.find(run.client, action)
    done = approvals.decide(run.client, found["id"], "reject")
    run.out.result(f"Rejected the {found['actionType']} of {found['agentId']}.", done)


@noun.verb()
def result(
    run: Run,
    action: _Action,
    status: Annotated[str, typer.Argument(metavar="executing|executed|failed", help="How far it is.")],
    result: Annotated[str | None, _text("--result", "What came out, as a JSON object.", "JSON|@FILE|-")] = None,
    error: Annotated[str | None, _text("--error", "Why it failed.")] = None,
    key: Annotated[str | None, _text("--key", "Report with a saved key.", "NAME")] = None,
) -> None:
    """Report how an approved action went, as an agent does."""
    found = approvals.find(run.client, action)
    body: Record = {"status": status}
    if result is not None:
        body["result"] = json_object("--result", result)
    if error is not None:
        body["errorMessage"] = error
    reply = run.client_with(key).post(f"{approvals.PATH}/{found['id']}/result", body, auth=Auth.KEY, once=True)
    run.out.result(f"The {found['actionType']} of {found['agentId']} is {status}.", record(reply, Kind.ACTION))


@noun.verb()
def costs(run: Run, action: _Action) -> None:
    """List what an action has cost: the calls that named it."""
    found = approvals.find(run.client, action)
    events = approvals.costs(run.client, found["id"])
    total = sum(event.get("costMicrodollars") or 0 for event in events)
    run.out.table(events, _COSTS, empty=_NO_COSTS, footer=f"{money(total)} in all")


@noun.verb()
def wait(
    run: Run,
    action: _Action,
    timeout: Annotated[int | None, duration_option("--timeout", "Give up after this long.")] = None,
) -> None:
    """Wait until an action is decided.

    The exit code says how: 0 approved, 6 rejected or expired, 8 still pending after the timeout.
    """
    found = approvals.find(run.client, action)
    client = run.connect()
    with run.out.terminal.waiting(f"Waiting for a decision on the {found['actionType']} of {found['agentId']}"):
        decided = decision_wait.wait(client, found["id"], None if timeout is None else timeout / 1000)
    run.out.result(action_view.outcome(decided, lambda who: run.names.entity("user", who)), decided)
    if decided["status"] not in approvals.APPROVED_FIRST:
        raise typer.Exit(8 if decided["status"] == approvals.PENDING else 6)


@noun.verb(shared=GLOBAL)
def review(run: Run) -> None:
    """Decide what waits, one request after the other, oldest first.

    Keys: a approve, r reject, s skip, v view all, m another amount (budget increases), q quit. New requests appear
    while it is open.
    """
    from nullspend_cli.review import loop

    run.out.note(loop.review(run))


@noun.verb()
def tail(
    run: Run,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Show the last N requests first.")] = 10,
) -> None:
    """Ring the bell and print a line at each new request.

    It goes on until Ctrl-C, also over a restart of the server.
    """
    terminal = run.out.terminal
    run.out.hint("Waiting for requests; Ctrl-C ends it.")

    def rows() -> Any:
        for row, is_new in follow_new(run.connect, limit, run.out.note):
            if is_new:
                terminal.bell()
            yield row

    run.out.stream(rows(), _tail_columns())


def _tail_columns() -> tuple[Column, ...]:
    """Those of the list, with the time on a narrow screen too; how long is left would be wrong a moment later."""
    return tuple(
        each._replace(wide=each.wide and each.field != "createdAt") for each in _columns(0) if each.field != "expiresAt"
    )
