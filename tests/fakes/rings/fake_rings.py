"""Keyrings for commands under test, chosen with PYTHON_KEYRING_BACKEND; this folder goes on their PYTHONPATH."""

import json
import os
from pathlib import Path

import keyring.backend
from keyring.errors import PasswordDeleteError


class Working(keyring.backend.KeyringBackend):
    """Keeps everything in a file that only the test looks at."""

    priority = 1  # type: ignore[assignment]

    @property
    def _path(self) -> Path:
        return Path(os.environ["FAKE_RING"])

    def _all(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps({**self._all(), f"{service} {username}": password}))

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not there")
        self._path.write_text(json.dumps(kept))


class Forgetful(Working):
    """Takes a secret without complaint and does not have it afterwards."""

    def get_password(self, service: str, username: str) -> str | None:
        return None
