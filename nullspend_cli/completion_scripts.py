"""The completion scripts, written from the command tree.

They are static: completing a noun, a verb, an option or one of an option's fixed values starts no Python. Only what
lives on a server - ids, names - is asked for, by `nullspend --complete KIND WORD`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from nullspend_cli.completing import OPTIONS, kind_of
from nullspend_cli.tree import children, options_of, takes_words, values_of


class Word(NamedTuple):
    """A word of the command line, what it means, the options that may follow it, and the words below it."""

    name: str
    help: str
    options: tuple["Flag", ...] = ()
    below: tuple["Word", ...] = ()
    live: str = ""
    """The kind of live value that may follow; empty for none."""


class Flag(NamedTuple):
    """An option: its spellings, its meaning, whether a value follows and which values there are."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...] = ()
    live: str = ""


def words(root: Any) -> Word:
    """The whole tree below a root context."""
    return Word("nullspend", "", _flags(root), tuple(_word(ctx) for ctx in children(root)))


def _word(ctx: Any) -> Word:
    summary = ctx.command.get_short_help_str(limit=100).removesuffix(".")
    below = tuple(_word(child) for child in children(ctx))
    return Word(ctx.info_name, summary, _flags(ctx), below, _live(ctx) if takes_words(ctx) else "")


def _live(ctx: Any) -> str:
    noun = ctx.parent.info_name if ctx.parent and ctx.parent.parent else ""
    return kind_of(noun, ctx.info_name) if noun else kind_of(ctx.info_name, "")


def _flags(ctx: Any) -> tuple[Flag, ...]:
    return tuple(
        Flag(
            tuple(sorted((*option.opts, *option.secondary_opts), key=len)),  # Typer keeps those of --help in a set
            (option.help or "").removesuffix("."),
            not option.is_flag,
            values_of(option),
            next((OPTIONS[name] for name in option.opts if name in OPTIONS and not option.is_flag), ""),
        )
        for option in options_of(ctx)
    )


def _all(root: Word) -> list[tuple[str, Word]]:
    """Every word with the path that leads to it, the root's own path being empty."""
    found = [("", root)]
    for noun in root.below:
        found.append((noun.name, noun))
        found += [(f"{noun.name} {verb.name}", verb) for verb in noun.below]
    return found


_SAYS = "Written from the command tree by: nullspend completion"

_BASH = """\
# bash completion for nullspend. {says} bash
_nullspend() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} at= index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "$at ${{COMP_WORDS[index]}}" in
{steps}
        esac
    done
    local words= values= live=
    case "$at" in
{positionals}
    esac
    case "$at $before" in
{values}
    esac
    if [[ -n $live && $word != -* ]]; then
        local IFS=$'\n'
        COMPREPLY=($(nullspend --complete "$live" "$word" 2>/dev/null | while IFS=$'\t' read -r value about; do
            printf '%q\n' "$value"
        done))
        return
    fi
    if [[ -n $values ]]; then
        COMPREPLY=($(compgen -W "$values" -- "$word"))
        return
    fi
    case "$at" in
{words}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _nullspend nullspend
"""


def _bash(root: Word) -> str:
    found = _all(root)
    steps = [f'            "{_parent(path)} {word.name}") at="{path}" ;;' for path, word in found if path]
    values = [
        f'        "{path} {name}") values="{" ".join(flag.values)}" live={flag.live} ;;'
        for path, word in found
        for flag in word.options
        if flag.takes_value
        for name in flag.names
    ]
    positionals = [f'        "{path}") live={word.live} ;;' for path, word in found if word.live]
    listed = [f'        "{path}") words="{" ".join(_completable(word))}" ;;' for path, word in found]
    return _BASH.format(
        says=_SAYS,
        steps="\n".join(steps),
        positionals="\n".join(positionals),
        values="\n".join(values),
        words="\n".join(listed),
    )


def _parent(path: str) -> str:
    return path.rpartition(" ")[0]


def _completable(word: Word) -> list[str]:
    return [*(below.name for below in word.below), *(name for flag in word.options for name in flag.names)]


_ZSH = """\
#compdef nullspend
# zsh completion for nullspend. {says} zsh
_nullspend_live() {{
    local -a found
    local value about
    while IFS=$'\t' read -r value about; do
        found+=("${{value//:/\\:}}:$about")
    done < <(nullspend --complete "$1" "${{(Q)PREFIX}}" 2>/dev/null)
    _describe -V "$1" found
}}
_nullspend() {{
    local at= index
    for ((index = 2; index < CURRENT; index++)); do
        case "$at ${{words[index]}}" in
{steps}
        esac
    done
    local -a below options
    case "$at" in
{words}
    esac
    case "$at ${{words[CURRENT-1]}}" in
{values}
    esac
    (( ${{#below}} )) && _describe command below
    if [[ ${{words[CURRENT]}} != -* ]]; then
        case "$at" in
{positionals}
        esac
    fi
    if [[ ${{words[CURRENT]}} == -* ]]; then
        _describe option options
    elif (( ! ${{#below}} )); then
        _files
    fi
}}
_nullspend "$@"
"""


def _zsh(root: Word) -> str:
    found = _all(root)
    steps = [f'            "{_parent(path)} {word.name}") at="{path}" ;;' for path, word in found if path]
    values = [
        f'        "{path} {name}") {_zsh_values(flag)}; return ;;'
        for path, word in found
        for flag in word.options
        if flag.takes_value
        for name in flag.names
    ]
    positionals = [f'            "{path}") _nullspend_live {word.live}; return ;;' for path, word in found if word.live]
    listed = [
        f'        "{path}")\n            below=({_zsh_pairs(word.below)})\n            options=({_zsh_flags(word)}) ;;'
        for path, word in found
    ]
    return _ZSH.format(
        says=_SAYS,
        steps="\n".join(steps),
        positionals="\n".join(positionals),
        values="\n".join(values),
        words="\n".join(listed),
    )


def _zsh_values(flag: Flag) -> str:
    if flag.values:
        return f"compadd -- {' '.join(flag.values)}"
    return f"_nullspend_live {flag.live}" if flag.live else "_files"


def _zsh_pairs(below: tuple[Word, ...]) -> str:
    return " ".join(_single_quoted(f"{word.name}:{word.help}") for word in below)


def _zsh_flags(word: Word) -> str:
    return " ".join(_single_quoted(f"{name}:{flag.help}") for flag in word.options for name in flag.names)


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(root: Word) -> str:
    nouns = " ".join(noun.name for noun in root.below)
    lines = [f"# fish completion for nullspend. {_SAYS} fish", f"set -l nouns {nouns}"]
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


_POWERSHELL = """\
# PowerShell completion for nullspend. {says} powershell
Register-ArgumentCompleter -Native -CommandName nullspend -ScriptBlock {{
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @{{
{words}
    }}
    $values = @{{
{values}
    }}
    $lives = @{{
{lives}
    }}
    $path = ''
    $before = ''
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {{
        if ($element.Extent.EndOffset -ge $cursorPosition -and $wordToComplete) {{ break }}
        $text = $element.ToString()
        $before = $text
        $next = "$path $text".Trim()
        if ($words.ContainsKey($next)) {{ $path = $next }}
    }}
    $live = $lives["$path $before".Trim()]
    if (-not $live -and -not $wordToComplete.StartsWith('-')) {{ $live = $lives[$path] }}
    if ($live) {{
        nullspend --complete $live "$wordToComplete" 2>$null | ForEach-Object {{
            $value, $about = $_ -split "`t", 2
            $text = if ($value -match '\\s') {{ "'$($value -replace "'", "''")'" }} else {{ $value }}
            $tip = if ($about) {{ $about }} else {{ $value }}
            [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $tip)
        }}
        return
    }}
    $known = $values["$path $before".Trim()]
    if (-not $known) {{ $known = $words[$path] }}
    $known -split ' ' | Where-Object {{ $_ -and $_.StartsWith($wordToComplete) }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }}
}}
"""


def _powershell(root: Word) -> str:
    found = _all(root)
    listed = [f"        '{path}' = '{' '.join(_completable(word))}'" for path, word in found]
    values = [
        f"        '{f'{path} {name}'.strip()}' = '{' '.join(flag.values)}'"
        for path, word in found
        for flag in word.options
        if flag.values
        for name in flag.names
    ]
    lives = [f"        '{path}' = '{word.live}'" for path, word in found if word.live]
    lives += [
        f"        '{f'{path} {name}'.strip()}' = '{flag.live}'"
        for path, word in found
        for flag in word.options
        if flag.live
        for name in flag.names
    ]
    return _POWERSHELL.format(says=_SAYS, words="\n".join(listed), values="\n".join(values), lives="\n".join(lives))


_WRITERS: dict[str, Callable[[Word], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}
SHELLS = tuple(_WRITERS)
FILES = {"bash": "nullspend.bash", "zsh": "_nullspend", "fish": "nullspend.fish", "powershell": "nullspend.ps1"}
"""What the shipped script of each shell is called."""


def script(shell: str, root: Word) -> str:
    """The completion script of one of SHELLS."""
    return _WRITERS[shell](root)
