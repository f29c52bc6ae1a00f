"""Ids: a prefix, a UUID, and an order that is the order in which they were made."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullspend_daemon.contract.ids import InvalidId, Kind, new_id, new_uuid, parse_id, parse_uuid, uuid_of

UUID = "019a0000-0000-7000-8000-00000000abcd"


def test_the_prefixes_are_those_of_the_contract() -> None:
    assert {kind.name: kind.value for kind in Kind} == {
        "ACTION": "ns_act_",
        "KEY": "ns_key_",
        "COST_EVENT": "ns_evt_",
        "BUDGET": "ns_bgt_",
        "WEBHOOK": "ns_wh_",
        "DELIVERY": "ns_del_",
        "USER": "ns_usr_",
        "TOOL_COST": "ns_tc_",
        "ORG": "ns_org_",
        "WEBHOOK_EVENT": "evt_",
    }


def test_a_new_id_is_a_version_7_uuid_of_its_moment() -> None:
    made = uuid.UUID(uuid_of(new_id(Kind.KEY, 1_700_000_000_123)))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


def test_ids_of_one_millisecond_ascend() -> None:
    made = [new_uuid(1_700_000_000_000) for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000


@given(st.lists(st.integers(0, 2**41), min_size=2, max_size=20))
def test_ids_sort_by_time(moments: list[int]) -> None:
    made = [new_uuid(moment) for moment in sorted(set(moments))]
    assert made == sorted(made)


def test_hex_is_read_in_either_case_and_shown_in_lower() -> None:
    assert parse_id(Kind.KEY, "ns_key_" + UUID.upper()) == "ns_key_" + UUID
    assert parse_uuid(UUID.upper()) == UUID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns_key_",
        UUID,
        "ns_evt_" + UUID,
        "NS_KEY_" + UUID,
        "ns_key_" + UUID[:-1],
        f"ns_key_{UUID}\n",
        "ns_key_{" + UUID,
    ],
)
def test_anything_but_the_right_prefix_and_a_uuid_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id(Kind.KEY, text)


def test_a_bare_uuid_is_taken_only_where_it_may_be() -> None:
    assert parse_id(Kind.ORG, UUID, bare=True) == "ns_org_" + UUID
    with pytest.raises(InvalidId):
        parse_id(Kind.ORG, "ns_key_" + UUID, bare=True)
