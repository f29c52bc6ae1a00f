"""The completion script for fish."""

from nullspend_cli.completion_scripts.words import SAYS, Flag, Word


def script(root: Word) -> str:
    """The completion script for fish."""
    nouns = " ".join(noun.name for noun in root.below)
    lines = [f"# fish completion for nullspend. {SAYS} fish", f"set -l nouns {nouns}"]
    nothing_yet = "not __fish_seen_subcommand_from $nouns"
    for noun in root.below:
        lines.append(_fish_line(nothing_yet, f"-f -a {noun.name} -d {_fish_quoted(noun.help)}"))
        verbs = " ".join(verb.name for verb in noun.below)
        here = f"__fish_seen_subcommand_from {noun.name}"
        if verbs:
            no_verb = f"{here}; and not __fish_seen_subcommand_from {verbs}"
            lines += [_fish_line(no_verb, f"-f -a {verb.name} -d {_fish_quoted(verb.help)}") for verb in noun.below]
        shared = (
            [flag for flag in noun.below[0].options if all(flag in verb.options for verb in noun.below)]
            if verbs
            else ()
        )
        lines += [_fish_line(here, _fish_flag(flag)) for flag in shared or noun.options]
        if noun.live:
            lines.append(_fish_line(here, _fish_live(noun.live)))
        for verb in noun.below:
            where = f"{here}; and __fish_seen_subcommand_from {verb.name}"
            lines += [_fish_line(where, _fish_flag(flag)) for flag in verb.options if flag not in shared]
            if verb.live:
                lines.append(_fish_line(where, _fish_live(verb.live)))
    lines += [_fish_line(nothing_yet, _fish_flag(flag)) for flag in root.options]
    return "\n".join(lines) + "\n"


def _fish_line(condition: str, rest: str) -> str:
    return f"complete -c nullspend -n {_double_quoted(condition)} {rest}"


def _fish_flag(flag: Flag) -> str:
    parts = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names]
    if flag.values:
        parts.append("-x -a " + _fish_quoted(" ".join(flag.values)))
    elif flag.live:
        parts.append("-x " + _fish_live(flag.live).removeprefix("-f "))
    elif flag.takes_value:
        parts.append("-r")
    return " ".join([*parts, "-d", _fish_quoted(flag.help)])


def _fish_live(kind: str) -> str:
    return f"-f -a '(nullspend --complete {kind} (commandline -ct) 2>/dev/null)'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _double_quoted(text: str) -> str:
    return f'"{text}"'
