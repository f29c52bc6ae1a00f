"""The completion script for PowerShell."""

from nullspend_cli.completion_scripts.words import SAYS, Word, completable, every

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


def script(root: Word) -> str:
    """The completion script for PowerShell."""
    found = every(root)
    listed = [f"        '{path}' = '{' '.join(completable(word))}'" for path, word in found]
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
    return _POWERSHELL.format(says=SAYS, words="\n".join(listed), values="\n".join(values), lives="\n".join(lives))
