"""One run of the command: what its shared options say, and from that its output, its server and its names."""

import functools
from typing import TYPE_CHECKING, Any

import typer

from nullspend_cli import settings
from nullspend_cli.patience import SHORT, USUAL, Patience
from nullspend_cli.problems import Problem
from nullspend_cli.terminal import Terminal

# Imported where they are used: help and usage errors need no server.
if TYPE_CHECKING:
    from nullspend_cli import local
    from nullspend_cli.client import Client
    from nullspend_cli.names import Names
    from nullspend_cli.output import Output
    from nullspend_cli.places import Place
    from nullspend_cli.project import Project


class State:
    """The shared options as they were given, and what is built from them once somebody asks."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}

    def given(self, name: str, default: Any = None) -> Any:
        """The value of a shared option, or `default` when it was not given."""
        return self.options.get(name, default)

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """config.toml, read once."""
        return settings.load()

    @functools.cached_property
    def project(self) -> "Project":
        """The nearest project file, read once."""
        from nullspend_cli import project

        return project.nearest()

    def forgive(self) -> None:
        """For `doctor`, which has to run where settings are damaged: they count as empty then."""
        try:
            for name in settings.SETTINGS:
                self.setting(name)
        except Problem:
            from nullspend_cli.project import Project

            self.config, self.project = {}, Project()

    def setting(self, name: str) -> Any:
        """A setting: the project's default, else that of config.toml, else the command's own."""
        return settings.value_of({**self.config, **self.project.defaults}, name)

    @functools.cached_property
    def terminal(self) -> Terminal:
        return Terminal(color=self.given("color") or str(self.setting("color")))

    @functools.cached_property
    def out(self) -> "Output":
        from nullspend_cli.output import Output

        return Output.of(self.options, self.setting, self.terminal)

    @functools.cached_property
    def place(self) -> "Place":
        from nullspend_cli.contexts import choose

        return choose(self.given("context"), self.config, self.project)

    @property
    def chosen_name(self) -> str:
        """The name of the chosen context, whether it can be reached or not."""
        from nullspend_cli.contexts import chosen

        return chosen(self.given("context"), self.config, self.project)[0]

    @functools.cached_property
    def client(self) -> "Client":
        return self.client_with(None)

    def client_with(self, key: str | None) -> "Client":
        return self.client_at(self.place, key)

    def client_at(
        self, place: "Place", key: str | None = None, *, silent: bool = False, patience: Patience = USUAL
    ) -> "Client":
        from nullspend_cli.client import Client
        from nullspend_cli.trace import Trace

        return Client(
            place,
            Trace(self.out.note, verbose=bool(self.given("verbose"))),
            person=self.given("person"),
            key=place.saved_key(key) if key else None,
            **({} if silent else {"waiting": self.terminal.waiting}),
            note=self.out.note,
            patience=patience,
        )

    def connect(self, patience: Patience = USUAL) -> "Client":
        from nullspend_cli.contexts import choose

        place = choose(self.given("context"), self.config, self.project)
        return self.client_at(place, silent=True, patience=patience)

    @functools.cached_property
    def names(self) -> "Names":
        from nullspend_cli.names import Names

        return Names(self.client)


class Run(typer.Context):
    """What a verb gets as its first parameter."""

    @property
    def state(self) -> State:
        return self.find_root().obj

    @property
    def out(self) -> "Output":
        """Where everything is printed."""
        return self.state.out

    @property
    def place(self) -> "Place":
        """The chosen server."""
        return self.state.place

    @property
    def client(self) -> "Client":
        """Requests to the chosen server."""
        return self.state.client

    def client_with(self, key: str | None) -> "Client":
        """Requests that use the saved key of this name, instead of the server's default one."""
        return self.state.client_with(key) if key else self.client

    def connect(self) -> "Client":
        """Requests to the chosen server as it is now: a daemon that was restarted has another address and token.
        Without a spinner, for what goes on for long."""
        return self.state.connect()

    def connect_briefly(self) -> "Client":
        """As `connect`, for a screen that asks again anyway: a server that hangs is given up on after a few seconds."""
        return self.state.connect(SHORT)

    def client_of(self, daemon: "local.State") -> "Client":
        """Requests to one daemon of this machine, whatever the chosen server is."""
        from nullspend_cli.places import LOCAL, Place

        return self.state.client_at(Place(LOCAL, "--data-dir", daemon.url, daemon=daemon))

    @property
    def names(self) -> "Names":
        """Names for ids and ids for names, on the chosen server."""
        return self.state.names

    def given(self, name: str, default: Any = None) -> Any:
        """A shared option of this verb."""
        return self.state.given(name, default)

    def rows_wanted(self, limit: int | None) -> int:
        """How many rows a list shows: `--limit`, else the setting; 0 is all."""
        return int(self.state.setting("limit")) if limit is None else limit
