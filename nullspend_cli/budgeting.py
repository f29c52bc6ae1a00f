"""What `budgets` shows and sends: a budget's columns, whose it is, the body that changes only what was given."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nullspend_cli.names import Names
from nullspend_cli.options import NONE
from nullspend_cli.problems import Usage
from nullspend_cli.render import Cell, Glyphs, bar, money, percent, plain, threshold_style
from nullspend_cli.replies import Record
from nullspend_cli.tables import Column, column
from nullspend_cli.when import period_end, show_duration, show_time

_KINDS = {"api_key": "key"}
_INTERVALS = ("daily", "weekly", "monthly", "yearly", "none")
_BAR_WIDTH = 8
_LIMIT, _SPENT = "maxBudgetMicrodollars", "spendMicrodollars"
_HELD, _FREE = "reservedMicrodollars", "freeMicrodollars"


def columns(names: Names, glyphs: Glyphs, *, limit: str = _LIMIT) -> tuple[Column, ...]:
    """The columns of `budgets list`. `limit` is the field of the limit, which `budgets status` calls otherwise."""
    return (
        column("entity", value=lambda row: names.entity(row["entityType"], row["entityId"])),
        column("entityType", "KIND", lambda kind: _KINDS.get(kind, str(kind)), wide=True),
        column(limit, "LIMIT", money, right=True),
        column(_SPENT, "SPENT", money, right=True),
        column("remainingMicrodollars", "LEFT", money, right=True, value=lambda row: max(0, row[limit] - row[_SPENT])),
        column("used", value=lambda row: _Used(row, limit), show=lambda used: used.cell(glyphs)),
        column("policy", show=shown_policy),
        column("resetsAt", "RESETS", lambda time: show_time(time)[:10], value=_resets_at, absent="never"),
        column("id", wide=True),
    )


def shown_policy(policy: Any) -> str:
    """`strict`, `soft` or `warn`: what `--policy` takes."""
    return str(policy).removesuffix("_block")


class _Used(int):
    """Whole percent of the limit that is spent, with what is needed to draw it."""

    def __new__(cls, row: Record, limit: str) -> "_Used":
        used = super().__new__(cls, percent(row[_SPENT], row[limit]))
        used.row, used.limit = row, limit
        return used

    row: Record
    limit: str

    def cell(self, glyphs: Glyphs) -> Cell:
        spent, limit = self.row[_SPENT], self.row[self.limit]
        style = threshold_style(spent, limit, self.row.get("thresholdPercentages") or [])
        return Cell(f"{bar(spent, limit, glyphs, width=_BAR_WIDTH)} {int(self):3}%", style)


def _resets_at(row: Record) -> str | None:
    return period_end(row.get("currentPeriodStart"), row.get("resetInterval"))


def status_columns(names: Names, glyphs: Glyphs, *, held: bool) -> tuple[Column, ...]:
    """The columns of `budgets status`: the same without an id, with what is `held` and what is free of the rest."""
    limit = "limitMicrodollars"
    listed = {column.field: column for column in columns(names, glyphs, limit=limit)[:-1]}
    listed["remainingMicrodollars"] = column(_FREE, "FREE", money, right=True, value=lambda row: _free(row, limit))
    if not held:
        return tuple(listed.values())
    until, rest = tuple(listed.values())[:4], tuple(listed.values())[4:]
    return (*until, column(_HELD, "HELD", money, right=True), *rest)


def _free(row: Record, limit: str) -> int:
    return max(0, row[limit] - row[_SPENT] - row.get(_HELD, 0))


def with_held(budgets: Sequence[Record], holds: Sequence[Record]) -> list[Record]:
    """Budgets with what calls in flight hold of each; `holds` are those of every organization of the daemon."""
    reserved = {(hold["entityType"], hold["entityId"]): hold[_HELD] for hold in holds}
    return [{**budget, _HELD: reserved.get((budget["entityType"], budget["entityId"]), 0)} for budget in budgets]


def details(names: Names, glyphs: Glyphs) -> tuple[Column, ...]:
    """Everything about one budget."""
    listed = {column.field: column for column in columns(names, glyphs)}
    return (
        *(
            listed[field]
            for field in ("entity", "entityType", _LIMIT, _SPENT, "remainingMicrodollars", "used", "policy")
        ),
        column("thresholdPercentages", "WARNS AT", _percentages),
        column("resetInterval", "EVERY"),
        column("currentPeriodStart", "PERIOD FROM", show_time),
        column("resetsAt", "RESETS", show_time, value=_resets_at, absent="never"),
        column("velocityLimitMicrodollars", "VELOCITY", value=_velocity),
        column("sessionLimitMicrodollars", "SESSION MAX", money),
        column("finalizationReserveMicrodollars", "RESERVE", lambda reserve: money(reserve) if reserve else ""),
        column("createdAt", "CREATED", show_time),
        column("updatedAt", "CHANGED", show_time),
        column("id"),
    )


def _percentages(thresholds: Any) -> str:
    return plain([f"{threshold}%" for threshold in thresholds]) or "never"


def _velocity(row: Record) -> str | None:
    limit = row.get("velocityLimitMicrodollars")
    if limit is None:
        return None
    window, cooldown = (show_duration(1000 * row[f"velocity{name}Seconds"]) for name in ("Window", "Cooldown"))
    return f"{money(limit)} in {window}, then a pause of {cooldown}"


class Entity(NamedTuple):
    """What a budget is for."""

    type: str
    id: str
    name: str

    @classmethod
    def of(cls, names: Names, *, key: str | None, user: bool, tag: str | None, customer: str | None) -> "Entity":
        """The one entity the options name. Raises Usage for none or several."""
        if sum(map(bool, (key, user, tag, customer))) != 1:
            raise Usage(
                "Say whose budget: one of --key, --user, --tag and --customer.", next="nullspend budgets set --help"
            )
        if key:
            found = names.key(key)
            return cls("api_key", str(found["id"]), str(found["name"]))
        if user:
            return cls("user", names.me, names.entity("user", names.me))
        text = str(tag or customer)
        return cls("tag" if tag else "customer", text, text)

    def stored(self, names: Names) -> Record | None:
        """The entity's budget as it is now."""
        return next((b for b in names.budgets if (b["entityType"], b["entityId"]) == (self.type, self.id)), None)


def changed_body(entity: Entity, before: Record | None, given: Mapping[str, Any]) -> Record:
    """The upsert that changes only what was given. The API keeps what is omitted, except the limit, which it demands,
    and the interval, which it would clear; both are sent again. Raises Usage for values that cannot be."""
    body = {field: value for field, value in given.items() if value is not None}
    if before is None and _LIMIT not in body:
        raise Usage(f"{entity.name} has no budget yet; say how much with --max.", next="nullspend budgets set --help")
    stored = before or {}
    body = {_LIMIT: stored.get(_LIMIT), **({"resetInterval": stored.get("resetInterval")} if before else {}), **body}
    body |= {
        field: None for field in ("velocityLimitMicrodollars", "sessionLimitMicrodollars") if body.get(field) == NONE
    }
    if "thresholdPercentages" in body:
        body["thresholdPercentages"] = _thresholds(str(body["thresholdPercentages"]))
    if body.get("resetInterval") in (None, "none"):
        body.pop("resetInterval", None)  # omitted means none, and the hosted service refuses a null
    elif body["resetInterval"] not in _INTERVALS:
        raise Usage(f"--every {body['resetInterval']!r} is not one of {', '.join(_INTERVALS)}.")
    return {"entityType": entity.type, "entityId": entity.id, **body}


def _thresholds(text: str) -> Sequence[int]:
    parts = [] if text.strip().lower() == "none" else text.split(",")
    try:
        return [int(part.strip().removesuffix("%")) for part in parts]
    except ValueError:
        raise Usage(f"--thresholds {text!r} is not a list of percentages; write 50,80,95, or none.") from None
