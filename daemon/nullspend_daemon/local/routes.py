"""/_local/*"""

from nullspend_daemon.http.caller import ADMIN, PUBLIC
from nullspend_daemon.http.openapi import get_document
from nullspend_daemon.http.route import Route
from nullspend_daemon.local import billing, control, holds, live, people, prices, webhooks
from nullspend_daemon.local.models import (
    AnyObject,
    BackedUp,
    Backup,
    Check,
    Checked,
    Info,
    MoveClock,
    Now,
    Reset,
    SetPlan,
    Success,
)
from nullspend_daemon.resources.billing.models import SubscriptionReply

ROUTES = [
    Route(method="GET", path="/_local/info", auth=PUBLIC, reply=Info, runs=control.get_info),
    Route(method="GET", path="/_local/openapi.json", auth=PUBLIC, reply=AnyObject, runs=get_document),
    *people.ROUTES,
    *billing.ROUTES,
    *holds.ROUTES,
    *prices.ROUTES,
    *live.ROUTES,
    *webhooks.ROUTES,
    Route(method="GET", path="/_local/clock", auth=ADMIN, reply=Now, runs=control.get_clock, errors=("conflict",)),
    Route(
        method="POST",
        path="/_local/clock",
        auth=ADMIN,
        body=MoveClock,
        reply=Now,
        runs=control.move_clock,
        errors=("conflict",),
    ),
    Route(
        method="POST",
        path="/_local/plan",
        auth=ADMIN,
        body=SetPlan,
        reply=SubscriptionReply,
        writes=control.set_plan,
        errors=("not_found",),
    ),
    Route(method="POST", path="/_local/reset", auth=ADMIN, body=Reset, reply=Success, runs=control.reset),
    Route(
        method="POST",
        path="/_local/backup",
        auth=ADMIN,
        body=Backup,
        reply=BackedUp,
        runs=control.back_up,
        errors=("conflict",),
    ),
    Route(method="POST", path="/_local/check", auth=ADMIN, body=Check, reply=Checked, runs=control.check),
    Route(method="POST", path="/_local/stop", auth=ADMIN, reply=Success, runs=control.stop, status=202),
]
