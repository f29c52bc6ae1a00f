"""Every endpoint of the contract is served, and a command uses it."""

import re

from nullspend_cli import main, tree
from nullspend_daemon.app import DESCRIBED
from tests.contract.endpoints import endpoints

SHARED_PAGES = "/_local/billing/"  # reached by the URL a checkout returned, by people with a browser


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_daemon_serves_the_endpoints_of_the_contract_and_no_others() -> None:
    contract = {(each.method, shape(each.path)) for each in endpoints()}
    served = {(route.method, shape(route.path)) for route in DESCRIBED if not route.path.startswith(SHARED_PAGES)}
    assert sorted(contract - served) == [], "of the contract, not served"
    assert sorted(served - contract) == [], "served, not of the contract"


def test_each_endpoint_is_used_by_a_command_there_is() -> None:
    root = tree.root_of(main.tree())
    missing = {each.command for each in endpoints() if not tree.exists(f"nullspend {each.command}", root)}
    assert sorted(missing) == []
