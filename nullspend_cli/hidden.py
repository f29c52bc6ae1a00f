"""A line typed or pasted without showing it, of any length."""

import os
import sys

_BACKSPACES = ("\x7f", "\x08")
_LINE_ENDS = ("\r", "\n")
_CTRL_D, _CTRL_U = "\x04", "\x15"


def hidden_line() -> str:
    """What is typed on the terminal of standard input, up to Enter.

    getpass would let the terminal collect the line, and that stops at 4095 characters; a browser's cookies are longer.
    """
    if os.name != "posix":
        import getpass

        return getpass.getpass("")
    return _read_raw(sys.stdin.fileno())


def _read_raw(descriptor: int) -> str:
    import termios

    before = termios.tcgetattr(descriptor)
    quiet = list(before)
    quiet[3] &= ~(termios.ICANON | termios.ECHO)  # Ctrl-C still interrupts
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        return _line(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _line(descriptor: int) -> str:
    import codecs

    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    line = ""
    while True:
        chunk = os.read(descriptor, 1)
        for char in decode(chunk):
            if char in _LINE_ENDS or char == _CTRL_D:
                return line
            line = "" if char == _CTRL_U else line[:-1] if char in _BACKSPACES else line + char
        if not chunk:
            return line
