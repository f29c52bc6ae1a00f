"""The completion script for zsh."""

from nullspend_cli.completion_scripts.words import SAYS, Flag, Word, every, parent

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


def script(root: Word) -> str:
    """The completion script for zsh."""
    found = every(root)
    steps = [f'            "{parent(path)} {word.name}") at="{path}" ;;' for path, word in found if path]
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
        says=SAYS,
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
