import pytest

from nullspend_cli import formats
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import money
from nullspend_cli.tables import column

COLUMNS = (
    column("name"),
    column("spendMicrodollars", "SPENT", money),
    column("tags"),
    column("active"),
    column("left", value=lambda row: 100 - row["spendMicrodollars"]),
)


def test_csv_has_field_names_raw_values_and_nested_json() -> None:
    rows = [{"name": 'say "hi", please', "spendMicrodollars": 7, "tags": {"team": "ü"}, "active": True}]
    assert formats.csv_text(COLUMNS, rows) == (
        'name,spendMicrodollars,tags,active,left\n"say ""hi"", please",7,"{""team"": ""ü""}",true,93\n'
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-2", "'-2"),
        ("@sum", "'@sum"),
        ("fine = ok", "fine = ok"),
        ("\t=1", r"\t=1"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
    ],
)
def test_a_csv_cell_is_neither_a_formula_nor_an_escape_sequence(text: str, cell: str) -> None:
    assert formats.csv_text([column("name")], [{"name": text}]) == f"name\n{cell}\n"


def test_a_negative_number_stays_a_number() -> None:
    assert formats.csv_text([column("n")], [{"n": -5}, {"n": None}]) == 'n\n-5\n""\n'


def test_an_empty_csv_is_its_header() -> None:
    assert formats.csv_text(COLUMNS, []) == "name,spendMicrodollars,tags,active,left\n"


def test_fields_are_picked_in_the_order_given() -> None:
    rows = [{"a": 1, "b": 2}, {"a": 3, "c": 4}]
    assert list(formats.pick(rows, ["c", "a"])) == [{"c": None, "a": 1}, {"c": 4, "a": 3}]
    assert list(formats.pick(rows, None)) == rows


def test_an_unknown_field_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(Usage, match=r"There is no field 'z'; there are a, b\."):
        list(formats.pick([{"a": 1, "b": 2}], ["a", "z"]))
    assert list(formats.pick([], ["z"])) == []


def test_json_keeps_letters_and_escapes_what_a_terminal_would_obey() -> None:
    assert formats.line({"name": "ü\x9b\u202e\x1b"}) == '{"name": "ü\\u009b\\u202e\\u001b"}\n'
    assert formats.pretty([]) == "[]\n"


def test_jq_prints_texts_as_they_are_and_the_rest_as_json() -> None:
    value = [{"name": "a\x1b", "n": 1}, {"name": "b", "n": 2}]
    assert formats.through_jq(".[].name", value) == "a\\x1b\nb\n"
    assert formats.through_jq("map(.n)", value) == "[1, 2]\n"
    assert formats.through_jq("empty", value) == ""


def test_a_jq_program_that_fails_is_a_usage_error() -> None:
    with pytest.raises(Usage, match="The jq program failed"):
        formats.through_jq(".[", [])
    with pytest.raises(Usage, match="The jq program failed"):
        formats.through_jq(".a", [1])


def test_ids_are_lines_and_a_record_without_one_is_an_error() -> None:
    assert list(formats.id_lines([{"id": "x"}, {"id": "y\n"}], "id")) == ["x\n", "y\\n\n"]
    with pytest.raises(Problem, match="have no 'id' to print"):
        list(formats.id_lines([{"name": "x"}], "id"))
