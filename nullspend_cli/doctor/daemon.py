"""The daemon of this machine as every check sees it: asked once, since one that hangs takes its seconds each time."""

import functools

from nullspend_cli import local


@functools.cache
def found() -> local.State | local.Silent | None:
    """The daemon that answers, the one that lives and does not, or None."""
    try:
        return local.answering()
    except local.Silent as silent:
        return silent


def running() -> local.State | None:
    """The daemon that answers, or None."""
    daemon = found()
    return None if isinstance(daemon, local.Silent) else daemon
