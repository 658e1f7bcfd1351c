"""Callers who mean harm, on a real socket: docs/serve-hostile.md has the same list in words."""

import asyncio
import json

import httpx
import pytest

from tests.conftest import patience
from tests.serve.serving import JSON, TOKENS, bearer, listening, offered
from workermd.serve import connection

ECHO = "reply({'result': {'said': task['input'].get('task')}})"
SCRIPT = "</script><script>alert(1)</script>"


def request(line, *headers, body=b"", host="127.0.0.1:{port}"):
    lines = [line, f"Host: {host}", f"Authorization: Bearer {TOKENS['ada']}", "Connection: close", *headers, "", ""]
    return lines, body


CUT = b"cut off"
RAW = [
    ("GET /workers HTTP/1.1", [], b"200"),
    ("GET http://evil.example/workers HTTP/1.1", [], b"4"),
    ("GET /../../etc/passwd HTTP/1.1", [], b"404"),
    ("GET /workers/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1", [], b"404"),
    ("GET /workers\x00 HTTP/1.1", [], b"400"),
    ("GET /workers HTTP/1.1", ["Host: evil.example"], b"4"),
    ("GET /workers HTTP/1.1", ["X-Forwarded-Host: evil.example", "X-Forwarded-For: 1.2.3.4"], b"200"),
    ("POST /workers/echo/runs HTTP/1.1", ["Content-Length: 5", "Transfer-Encoding: chunked"], b"4"),
    ("POST /workers/echo/runs HTTP/1.1", ["Content-Length: 5", "Content-Length: 6"], b"400"),
    ("POST /workers/echo/runs HTTP/1.1", ["Content-Length: -1"], b"400"),
    ("POST /workers/echo/runs HTTP/1.1", ["Content-Length: 99999999999", "Content-Type: application/json"], b"413"),
    ("GET /workers HTTP/1.1", ["X-Long: " + "x" * 1_000_000], b"cut"),
    ("GET /workers HTTP/1.1", ["X: a\r\n folded"], b"200"),
    ("GET /workers HTTP/1.1", ["Upgrade: websocket", "Connection: upgrade"], b"200"),
    ("nonsense", [], b"400"),
    ("CONNECT evil.example:443 HTTP/1.1", [], b"4"),
]


def test_odd_requests_get_an_answer_of_one_kind_and_the_server_goes_on(tmp_path, capfd):
    async def scenario():
        found = []
        async with listening(tmp_path, offered(tmp_path, ECHO)) as server:
            for line, headers, _ in RAW:
                lines, body = request(line, *headers)
                data = "\r\n".join(lines).replace("{port}", str(server.port)).encode("latin-1") + body
                found.append((await server.sent(data)).split(b" ")[1:2])
        return found

    found = asyncio.run(scenario())
    wrong = [
        (line, headers, seen)
        for (line, headers, expected), seen in zip(RAW, found, strict=True)
        if not (seen or [CUT])[0].startswith(expected)
    ]
    assert wrong == []
    assert "Traceback" not in capfd.readouterr().err


def test_who_never_finishes_asking_is_cut_off_and_others_are_served(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "HEADER_SECONDS", 0.3)

    async def scenario():
        async with listening(tmp_path, offered(tmp_path, ECHO)) as server:
            slow = asyncio.create_task(server.sent(b"GET /workers HTTP/1.1\r\nHost: "))
            idle = asyncio.create_task(server.sent(b""))
            return [await looked(server), await slow, await idle, await looked(server)]

    async def looked(server):
        async with httpx.AsyncClient(base_url=server.address, headers=bearer("ada")) as client:
            return (await client.get("/workers")).status_code

    served, slow, idle, late = asyncio.run(scenario())
    assert (served, slow, idle, late) == (200, b"", b"", 200)


def test_connections_are_bounded_and_room_comes_back(tmp_path):
    async def scenario():
        async with listening(tmp_path, offered(tmp_path, ECHO), most=20) as server:
            opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(40)]
            cut = 0
            for reader, _ in opened:
                try:
                    async with asyncio.timeout(0.05):
                        await reader.read(1)
                    cut += 1
                except TimeoutError:
                    pass
                except ConnectionResetError:
                    cut += 1
            for _, writer in opened:
                writer.close()
            async with asyncio.timeout(patience(5)):
                while True:
                    try:
                        async with httpx.AsyncClient(base_url=server.address, headers=bearer("ada")) as client:
                            return cut, (await client.get("/workers")).status_code
                    except httpx.HTTPError:
                        await asyncio.sleep(0.05)

    cut, status = asyncio.run(scenario())
    assert cut == 20
    assert status == 200


def test_scripts_in_every_field_stay_text_and_no_secret_is_logged(tmp_path):
    log = []

    async def scenario():
        async with (
            listening(tmp_path, offered(tmp_path, ECHO), log=log.append) as server,
            httpx.AsyncClient(base_url=server.address, headers=bearer("ada") | JSON) as client,
        ):
            body = json.dumps({"run_id": SCRIPT, "task": SCRIPT})
            done = await client.post("/workers/echo/runs?token=secret", content=body)
            found = await client.get(done.links["self"]["url"])
            split = await client.post("/workers/echo/runs", content='{"run_id": "a\\r\\nSet-Cookie: x=1"}')
            absent = await client.get("/workers/%0d%0aSet-Cookie:%20x=1")
            metrics = await client.get("/metrics")
            return done, found, split, absent, metrics

    done, found, split, absent, metrics = asyncio.run(scenario())
    assert done.json()["run_id"] == SCRIPT
    for response in (done, found, split, absent):
        assert response.headers["content-type"] in ("application/json", "application/problem+json")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "set-cookie" not in response.headers
    assert "<script" not in str(done.headers)
    assert (split.status_code, absent.status_code) == (422, 404)
    lines = [json.loads(line) for line in log]
    assert [(line["caller"], line["method"], line["status"]) for line in lines[:2]] == [
        ("ada", "POST", 200),
        ("ada", "GET", 200),
    ]
    assert all("\n" not in line for line in log)
    assert not any(secret in "".join(log) for secret in (*TOKENS.values(), "secret"))
    assert 'workermd_runs_total{worker="echo",status="ok"} 1' in metrics.text
    assert 'workermd_requests_total{method="POST",status="200"} 1' in metrics.text


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_a_form_of_a_foreign_page_runs_nothing(tmp_path, kind):
    """What a browser sends without asking first is none of the media types that are taken; and it has no token."""

    async def scenario():
        async with (
            listening(tmp_path, offered(tmp_path, ECHO)) as server,
            httpx.AsyncClient(base_url=server.address) as client,
        ):
            body, headers = '{"run_id": "a"}', {"Content-Type": kind} if kind else {}
            blind = await client.post("/workers/echo/runs", content=body, headers=headers)
            known = await client.post("/workers/echo/runs", content=body, headers=headers | bearer("ada"))
            return blind.status_code, known.status_code, await server.desk.look(("echo", "a"))

    assert asyncio.run(scenario()) == (401, 415, None)
