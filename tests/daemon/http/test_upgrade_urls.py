"""Upgrade URLs over HTTP: orgs 2.11."""

import pytest

from tests.machine import Daemon
from tests.people import Team, team


@pytest.fixture(scope="module")
def made(town: Daemon) -> Team:
    return team(town)


def test_an_orgs_url_is_set_shown_to_every_member_and_cleared(town: Daemon) -> None:
    made = team(town)
    path = f"{made.path}/upgrade-url"
    assert made.viewer.call("GET", path).json == {"data": {"upgradeUrl": None}}
    url = "https://acme.example/upgrade?customer={customer_id}"
    assert made.owner.call("PATCH", path, {"upgradeUrl": f"  {url} "}).json == {"data": {"upgradeUrl": url}}
    assert made.viewer.call("GET", path).json == {"data": {"upgradeUrl": url}}
    assert made.owner.call("PATCH", path, {"upgradeUrl": None}).json == {"data": {"upgradeUrl": None}}
    assert made.admin.call("PATCH", path, {"upgradeUrl": url}).status == 403
    told = made.owner.call("GET", "/api/audit-log?action=org_upgrade_url.updated").json["data"]
    assert [(row["resourceType"], row["resourceId"], row["metadata"]) for row in told] == [
        ("organization", made.org_id, {"upgradeUrl": None}),
        ("organization", made.org_id, {"upgradeUrl": url}),
    ]


def test_a_customer_has_a_url_of_its_own(made: Team) -> None:
    path = f"{made.path}/customers/acme.eu:1_x-2/upgrade-url"
    none = {"data": {"customerId": "acme.eu:1_x-2", "upgradeUrl": None}}
    assert made.viewer.call("GET", path).json == none
    for url in ("https://acme.example/a", "https://acme.example/b"):
        set_to = {"data": {"customerId": "acme.eu:1_x-2", "upgradeUrl": url}}
        assert made.owner.call("PATCH", path, {"upgradeUrl": url}).json == set_to
        assert made.member.call("GET", path).json == set_to
    assert made.owner.call("PATCH", path, {"upgradeUrl": None}).json == none
    told = made.owner.call("GET", "/api/audit-log?action=customer_upgrade_url.updated").json["data"]
    assert [(row["resourceType"], row["resourceId"]) for row in told] == [("customer_settings", "acme.eu:1_x-2")] * 3


@pytest.mark.parametrize("given", ["acme", "%20acme%20"])
def test_a_customer_id_is_trimmed(made: Team, given: str) -> None:
    shown = made.viewer.call("GET", f"{made.path}/customers/{given}/upgrade-url")
    assert shown.json == {"data": {"customerId": "acme", "upgradeUrl": None}}


@pytest.mark.parametrize("given", ["a%20b", "a%2Fb", "%20", "%C3%A9", "x" * 257, "a%00", "a+b"])
def test_a_customer_id_has_its_letters(made: Team, given: str) -> None:
    refused = made.owner.call("PATCH", f"{made.path}/customers/{given}/upgrade-url", {"upgradeUrl": None})
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, ["customerId"])


LONG = "https://acme.example/" + "x" * 2027
"""2048 characters."""


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.example",
        "https://acme.example:8443/a?b=c#d",
        "https://10.example.com/",
        "https://xn--80ak6aa92e.com/",
        "https://172.15.0.1/",
        "https://172.32.0.1/",
        "https://8.8.8.8/",
        "https://local.example/",
        LONG,
        "https://acme.example/" + "x" * (2027 - 256) + "{customer_id}",
    ],
)
def test_public_https_pages_are_taken(made: Team, url: str) -> None:
    assert made.owner.call("PATCH", f"{made.path}/upgrade-url", {"upgradeUrl": url}).json == {
        "data": {"upgradeUrl": url}
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example",
        "http://acme.example",
        "javascript:alert(1)",
        "https://",
        "https://user@acme.example/",
        "https://user:pass@acme.example/",
        "https://localhost/",
        "https://LOCALHOST:1/",
        "https://localhost./",
        "https://127.0.0.1/",
        "https://127.9.9.9/",
        "https://0.0.0.0/",
        "https://10.1.2.3/",
        "https://192.168.0.1/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://169.254.169.254/",
        "https://printer.local/",
        "https://[::1]/",
        "https://[2001:db8::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://acme.example/a b",
        "https://acme.example\\@localhost/",
        LONG + "x",
        "https://acme.example/" + "x" * (2028 - 256) + "{customer_id}",
        "https://acme.example/" + "{customer_id}" * 8,
        5,
    ],
)
def test_other_addresses_are_refused(made: Team, url: object) -> None:
    for path in (f"{made.path}/upgrade-url", f"{made.path}/customers/acme/upgrade-url"):
        refused = made.owner.call("PATCH", path, {"upgradeUrl": url})
        assert (refused.status, refused.json["error"]["code"]) == (400, "validation_error")
        assert refused.json["error"]["details"]["issues"][0]["path"] == ["upgradeUrl"]


def test_a_url_must_be_given_at_all(made: Team) -> None:
    refused = made.owner.call("PATCH", f"{made.path}/upgrade-url", {})
    assert refused.json["error"]["details"]["issues"][0]["path"] == ["upgradeUrl"]
