from tests.machine import Machine


def test_a_setting_is_changed_shown_and_unset(machine: Machine) -> None:
    assert machine.run("config", "set", "limit", "20").err == "limit is now 20.\n"
    assert machine.run("config", "get", "limit", "--json").json["value"] == 20
    assert machine.run("config", "unset", "limit").err == "limit is 50 again.\n"
    assert machine.run("config", "get", "limit", "--json").json["setBy"] == "default"


def test_changing_a_setting_keeps_everything_else_in_the_file(machine: Machine) -> None:
    machine.config.mkdir()
    before = '# mine\ncolor = "never"   # no colours\n\n[other]\nkept = true\n'
    (machine.config / "config.toml").write_text(before)
    machine.run("config", "set", "color", "always")
    assert (machine.config / "config.toml").read_text() == before.replace("never", "always")


def test_a_setting_that_is_none_and_a_value_that_is_none_say_what_there_is(machine: Machine) -> None:
    unknown = machine.run("config", "set", "colour", "auto")
    assert (unknown.code, unknown.err) == (
        2,
        "error: There is no setting 'colour'; there are color, format, limit, pager.\nnext: nullspend config list\n",
    )
    wrong = machine.run("config", "set", "color", "blue")
    assert (wrong.code, wrong.err) == (2, "error: color is one of auto, always, never, not 'blue'.\n")
    assert machine.run("config", "set", "limit", "-1").code == 2


def test_a_corrupt_config_file_is_a_sentence_with_the_line_and_the_way_out(machine: Machine) -> None:
    machine.config.mkdir()
    path = machine.config / "config.toml"
    path.write_text("limit = \n")
    for command in (("keys", "list"), ("config", "list"), ("config", "set", "limit", "5")):
        result = machine.run(*command)
        assert (result.code, result.out) == (1, "")
        assert result.err == (
            f"error: {path} is damaged: Invalid value (at line 1, column 9)\n"
            f"next: Correct that line, or start afresh: mv '{path}' '{path}.broken'\n"
        )


def test_a_config_file_that_is_not_text_is_damaged_too(machine: Machine) -> None:
    machine.config.mkdir()
    (machine.config / "config.toml").write_bytes(b"\xff\xfe\x00")
    result = machine.run("config", "list")
    assert result.code == 1
    assert "config.toml is damaged" in result.err


def test_nonsense_in_a_setting_names_the_command_that_removes_it(machine: Machine) -> None:
    machine.config.mkdir()
    path = machine.config / "config.toml"
    path.write_text('format = "xml"\n')
    result = machine.run("config", "list")
    assert result.code == 1
    assert result.err == (
        f"error: {path} sets format to 'xml', but it is one of table, json, jsonl, csv, ids.\n"
        "next: nullspend config unset format\n"
    )
    assert machine.run("config", "unset", "format").code == 0


def test_settings_are_defaults_that_options_win_over(machine: Machine) -> None:
    machine.run("config", "set", "format", "json")
    assert machine.run("config", "get", "limit").json["value"] == 50
    assert machine.run("config", "get", "limit", "--format", "csv").out.startswith("name,value,setBy,help\n")


def test_a_folder_that_cannot_be_written_is_a_sentence(machine: Machine) -> None:
    (machine.home / "config").write_text("a file where a folder belongs")
    result = machine.run("config", "set", "limit", "5")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
