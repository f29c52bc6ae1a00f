"""What is being spent right now, on the whole screen."""

from nullspend_cli import screen, top
from nullspend_cli.group import Single
from nullspend_cli.output import Empty
from nullspend_cli.run import Run

EXAMPLES = """
nullspend top
nullspend top --json | jq .todayCostMicrodollars
"""


def _top(run: Run) -> None:
    """Watch the spend: its rate, budgets filling up, newest events, actions that wait for a decision.

    Keys: s sorts the budgets by what is used, left, spent or by name; q or Ctrl-C ends it. In a pipe, or as JSON, it
    looks once.
    """
    if run.out.is_for_a_person and screen.available(run.out.terminal):
        top.watch(run)
        return
    board = top.snapshot(run)
    run.out.document(
        board.record(),
        lambda terminal: "".join(f"{line}\n" for line in top.page(board, terminal, keys=False)).rstrip() + "\n",
        empty=Empty("Nothing happens."),
    )


command = Single(EXAMPLES, _top)
