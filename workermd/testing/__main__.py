"""`python -m workermd.testing SCRIPT.json`: play a script until ended by Ctrl-C or SIGTERM."""

import argparse
import contextlib
import errno
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from workermd.protocol.errors import OutputUnwritable, UsageError, WorkermdError
from workermd.report import say
from workermd.system.text import printable
from workermd.testing.demands import DIALECTS, FEATURES
from workermd.testing.script import load
from workermd.testing.server import Server
from workermd.testing.turns import Problem, Received, Slow, Turn

_SECRET = ("authorization", "api-key")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when ended by a signal, 2 for a call that cannot be carried out."""
    options = _parser().parse_args(arguments)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's threads, which inherit it
    try:
        turns = load(options.script)
        with contextlib.ExitStack() as stack:
            kept = stack.enter_context(_opened(options.requests)) if options.requests else None
            server = stack.enter_context(_server(turns, options, _watch(kept, options.requests)))
            say.text(f"{server.url}\n")
            signal.sigwait(ends)
            server.close()
            over = f", {server.overrun} after the script's end" if server.overrun else ""
            say.note(f"{len(server.requests)} requests, {server.played} turns played{over}")
    except WorkermdError as error:
        say.error(error)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workermd.testing",
        description="An OpenAI-compatible server on 127.0.0.1 that plays a script instead of a model. "
        "Prints its URL, and one line per request on standard error. Ctrl-C or SIGTERM ends it.",
        epilog="docs/testing.md has the format of scripts.",
    )
    parser.add_argument("script", metavar="SCRIPT.json", help="a JSON array of turns")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port (default: any that is free)")
    parser.add_argument("--requests", default="", metavar="FILE.jsonl", help="append each request, keys masked")
    parser.add_argument("--loop", action="store_true", help="start the script again when it is over")
    parser.add_argument("--strict-schemas", action="store_true", help="refuse schemas that strict endpoints refuse")
    parser.add_argument(
        "--key-env", default="", metavar="VARIABLE", help="ask for the key in this environment variable, else 401"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=sorted(FEATURES),
        metavar="FEATURE",
        help=f"play an endpoint that cannot do it: {', '.join(sorted(FEATURES))}; may be repeated",
    )
    parser.add_argument(
        "--refuses",
        action="append",
        default=[],
        choices=sorted(DIALECTS),
        metavar="WHAT",
        help=f"play an endpoint that refuses it: {', '.join(sorted(DIALECTS))}; may be repeated",
    )
    return parser


def _server(turns: tuple[Turn, ...], options: argparse.Namespace, watch: "_Watch") -> Server:
    key = os.environ.get(options.key_env, "") if options.key_env else ""
    if options.key_env and not key:
        raise UsageError(f"--key-env: the variable {options.key_env} is empty or not set", "set it, or leave it out")
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port: found {options.port}; allowed: 0 to 65535", "0 takes any port that is free")
    try:
        return Server(
            turns,
            key,
            supports=FEATURES - set(options.without),
            refuses=set(options.refuses),
            strict_schemas=options.strict_schemas,
            loop=options.loop,
            port=options.port,
            watch=watch,
        )
    except OSError as error:
        message = f"--port: port {options.port} cannot be used ({os.strerror(error.errno or 0)})"
        raise UsageError(message, "choose another, or leave it out for any that is free") from None


def _opened(path: str) -> io.FileIO:
    try:
        return open(path, "ab", buffering=0)
    except OSError as error:
        message = f"--requests: {path} cannot be written ({error.strerror})"
        raise UsageError(message, "name a file in a folder that exists") from None


_Watch = Callable[[Received, Turn | None], None]


def _watch(kept: io.FileIO | None, path: str) -> _Watch:
    started = time.monotonic()

    def watch(request: Received, turn: Turn | None) -> None:
        sys.stderr.write(printable(f"{request.at - started:8.3f} {_asked(request)}: {_played(turn)}") + "\n")
        sys.stderr.flush()
        if kept is None:
            return
        line = json.dumps(_record(request, started)).encode() + b"\n"
        try:
            whole, why = kept.write(line) == len(line), errno.ENOSPC
        except OSError as error:
            whole, why = False, error.errno or 0
        if not whole:
            raise OutputUnwritable(f"--requests: {path} cannot be written ({os.strerror(why)})", "make room for it")

    return watch


def _asked(request: Received) -> str:
    body = request.body if isinstance(request.body, dict) else {}
    words = [request.method, request.path, str(body.get("model", ""))[:80], "streaming" if body.get("stream") else ""]
    return " ".join(filter(None, words))


def _played(turn: Turn | None) -> str:
    match turn:
        case None:
            return "the models"
        case Problem():
            return f"Problem {turn.status} {turn.message}".rstrip()
        case Slow():
            return f"Slow {turn.seconds:g} s, {_played(turn.turn)}"
    return type(turn).__name__


def _record(request: Received, started: float) -> dict[str, object]:
    """A request as a line of the file; seconds since the start, and no key."""
    headers = {name: "***" if name in _SECRET else value for name, value in request.headers.items()}
    return {
        "at": round(request.at - started, 6),
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers,
        "body": request.body,
    }


if __name__ == "__main__":
    sys.exit(main())
