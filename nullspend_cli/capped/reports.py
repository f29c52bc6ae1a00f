"""The report of a capped run: lines for the terminal, Markdown, JSON, JUnit XML. The file's name says which."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from nullspend_cli.capped.allowance import Limits
from nullspend_cli.capped.spending import Spending
from nullspend_cli.problems import Usage
from nullspend_cli.render import calls, count, money, visible
from nullspend_cli.replies import Record

UNSEEN = "Only calls that went through the proxy are counted; calls made around it are not seen."

_TABLE_HEAD = "| Provider | Model | Calls | Tokens in | Tokens out | Cost |\n|---|---|---:|---:|---:|---:|\n"


class Report(NamedTuple):
    """One run: what was run, how it ended, what it cost. `seconds` is how long it took."""

    command: tuple[str, ...]
    exit_code: int
    seconds: float
    limits: Limits
    spending: Spending

    @property
    def left(self) -> int | None:
        """Microdollars of the budget that were not spent, never below 0; None without a budget."""
        return None if self.limits.budget is None else max(0, self.limits.budget - self.spending.cost)

    @property
    def headline(self) -> str:
        """Spent of how much, and what was denied."""
        spent = f"Spent {money(self.spending.cost)}"
        if self.limits.budget is not None:
            spent += f" of {money(self.limits.budget)}, {money(self.left)} left"
        denied = len(self.spending.denials)
        return f"{spent}; {calls(denied)} denied"


def lines(report: Report) -> list[str]:
    """The summary for a terminal."""
    rows = [
        (f"{model.provider}/{model.model}", calls(model.calls), money(model.cost)) for model in report.spending.models
    ]
    widths = [max((len(row[index]) for row in rows), default=0) for index in range(3)]
    table = [f"  {name:<{widths[0]}}  {made:>{widths[1]}}  {cost:>{widths[2]}}" for name, made, cost in rows]
    return [f"{report.headline}.", *table, *(f"  denied: {text}" for text in denied(report.spending)), *remarks(report)]


def denied(spending: Spending) -> list[str]:
    """One line for each model and reason: how many calls were stopped."""
    kinds = dict.fromkeys((denial.model, denial.words) for denial in spending.denials)
    counts = {kind: sum((each.model, each.words) == kind for each in spending.denials) for kind in kinds}
    return [f"{model}, {words}, {count(number)}x" for (model, words), number in counts.items()]


def remarks(report: Report) -> list[str]:
    """What the figures do not say by themselves."""
    estimated = sum(model.estimated for model in report.spending.models)
    found = [UNSEEN]
    if estimated:
        found.append(f"{count(estimated)} of the calls reported no usage; they are charged at their estimate.")
    if report.spending.unsettled:
        found.append(f"Still in flight and not counted: {calls(report.spending.unsettled)}.")
    return found


def as_record(report: Report) -> Record:
    """The report as one JSON object. Money in microdollars."""
    limits, spending = report.limits, report.spending
    return {
        "command": list(report.command),
        "exitCode": report.exit_code,
        "durationSeconds": round(report.seconds, 3),
        "budgetMicrodollars": limits.budget,
        "sessionLimitMicrodollars": limits.session,
        "velocityLimitMicrodollars": limits.velocity,
        "spentMicrodollars": spending.cost,
        "leftMicrodollars": report.left,
        "calls": spending.calls,
        "models": [
            {
                "provider": model.provider,
                "model": model.model,
                "calls": model.calls,
                "inputTokens": model.input_tokens,
                "outputTokens": model.output_tokens,
                "costMicrodollars": model.cost,
                "estimatedCalls": model.estimated,
            }
            for model in spending.models
        ],
        "denied": len(spending.denials),
        "denials": [{"model": denial.model, "reason": denial.reason} for denial in spending.denials],
        "unsettledCalls": spending.unsettled,
        "note": UNSEEN,
    }


def as_json(report: Report) -> str:
    """The record as text."""
    return json.dumps(as_record(report), indent=2) + "\n"


def as_markdown(report: Report) -> str:
    """For a pull request or a job's summary page."""
    rows = [
        f"| {_md(model.provider)} | {_md(model.model)} | {count(model.calls)} | {count(model.input_tokens)} |"
        f" {count(model.output_tokens)} | {money(model.cost)} |\n"
        for model in report.spending.models
    ]
    head = (
        "| Provider | Model | Calls | Tokens in | Tokens out | Cost |\n|---|---|---:|---:|---:|---:|\n" if rows else ""
    )
    denials = "".join(f"- denied: {_md(text)}\n" for text in denied(report.spending))
    notes = "".join(f"- {remark}\n" for remark in remarks(report))
    return (
        f"### NullSpend: {report.headline}\n\n"
        f"`{_md(' '.join(report.command))}` ended with exit code {report.exit_code} after {report.seconds:.1f} s.\n\n"
        f"{head}{''.join(rows)}\n{denials}{notes}"
    )


def _md(text: str) -> str:
    return visible(text).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def as_junit(report: Report) -> str:
    """A suite of one test: failed when a call was denied, with the figures as properties."""
    name = quoteattr(_xml(" ".join(report.command)))
    figures = {
        "nullspend.cost_microdollars": report.spending.cost,
        "nullspend.calls": report.spending.calls,
        "nullspend.denied": len(report.spending.denials),
    }
    properties = "".join(f'      <property name="{key}" value="{value}"/>\n' for key, value in figures.items())
    failures = "".join(f"    <failure message={quoteattr(_xml(text))}/>\n" for text in denied(report.spending))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuite name="nullspend" tests="1" failures="{1 if failures else 0}" errors="0" skipped="0"'
        f' time="{report.seconds:.3f}">\n'
        f'  <testcase classname="nullspend.run" name={name} time="{report.seconds:.3f}">\n'
        f"    <properties>\n{properties}    </properties>\n{failures}"
        f"    <system-out>{_xml(report.headline)}. {UNSEEN}</system-out>\n"
        "  </testcase>\n</testsuite>\n"
    )


def _xml(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMATS: dict[str, Callable[[Report], str]] = {".md": as_markdown, ".json": as_json, ".xml": as_junit}


def format_of(path: Path) -> Callable[[Report], str]:
    """How a file of this name is written. Raises Usage."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise Usage(f"{path} says no format; name the report *.md, *.json or *.xml.") from None


def write(report: Report, path: Path | None) -> None:
    """Writes the report to `path`, and its Markdown to the job summary of GitHub Actions where there is one."""
    if path:
        path.write_text(format_of(path)(report), "utf-8")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(as_markdown(report) + "\n")
