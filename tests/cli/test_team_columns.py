"""Each column of the tables about teams and revenue is a field of the server's record."""

from typing import Any

import pytest

from nullspend_cli.client import Client
from nullspend_cli.commands import audit, customers, invites, margins, members, orgs, tools
from nullspend_cli.contexts import Place
from nullspend_cli.margin_view import columns, details
from nullspend_cli.render import ASCII
from nullspend_cli.tables import Column
from nullspend_cli.teams import Teams
from nullspend_cli.trace import Trace
from nullspend_daemon.app import ROUTES
from nullspend_daemon.http.openapi import build_document


def _audit() -> tuple[Column, ...]:
    place = Place("x", "x", "http://127.0.0.1:1")
    return audit._columns(Teams(Client(place, Trace(lambda _: None, verbose=False))))


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return dict(build_document(ROUTES)["components"]["schemas"])


@pytest.mark.parametrize(
    ("shown", "record"),
    [
        (orgs.COLUMNS, "OrgOfMine"),
        (orgs.DETAILS, "OrgRecord"),
        (members.COLUMNS, "MemberWithEmail"),
        (invites.COLUMNS, "InvitationRecord"),
        (invites._CREATED, "CreatedInvitation"),
        (_audit(), "AuditRecord"),
        (tools.COLUMNS, "ToolCostRecord"),
        (customers.COLUMNS, "MappingRecord"),
        (columns(ASCII), "CustomerMargin"),
        (details(), "CustomerDetail"),
    ],
)
def test_each_column_is_a_field_of_the_record(schemas: dict[str, Any], shown: tuple[Column, ...], record: str) -> None:
    fields = set(schemas[record]["properties"])
    assert {column.field for column in shown if column.value is None} - fields == set()


def test_the_three_lists_of_who_is_left_over_have_their_columns(schemas: dict[str, Any]) -> None:
    names = ("UnmatchedCustomer", "UnmappedValue", "PendingMatch")
    fields = {field for name in names for field in schemas[name]["properties"]}
    assert {column.field for column in margins._LEFT_OVER} - fields == {"kind"}
