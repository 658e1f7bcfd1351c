"""A client of the Language Server Protocol over the standard streams of a real process, with nothing of pygls in it."""

import json
import queue
import re
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

WAIT = 20
"""Seconds for an answer, with slack for a loaded machine."""


class Client:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.versions: dict[str, int] = {}
        self.passed: list[Any] = []
        """Messages that came while another was waited for."""
        self._arrived: queue.Queue[Any] = queue.Queue()
        self._number = 0
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        """Each message is a header of one length, then exactly its JSON; anything else on the stream is a fault."""
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            name, _, length = header.partition(b": ")
            if name == b"Content-Type":
                continue
            if name != b"Content-Length":
                self._arrived.put({"stray": header})
                return
            while stream.readline() not in (b"\r\n", b""):
                pass
            self._arrived.put(json.loads(stream.read(int(length))))
        self._arrived.put({"closed": True})

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any = None) -> Any:
        """The result; an error of the server fails the test."""
        answer = self.answer(self.begin(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def begin(self, method: str, params: Any = None) -> int:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        return self._number

    def answer(self, number: int) -> Any:
        return self.wait(lambda message: message.get("id") == number and "method" not in message)

    def wait(self, wanted: Any, seconds: float = WAIT) -> Any:
        """The next message that is wanted; what passes by is kept."""
        for at, message in enumerate(self.passed):
            if wanted(message):
                return self.passed.pop(at)
        while True:
            message = self._arrived.get(timeout=seconds)
            assert "stray" not in message, message
            if wanted(message):
                return message
            assert "closed" not in message, "the server went away"
            self.passed.append(message)

    # --- what an editor does --------------------------------------------------------------------------------

    def start(self, **capabilities: Any) -> Any:
        result = self.request("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str) -> list[Any]:
        self.versions[uri] = 1
        document = {"uri": uri, "languageId": "markdown", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self.diagnostics(uri)

    def change(self, uri: str, text: str) -> None:
        self.versions[uri] += 1
        document = {"uri": uri, "version": self.versions[uri]}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def diagnostics(self, uri: str) -> list[Any]:
        """Those of the document's newest version."""
        published = self.wait(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
                and message["params"].get("version", self.versions[uri]) == self.versions[uri]
            )
        )
        found: list[Any] = published["params"]["diagnostics"]
        return found

    def ask(self, what: str, uri: str, line: int = 0, character: int = 0, **more: Any) -> Any:
        """`hover` and the like, at a place counted from 0."""
        place = {"line": line, "character": character}
        return self.request(f"textDocument/{what}", {"textDocument": {"uri": uri}, "position": place, **more})

    def actions(self, uri: str, place: Any, *only: str) -> Any:
        context = {"diagnostics": [], **({"only": list(only)} if only else {})}
        return self.request(
            "textDocument/codeAction", {"textDocument": {"uri": uri}, "range": place, "context": context}
        )

    def stop(self) -> tuple[int, str]:
        """The exit code, and what was said on standard error."""
        assert self.request("shutdown") is None
        self.notify("exit")
        return self.end()

    def end(self) -> tuple[int, str]:
        """Close the stream and wait."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        code = self.process.wait(WAIT)
        said = self.process.stderr.read().decode()
        self.close()
        return code, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, however it stands."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def uri_of(path: Path) -> str:
    return path.as_uri()


def edited(text: str, edits: list[Any]) -> str:
    """A text after edits of the protocol: lines end as it has it, characters are UTF-16 code units."""
    starts = [0, *(end.end() for end in re.finditer(r"\r\n|\n|\r", text))]
    raw = text.encode("utf-16-le")

    def offset(place: Any) -> int:
        return len(text[: starts[place["line"]]].encode("utf-16-le")) + 2 * int(place["character"])

    for edit in sorted(edits, key=lambda each: offset(each["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        raw = raw[:start] + edit["newText"].encode("utf-16-le") + raw[end:]
    return raw.decode("utf-16-le")
