"""From nothing to a budget with real spend on it."""

from nullspend_cli import budgeting, credentials, demonstration, environment, local, settings
from nullspend_cli.client import Auth, Client
from nullspend_cli.group import Single
from nullspend_cli.names import Names
from nullspend_cli.options import STANDARD
from nullspend_cli.output import Empty, Output
from nullspend_cli.problems import Missing, Problem
from nullspend_cli.render import money
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_daemon.contract.ids import Kind

EXAMPLES = """
nullspend quickstart
nullspend quickstart --json
"""
NAME = "quickstart"
LIMIT_MICRODOLLARS = 5_000_000
# A call to gpt-4o at its list price: 1,200 tokens in at $2.50 and 300 out at $10 a million.
_EVENT: Record = {
    "provider": "openai",
    "model": "gpt-4o",
    "inputTokens": 1200,
    "outputTokens": 300,
    "costMicrodollars": 6000,
    "costBreakdown": {"input": 3000, "output": 3000, "cached": 0},
    "eventType": "llm",
}
_NEXT = (
    ('eval "$(nullspend daemon env --key quickstart)"', "set these variables"),
    ("nullspend events list", "what was spent"),
    ("nullspend budgets set --key quickstart --max '$2'", "change the limit"),
    ("nullspend keys create researcher --save", "a key for your own agent"),
    ("nullspend help", "everything else"),
)


def quickstart(run: Run) -> None:
    """Start the daemon, make a key with a $5 budget, report a first event, and watch a budget stop an agent.

    Safe to run again: what is there already is found and left as it is. The calls that are stopped go to a provider
    inside the daemon and use a key of their own, which is gone afterwards. No network is needed.
    """
    daemon = _daemon(run.out)
    client = run.client_of(daemon)
    key, raw = _key(client, run.out)
    budget = _budget(client, key, run.out)
    event = _report(client, key, raw, run.out)
    denial = _deny(client, run.out)
    budget = _again(client, budget)
    variables = environment.for_key(daemon, raw)
    if run.out.mode == "table":
        _show(run.out, client, budget, variables)
    else:
        done: Record = {"daemon": daemon.url, "key": key, "budget": budget, "event": event, "denial": denial}
        done["environment"] = variables
        run.out.record(done, (), id_field="daemon")


def _say(out: Output, found: bool, sentence: str) -> None:
    out.hint(f"{'Found  ' if found else 'Made   '} {sentence}")


def _daemon(out: Output) -> local.State:
    running = local.running()
    with out.terminal.waiting("Starting the daemon"):
        daemon = running or local.start(["--data-dir", str(settings.data_dir().absolute())], settings.data_dir())
    out.hint(f"{'Found  ' if running else 'Started'} the daemon on {daemon.url}")
    return daemon


def _key(client: Client, out: Output) -> tuple[Record, str]:
    """The key and its value. Raises Problem when the key is there and its value is not kept here."""
    vault, kind = client.place.vault, f"key:{NAME}"
    found = next((key for key in Names(client).keys if key["name"] == NAME), None)
    raw = credentials.load(vault, kind) if found else None
    _say(out, found is not None, f"the key {NAME}")
    if found and (raw is None or not raw.startswith(str(found["keyPrefix"]))):
        raise Problem(
            f"There is a key {NAME}, but its value is not kept on this machine, and it is shown only once.",
            next=f"nullspend keys delete {NAME} --yes && nullspend quickstart",
        )
    if not found:
        found = record(client.post("/api/keys", {"name": NAME}), Kind.KEY)
        raw = str(found.pop("rawKey"))
        credentials.save(vault, kind, raw)
    return found, str(raw)


def _budget(client: Client, key: Record, out: Output) -> Record:
    names = Names(client)
    stored = budgeting.Entity("api_key", str(key["id"]), NAME).stored(names)
    body = {"entityType": "api_key", "entityId": key["id"], "maxBudgetMicrodollars": LIMIT_MICRODOLLARS}
    budget = stored or record(client.post("/api/budgets", body), Kind.BUDGET)
    _say(out, stored is not None, f"its budget of {money(budget['maxBudgetMicrodollars'])}")
    return budget


def _report(client: Client, key: Record, raw: str, out: Output) -> Record:
    """One event, always the same: its idempotency key makes every later run find it."""
    reporter = client.with_key(raw)
    event = record(
        reporter.post("/api/cost-events", _EVENT, auth=Auth.KEY, once=f"quickstart-{key['id']}"), Kind.COST_EVENT
    )
    out.hint(f"Spent   {money(_EVENT['costMicrodollars'])} on one call: event {event['id']}")
    return event


def _deny(client: Client, out: Output) -> Record:
    """Call the fake provider with a throw-away key until its budget says no."""
    with out.terminal.waiting("Spending until a budget says no"):
        shown = demonstration.spend_until_denied(client)
    out.hint(f"Made    a throw-away key with {money(shown['limitMicrodollars'])} and called a model with it:")
    out.hint(f"        {shown['calls']} calls passed, call {shown['calls'] + 1} was denied ({shown['code']})")
    out.hint(f"Deleted that key and its budget; your key {NAME} was not touched")
    return shown


def _again(client: Client, budget: Record) -> Record:
    """The budget as it is now, with the event on it."""
    current = next((item for item in Names(client).budgets if item["id"] == budget["id"]), None)
    if current is None:
        raise Missing("The budget is gone already.", next="nullspend quickstart")
    return current


def _show(out: Output, client: Client, budget: Record, variables: dict[str, str]) -> None:
    out.text("\n")
    out.table([budget], budgeting.columns(Names(client), out.terminal.glyphs), empty=Empty(""))
    out.text("\n# for your agent and the NullSpend SDK:\n" + environment.lines(variables, "export"))
    out.steps(_NEXT)


command = Single(EXAMPLES, quickstart, STANDARD)
