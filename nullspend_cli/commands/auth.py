"""Who you are to the server."""

from nullspend_cli import identity
from nullspend_cli.group import Noun
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = {
    "status": """
nullspend auth status
nullspend auth whoami --json
nullspend auth status --context production
""",
}
COLUMNS = (
    column("context"),
    column("server"),
    column("chosenBy", "CHOSEN BY"),
    column("email", "USER"),
    column("userId", "USER ID"),
    column("role"),
    column("orgId", "ORGANIZATION"),
    column("keyName", "KEY"),
    column("keyId", "KEY ID"),
)

noun = Noun(EXAMPLES, {"whoami": "status"})


@noun.verb()
def status(run: Run) -> None:
    """Show which server is used, why that one, and as whom. Exits 4 when not signed in there."""
    run.out.record(identity.who(run.client, run.names), COLUMNS, id_field="userId")
