import json
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import pytest
from keyring.errors import PasswordDeleteError, PasswordSetError

from nullspend_cli import credentials
from nullspend_cli.credentials import Kept
from nullspend_cli.problems import Problem

HERE, THERE = "https://here.example", "https://there.example"


class Memory(keyring.backend.KeyringBackend):
    """A keyring that works."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


class Forgetful(Memory):
    """A keyring that takes a secret without complaint and does not have it afterwards."""

    def get_password(self, service: str, username: str) -> str | None:
        return None


class Broken(Memory):
    """A keyring whose platform says no."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("locked")

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError("no bus")

    def delete_password(self, service: str, username: str) -> None:
        raise RuntimeError("no bus")


@pytest.fixture(autouse=True)
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    monkeypatch.setenv("NULLSPEND_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def ring() -> Iterator[Memory]:
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def use(ring: Memory, other: Memory) -> None:
    keyring.set_keyring(other)


def test_a_keyring_that_works_keeps_the_secret_and_no_file_is_made(ring: Memory, config_dir: Path) -> None:
    assert credentials.save(HERE, "key", "s3cret") is Kept.KEYRING
    assert credentials.load(HERE, "key") == "s3cret"
    assert not config_dir.exists()


@pytest.mark.parametrize("kind", [Forgetful, Broken])
def test_a_keyring_that_forgets_or_fails_is_replaced_by_a_file_only_its_owner_can_read(
    ring: Memory, kind: type[Memory], config_dir: Path
) -> None:
    use(ring, kind())
    assert credentials.save(HERE, "key", "s3cret") is Kept.FILE
    assert credentials.load(HERE, "key") == "s3cret"
    assert stat.S_IMODE((config_dir / "credentials.json").stat().st_mode) == 0o600
    credentials.forget(HERE, "key")
    assert credentials.load(HERE, "key") is None


def test_a_cookie_too_long_for_a_keyring_goes_to_the_file(ring: Memory) -> None:
    assert credentials.save(HERE, "session", "c" * 4000) is Kept.FILE
    assert credentials.load(HERE, "session") == "c" * 4000
    assert ring.kept == {}


def test_a_secret_that_moves_to_the_keyring_leaves_the_file(ring: Memory, config_dir: Path) -> None:
    credentials.save(HERE, "session", "c" * 4000)
    credentials.save(HERE, "session", "short")
    assert json.loads((config_dir / "credentials.json").read_text()) == {}
    assert credentials.load(HERE, "session") == "short"


def test_a_secret_is_handed_out_for_its_own_server_only(ring: Memory) -> None:
    credentials.save(HERE, "key", "s3cret")
    assert credentials.load(THERE, "key") is None
    assert credentials.load(HERE, "session") is None


def test_a_file_that_others_can_read_is_refused_with_the_command_that_mends_it(ring: Memory, config_dir: Path) -> None:
    use(ring, Broken())
    credentials.save(HERE, "key", "s3cret")
    (config_dir / "credentials.json").chmod(0o644)
    with pytest.raises(Problem, match="can be read by other users") as refused:
        credentials.load(HERE, "key")
    assert refused.value.next == f"chmod 600 '{config_dir / 'credentials.json'}'"


@pytest.mark.parametrize("content", ["not json", "[]", '{"a": 1}'])
def test_a_damaged_file_is_said_to_be_damaged(ring: Memory, config_dir: Path, content: str) -> None:
    config_dir.mkdir()
    (config_dir / "credentials.json").write_text(content)
    (config_dir / "credentials.json").chmod(0o600)
    with pytest.raises(Problem, match=r"credentials\.json is damaged"):
        credentials.load(HERE, "key")


def test_a_link_in_place_of_the_file_is_replaced_and_not_written_through(
    ring: Memory, config_dir: Path, tmp_path: Path
) -> None:
    use(ring, Broken())
    config_dir.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("{}")
    victim.chmod(0o600)
    (config_dir / "credentials.json").symlink_to(victim)
    credentials.save(HERE, "key", "s3cret")
    assert victim.read_text() == "{}"
    assert not (config_dir / "credentials.json").is_symlink()
