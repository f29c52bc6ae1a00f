"""Slack's configuration on the wire."""

from typing import Annotated, Literal

from nullspend_daemon.http.wire import Absent, Wire, sized, trimmed


class SetSlack(Wire):
    """Body of POST /api/slack/config; what is left out is reset."""

    webhook_url: Annotated[str, sized(1, 2048)]
    channel_name: Absent[Annotated[str, trimmed(0, 80)]] = None
    slack_user_id: Absent[Annotated[str, trimmed(1, 30)]] = None
    is_active: bool = True


class SlackConfig(Wire):
    """The configuration in every reply, its URL masked."""

    id: str
    webhook_url: str
    channel_name: str | None
    slack_user_id: str | None
    is_active: bool
    created_at: str
    updated_at: str


class SlackReply(Wire):
    """Reply of GET /api/slack/config: null before anything is set up."""

    data: SlackConfig | None


class Done(Wire):
    """Reply of DELETE /api/slack/config and POST /api/slack/test."""

    success: Literal[True]


class CallbackReply(Wire):
    """Reply of POST /api/slack/callback: what Slack does with the message whose button was pressed."""
