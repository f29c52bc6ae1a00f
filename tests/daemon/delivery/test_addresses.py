"""Where a message may go: the URL rules and the address rules, each with and without this machine in reach."""

from ipaddress import ip_address

import pytest

from nullspend_daemon.delivery.addresses import Reach, Unsafe, check_address, check_url

AT_HOME = Reach(local=True, own_port=4747)
HOSTED = Reach(local=False, own_port=4747)

EVERYWHERE = [
    "https://example.com/hooks?x=1",
    "https://example.com:8443/hooks",
    "HTTPS://EXAMPLE.COM",
    "https://bücher.example/hooks",
    "https://10.example.com",
    "https://172.32.0.1",
    "https://172.15.255.255",
    "https://8.8.8.8",
]
AT_HOME_ONLY = [
    "http://example.com",
    "http://localhost:9000/hooks",
    "https://localhost.",
    "https://hooks.localhost",
    "http://127.0.0.1:9000",
    "https://127.8.8.8",
    "https://127.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://0177.0.0.1",
    "https://127.0.0.1.",
    "https://１２７.0.0.1",
    "http://[::1]:9000/",
]
NOWHERE = [
    "https://user:secret@example.com",
    "https://user@example.com",
    "http://127.0.0.1:4747/api/webhooks",
    "http://localhost:4747",
    "http://hooks.localhost:4747",
    "http://127.1:4747",
    "http://[::1]:4747",
    "https://0.0.0.0",
    "https://0",
    "https://10.1.2.3",
    "https://0xa010203",
    "https://192.168.1.1",
    "https://0300.0250.1.1",
    "https://172.16.0.1",
    "https://172.31.255.255",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1",
    "https://224.0.0.1",
    "https://255.255.255.255",
    "https://printer.local",
    "https://PRINTER.LOCAL.",
    "https://[::]",
    "https://[fe80::1]",
    "https://[fd00::1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:10.0.0.1]",
    "https://[2606:4700::1111]",
    "https://1.2.3.4.5",
    "https://256.1.1.1",
    "https://example.0x1",
    "https://ex%61mple.com",
    "https://exa mple.com",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\r\nHost: x",
    "https://a..b",
    "https://example.com:0",
    "https://example.com:99999",
    "https://",
    "https:///hooks",
    "ftp://example.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "example.com/hooks",
    "",
    "https://example.com/" + "a" * 2_048,
]
RESERVED = """
0.0.0.0 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 100.64.0.1 224.0.0.1 240.0.0.1
:: fe80::1 fc00::1 fd12::1 ff02::1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 2002:a00:1:: 64:ff9b::a00:1 2001:0:a00:1::1
""".split()


@pytest.mark.parametrize("url", EVERYWHERE)
def test_public_https_receivers_are_fine_everywhere(url: str) -> None:
    assert check_url(url, AT_HOME) == url
    assert check_url(f"  {url} ", HOSTED) == url


@pytest.mark.parametrize("url", AT_HOME_ONLY)
def test_plain_http_and_this_machine_are_for_a_daemon_that_only_this_machine_reaches(url: str) -> None:
    assert check_url(url, AT_HOME) == url
    with pytest.raises(Unsafe):
        check_url(url, HOSTED)


@pytest.mark.parametrize("url", NOWHERE)
def test_nothing_is_sent_to_private_networks_to_the_daemon_itself_or_with_a_password(url: str) -> None:
    for reach in (AT_HOME, HOSTED):
        with pytest.raises(Unsafe):
            check_url(url, reach)


@pytest.mark.parametrize("address", ["93.184.215.14", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_name_may_lead_to_a_public_address(address: str) -> None:
    check_address(ip_address(address), 443, HOSTED)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_name_may_lead_to_this_machine_at_home_but_not_to_the_daemon(address: str) -> None:
    check_address(ip_address(address), 443, AT_HOME)
    for port, reach in ((443, HOSTED), (4747, AT_HOME)):
        with pytest.raises(Unsafe):
            check_address(ip_address(address), port, reach)


@pytest.mark.parametrize("address", RESERVED)
def test_a_name_never_leads_to_a_private_or_reserved_address_in_any_dress(address: str) -> None:
    for reach in (AT_HOME, HOSTED):
        with pytest.raises(Unsafe):
            check_address(ip_address(address), 443, reach)
