"""Where the process starts. `--version` and completions are answered here, before anything heavy is imported."""

import sys

# A command allocates a lot while it imports and then ends: collecting garbage that early finds none and costs a tenth
# of the start.
_COLLECT_AFTER = 50_000


def entry() -> None:
    """The console script: runs the command line of this process and exits with its code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from nullspend_daemon import __version__

        sys.stdout.write(f"nullspend {__version__}\n")
        return
    if arguments[:1] == ["--complete"]:
        from nullspend_cli.completing import complete

        complete(arguments[1:])
    import gc

    gc.set_threshold(_COLLECT_AFTER)
    from nullspend_cli.main import run

    code = run(arguments)
    gc.freeze()  # the process ends: looking for garbage in everything it loaded would take a tenth of its time
    sys.exit(code)


if __name__ == "__main__":
    entry()
