"""/api/slack"""

from nullspend_daemon.http.caller import SIGNATURE, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.resources.slack import callback, sender, service
from nullspend_daemon.resources.slack.models import CallbackReply, Done, SetSlack, SlackConfig, SlackReply

ROUTES = [
    Route(
        method="GET",
        path="/api/slack/config",
        auth=session("admin"),
        reply=SlackReply,
        reads=service.get_config,
    ),
    Route(
        method="POST",
        path="/api/slack/config",
        auth=session("admin"),
        body=SetSlack,
        reply=SlackConfig,
        writes=service.set_config,
        envelope=Envelope.DATA,
    ),
    Route(
        method="DELETE",
        path="/api/slack/config",
        auth=session("admin"),
        reply=Done,
        writes=service.delete_config,
        errors=("not_found",),
    ),
    Route(
        method="POST",
        path="/api/slack/test",
        auth=session("admin"),
        reply=Done,
        runs=sender.send_trial,
        errors=("not_found", "slack_webhook_error"),
    ),
    Route(
        method="POST",
        path="/api/slack/callback",
        auth=SIGNATURE,
        reply=CallbackReply,
        runs=callback.receive,
        takes_raw_body=True,
    ),
]
