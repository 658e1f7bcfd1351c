"""Runs for others: over HTTP, and as pages."""

from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.cli.table.run import RUN
from workermd.cli.table.shared import CONFIG, LEDGER, NO_CONFIG, QUIET

SERVE = CommandSpec(
    ("serve",),
    "Serve contracts over HTTP: run, look, cancel, decide. Every caller needs a token.",
    (
        ArgumentSpec(
            "specs",
            "Contracts: files, folders (searched for *.worker.md), globs, or names of a registry.",
            "SPEC",
            many=True,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(("--host",), "text", "The address to listen on.", "ADDRESS", default="127.0.0.1"),
        OptionSpec(("--port",), "count", "The port to listen on; 0 takes a free one.", "N", default=8420),
        OptionSpec(("--jobs", "-j"), "count", "Runs at a time. Default: as many as there are cores.", "N"),
        OptionSpec(("--queue",), "count", "Runs that wait for their turn; more get 429. Default: 4 for each job.", "N"),
        OptionSpec(
            ("--tokens",),
            "text",
            "Who may call: a file of lines NAME:TOKEN that only its owner reads. Default: one token is made and shown once.",
            "FILE",
        ),
        OptionSpec(
            ("--issuer",),
            "text",
            "Let in by access tokens of this authorization server too (OAuth, JWT), as clients of MCP get them.",
            "URL",
        ),
        OptionSpec(
            ("--public",), "many", "The address under which a proxy shows this server, https://HOST. Repeatable.", "URL"
        ),
        OptionSpec(("--tls-cert",), "text", "Serve HTTPS with this certificate (PEM).", "FILE"),
        OptionSpec(("--tls-key",), "text", "The certificate's key (PEM).", "FILE"),
        OptionSpec(("--cluster",), "flag", "Hand the runs to the nodes that share a ledger in PostgreSQL."),
        OptionSpec(
            ("--cluster-queue",),
            "text",
            "With --cluster: the queue that nodes take them from.",
            "NAME",
            default="default",
        ),
        OptionSpec(("--engine",), "text", "With --cluster: what brings runs to nodes.", "NAME", default="ledger"),
        OptionSpec(("--rate",), "count", "Requests a minute that one caller may send.", "N", default=6000),
        OptionSpec(
            ("--grace",),
            "number",
            "At its end, wait so long for runs before they are interrupted.",
            "SECONDS",
            default=30.0,
        ),
        OptionSpec(
            ("--access-log",), "flag", "Write a JSON line for every request to standard error; no secret is in it."
        ),
        OptionSpec(
            ("--a2a",), "flag", "Each contract as a skill of the Agent2Agent protocol, beside the rest at /a2a."
        ),
        OptionSpec(
            ("--mcp",),
            "text",
            "Each contract as a tool of the Model Context Protocol: http beside the rest at /mcp, or stdio instead of it.",
            "stdio|http",
            ("stdio", "http"),
        ),
        OptionSpec(
            ("--mcp-run-id",),
            "text",
            "Who names the run of a tool's call: the server, for every call anew, or the model.",
            "server|model",
            ("server", "model"),
            "server",
        ),
        *(option for option in RUN.options if option.flags[0] == "--sandbox"),
        QUIET,
        LEDGER,
        CONFIG,
        NO_CONFIG,
    ),
)

STUDIO = CommandSpec(
    ("studio",),
    "Show runs, contracts and what waits for a person as pages in a browser, and run and decide there.",
    (
        ArgumentSpec(
            "specs",
            "Contracts: files, folders (searched for *.worker.md), globs, or names of a registry. Default: this folder.",
            "SPEC",
            many=True,
            required=False,
            offers="contracts",
        ),
    ),
    (
        OptionSpec(
            ("--edit",),
            "text",
            "Let the browser change contracts and bindings of models in this folder, through a diff. On loopback only.",
            "DIR",
        ),
        *(
            option
            for option in SERVE.options
            if option.flags[0] in ("--host", "--jobs", "--queue", "--public", "--tls-cert", "--tls-key", "--grace")
        ),
        OptionSpec(("--port",), "count", "The port to listen on; 0 takes a free one.", "N", default=8421),
        *SERVE.options[-5:],
    ),
)
