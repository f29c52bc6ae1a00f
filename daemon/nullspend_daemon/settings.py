"""What one run of the daemon is told: flags first, then the environment. `--hosted` only changes defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
API_BODY_CAP = 1_048_576
PROXY_BODY_CAP = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run. Times in seconds unless the name says otherwise, sizes in bytes."""

    data_dir: Path
    config_dir: Path
    host: str = "127.0.0.1"
    port: int = 4747
    hosted: bool = False
    test_clock: bool = False
    allow_hosts: tuple[str, ...] = ()
    trust_proxy: bool = False
    rate_limit: int | None = None
    retention_days: int | None = None
    """How long cost events are kept; None is for ever."""
    max_body: int | None = None
    """The largest body of a proxied call."""
    upstreams: tuple[str, ...] = ()
    """What `--upstream` was given: NAME=URL[,free], or fake."""
    upstream_timeout: float | None = None
    """How long a provider may take between two reads."""
    upper_bound: bool = False
    """Hold what a call can cost at most, not what it will probably cost."""
    loop_max_calls: int = 0
    """The repetition at which a call counts as a loop; 0 is never."""
    capture_bodies: bool = False
    body_retention_days: int = 7
    delivery_retention_days: int = 7
    """How long webhook deliveries that are over are kept, and with them their events, for `webhooks resend`."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def key_rate_limit(self) -> int:
        """API requests a key may make in 60 s."""
        return self.rate_limit or (100 if self.hosted else 100_000)

    @property
    def ip_rate_limit(self) -> int | None:
        """API requests an address may make in 60 s; None is off."""
        return 100 if self.hosted else None

    @property
    def proxy_key_limit(self) -> int:
        """Proxied requests a key may make in 60 s."""
        return self.rate_limit or (600 if self.hosted else 100_000)

    @property
    def proxy_ip_limit(self) -> int | None:
        """Proxied requests an address may make in 60 s; None is off."""
        return 120 if self.hosted else None

    @property
    def proxy_body_cap(self) -> int:
        """The largest body of a proxied call."""
        return self.max_body or (API_BODY_CAP if self.hosted else PROXY_BODY_CAP)

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK_HOSTS or self.host.startswith("127.")

    @property
    def database_path(self) -> Path:
        return self.data_dir / "nullspend.db"

    @property
    def state_path(self) -> Path:
        return self.data_dir / "daemon.json"

    @property
    def lock_path(self) -> Path:
        return self.data_dir / "daemon.lock"

    @property
    def secret_path(self) -> Path:
        return self.data_dir / "secret.key"

    @property
    def prices_path(self) -> Path:
        """The user's own price list."""
        return self.config_dir / "prices.toml"

    @property
    def catalogue_path(self) -> Path:
        """The price catalogue that `nullspend prices update` downloaded."""
        return self.data_dir / "catalogue.json"

    @property
    def default_key_path(self) -> Path:
        return self.data_dir / "default-key"
