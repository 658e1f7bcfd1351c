"""The task of a case as a POSIX shell script: it marks its start, keeps what it was given, and makes the next move.

What it leaves in the folder of its case: a line in `starts` for each start, `task.N.json` and `environment.N`, and lines
in `beats` for as long as something that it started lives. A file `over` ends all of it.
"""

import json
import os
import shlex
from typing import Any

_HEAD = """\
#!/bin/sh
cd {folder} || exit 71
echo x >> starts
n=$(($(wc -l < starts)))
cat > task.$n.json
env > environment.$n
beat() {{ i=0; while [ ! -e over ] && [ $i -lt 600 ]; do echo x >> beats; i=$((i+1)); sleep 0.05; done; }}
"""

_BEAT = "i=0; while [ ! -e over ] && [ $i -lt 600 ]; do echo x >> beats; i=$((i+1)); sleep 0.05; done"


def write(folder: str, moves: tuple[dict[str, Any], ...], places: dict[str, str]) -> str:
    """Write the script of these moves, and return its path."""
    branches = []
    for number, move in enumerate(moves, 1):
        pattern = "*" if number == len(moves) else str(number)
        branches.append(f"{pattern})\n{_move(folder, number, move, places)};;\n")
    path = os.path.join(folder, "task")
    text = _HEAD.format(folder=shlex.quote(folder)) + f"case $n in\n{''.join(branches)}esac\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o700)
    return path


def _move(folder: str, number: int, move: dict[str, Any], places: dict[str, str]) -> str:
    lines = []
    if "says" in move:
        lines.append(f"printf '%s\\n' {shlex.quote(move['says'])} >&2")
    if "leaves" in move:
        quiet = "< /dev/null > /dev/null 2>&1 &"
        lines.append(f"setsid sh -c {shlex.quote(_BEAT)} {quiet}" if move["leaves"] == "session" else f"beat {quiet}")
        lines.append("while [ ! -e beats ]; do sleep 0.01; done")
    if "seconds" in move:
        lines.append(f"sleep {move['seconds']}")
    if move.get("hangs"):
        lines.append("beat")
    if "shell" in move:
        lines.append(_placed(move["shell"], places))
    if "reply" in move or "prints" in move:
        text = move["prints"] if "prints" in move else json.dumps(move["reply"], ensure_ascii=False)
        with open(os.path.join(folder, f"reply.{number}"), "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(_placed(text, places))
        lines.append(f"cat reply.{number}")
    if "bytes" in move:
        lines.append(f"head -c {move['bytes']} /dev/zero | tr '\\0' x")
    if "signal" in move:
        lines.append(f"kill -{move['signal']} $$")
    lines.append(f"exit {move.get('exit', 0)}")
    return "\n".join(lines)


def _placed(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text
