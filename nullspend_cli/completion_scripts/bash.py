"""The completion script for bash."""

from nullspend_cli.completion_scripts.words import SAYS, Word, completable, every, parent

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


def script(root: Word) -> str:
    """The completion script for bash."""
    found = every(root)
    steps = [f'            "{parent(path)} {word.name}") at="{path}" ;;' for path, word in found if path]
    values = [
        f'        "{path} {name}") values="{" ".join(flag.values)}" live={flag.live} ;;'
        for path, word in found
        for flag in word.options
        if flag.takes_value
        for name in flag.names
    ]
    positionals = [f'        "{path}") live={word.live} ;;' for path, word in found if word.live]
    listed = [f'        "{path}") words="{" ".join(completable(word))}" ;;' for path, word in found]
    return _BASH.format(
        says=SAYS,
        steps="\n".join(steps),
        positionals="\n".join(positionals),
        values="\n".join(values),
        words="\n".join(listed),
    )
