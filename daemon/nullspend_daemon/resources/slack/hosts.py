"""Slack's addresses, the stand-in that tests put in their place, and webhook URLs: their rules and their mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from nullspend_daemon.errors import ValidationFailed
from nullspend_daemon.settings import Settings

HOOKS = "hooks.slack.com"
API = "https://slack.com"
_PATHS = ("/services/", "/workflows/", "/triggers/")
_HIDDEN = "****"


@dataclass(frozen=True, slots=True)
class Slack:
    """How Slack is reached, and what this daemon knows of its app there."""

    stand_in: str | None
    bot_token: str | None
    channel: str | None
    signing_secret: str | None

    @property
    def threads(self) -> bool:
        """Whether messages can be sent that later ones answer."""
        return bool(self.bot_token and self.channel)

    def target(self, url: str) -> str:
        """Where a request to one of Slack's URLs goes: there, or to the stand-in."""
        return url if self.stand_in is None else self.stand_in + urlsplit(url).path

    def check_url(self, url: str) -> None:
        """Raises ValidationFailed at `webhookUrl` for what is no incoming webhook of Slack's."""
        problem = self._problem(url)
        if problem is not None:
            raise ValidationFailed.at(["webhookUrl"], problem)

    def _problem(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return "Must be a URL"
        if not url.isprintable() or " " in url or "\\" in url:
            return "Must be a URL"
        if not self._is_slack(parts):
            return f"Must start with https://{HOOKS}/"
        if "?" in url or "#" in url:
            return "Must not have a query or a fragment"
        return None if parts.path.startswith(_PATHS) else f"The path must start with {', '.join(_PATHS)}"

    def _is_slack(self, parts: SplitResult) -> bool:
        if (parts.scheme, parts.netloc.lower()) == ("https", HOOKS):
            return True
        return (
            self.stand_in is not None
            and parts.scheme in ("http", "https")
            and parts.netloc == urlsplit(self.stand_in).netloc
        )


def slack_of(settings: Settings) -> Slack:
    """What the settings say; a stand-in counts only without `--hosted`."""
    given = settings.environment
    return Slack(
        stand_in=None if settings.hosted else _stand_in(given),
        bot_token=given.get("SLACK_BOT_TOKEN") or None,
        channel=given.get("SLACK_CHANNEL_ID") or None,
        signing_secret=given.get("SLACK_SIGNING_SECRET") or None,
    )


def _stand_in(given: Mapping[str, str]) -> str | None:
    """`127.0.0.1:8123` or a whole `https://...`; plain http unless it says otherwise."""
    text = given.get("NULLSPEND_SLACK_HOST", "").rstrip("/")
    if not text:
        return None
    return text if "://" in text else f"http://{text}"


def masked(url: str) -> str:
    """A webhook URL without its secret: of `/services/T1/B2/abcdef` the first word and the secret's start stay."""
    parts = urlsplit(url)
    first, *rest = parts.path.strip("/").split("/")
    hidden = [_HIDDEN] * len(rest)
    if len(rest) >= 3:
        hidden[2] = rest[2][:4] + _HIDDEN
    return f"{parts.scheme}://{parts.netloc}/" + "/".join([first, *hidden])
