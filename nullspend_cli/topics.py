"""Help that belongs to no single command: `nullspend help TOPIC`."""

from nullspend_cli.problems import EXIT_CODES

_EXIT_CODES = """\
Every command ends with one of these.

{codes}

A script can tell a denial from a failure:

  nullspend events report ... || case $? in
    7) nullspend daemon start ;;
    *) exit 1 ;;
  esac
"""

_ENVIRONMENT = """\
Read by the SDKs and by this command:

  NULLSPEND_BASE_URL    The server: scheme, host and port, as printed by
                        `nullspend daemon env`.
  NULLSPEND_API_KEY     The API key for that server. Without NULLSPEND_BASE_URL
                        this command does not use it: a key belongs to one
                        server and is sent to no other.
  NULLSPEND_PROXY_URL   The proxy in front of the providers; used by the SDKs
                        only.

Read by this command:

  NULLSPEND_CONTEXT     The context to use, as with --context.
  NULLSPEND_SESSION     A Cookie header value for the server of
                        NULLSPEND_BASE_URL.
  NULLSPEND_ORG         The organization to act in: an id such as ns_org_...
  NULLSPEND_CA_FILE     Certificates (PEM) to trust besides the system's;
                        SSL_CERT_FILE replaces the system's.
  NULLSPEND_TIMEOUT     Seconds a server may be silent; 60 unless set.
  NULLSPEND_INSECURE_HTTP
                        Set to anything: accept plain http to another machine.
  NULLSPEND_CONFIG_DIR  Where config.toml and credentials.json are.
  NULLSPEND_DATA_DIR    Where the daemon keeps its data.
  NULLSPEND_NO_INPUT    Set to anything: never ask a question. CI=true means
                        the same.
  NULLSPEND_DEBUG       `api` shows every request and reply, secrets masked;
                        anything else shows where an unexpected error came from.
  NO_COLOR              Set to anything: no colour, as with --color never.
  PAGER                 What shows output longer than the screen; less -FRX
                        unless set.
"""

_OUTPUT = """\
Data goes to stdout, everything else to stderr, so a pipe carries data only.

  on a terminal   A table that fits the screen, with colour.
  in a pipe       The same table, aligned, complete, without colour.
  --json          The server's full records: an array for a list, an object for
                  one thing. An error is {"error": {"code", "message",
                  "details"}} on stderr.
  --format jsonl  The same, one record a line, written as it arrives.
  --format csv    The table's columns with plain values: money in microdollars,
                  times in ISO.
  --format ids    Ids only, one a line; -q is short for it.
  --fields A,B    Only these fields, in this order; works with all of the above.
  --jq PROGRAM    The JSON through a jq program
                  (pip install 'nullspend-cli[jq]').

Text from the server is never interpreted: control and bidi characters are
shown as visible escapes such as \\x1b, and a csv cell that a spreadsheet would
run as a formula starts with an apostrophe.

  nullspend keys list --jq '.[].name'
  nullspend events list --limit 0 --format csv > events.csv
  nullspend keys list -q | xargs -n1 nullspend keys delete --yes
"""

_CONTEXTS = """\
A context is a server with the credentials for it. `local` is the daemon of
this machine; it is always there, needs no credentials, and is used unless
something else is said.

The first of these that is given wins:

  1. --context NAME
  2. NULLSPEND_CONTEXT, then NULLSPEND_BASE_URL with NULLSPEND_API_KEY and
     NULLSPEND_SESSION
  3. the nearest file .nullspend.toml in this folder or one above it
  4. the context chosen with `nullspend contexts use NAME`
  5. local

A project file names a context of this machine, perhaps an organization and
defaults for color, format and limit. It never holds an address, a header or a
secret:

  context = "production"
  org = "ns_org_..."
  [defaults]
  limit = 20

`nullspend orgs switch ORG` changes the organization commands act in, until the
next switch; NULLSPEND_ORG and a project file's `org` come before it.

Credentials are tried before they are kept: in the system's keyring, or in
credentials.json, which only you can read, where no keyring keeps them. They
are sent to their own server and to no other, and redirects are not followed.
Some commands need a session, some an API key; sign in with both to use all of
them. A session is the whole Cookie header of a signed-in browser.

  nullspend auth login --server https://nullspend.example.com --context work
  nullspend auth status --check
  nullspend push --to work
  nullspend doctor --context work
"""

_MONEY = """\
Amounts are dollars unless a unit says otherwise:

  5   $5   5.00   5usd      five dollars
  250c                      two dollars and fifty cents
  5000000u                  five dollars, in microdollars

A microdollar, a millionth of a dollar, is the smallest amount there is; the
API counts in them. Finer, negative or endless amounts are refused. Quote $ in
a shell: '$5'.

Tables show cents, and six decimals where cents would hide a part of the
amount. JSON and csv hold whole microdollars.
"""


def _exit_codes() -> str:
    return _EXIT_CODES.format(codes="\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()))


TOPICS: dict[str, str] = {
    "exit-codes": _exit_codes(),
    "environment": _ENVIRONMENT,
    "output": _OUTPUT,
    "contexts": _CONTEXTS,
    "money": _MONEY,
}
