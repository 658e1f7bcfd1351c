"""Callers whom an authorization server lets in: its tokens are held against its keys, and MCP's own client logs in by it."""

import asyncio
import base64
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import Cli, contract_text
from tests.late import LATE, needs
from workermd.protocol.errors import ConfigurationError

needs("jwt", "PyJWT is not installed")
needs("mcp", "MCP is not installed")

if LATE:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec
    from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
    from mcp.client.session import ClientSession
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    from workermd.serve.issued_tokens import IssuedTokens

AUDIENCE = "http://127.0.0.1:8420/mcp"


class AuthorizationServer:
    """As small as one can be: it registers every client, and lets everybody in as `ada`."""

    def __init__(self):
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), "k1"
        self.challenges, self.key_looks = {}, 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.get(self, urlsplit(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.post(self, self.path, body)

            def log_message(self, *_):
                """Nobody reads it."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def get(self, request, address):
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/oauth-authorization-server":
            self.say(request, self.metadata())
        elif address.path == "/keys":
            self.key_looks += 1
            public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
            self.say(request, {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "ES256"}]})
        elif address.path == "/authorize":
            code = f"code{len(self.challenges)}"
            self.challenges[code] = (query["code_challenge"], query["resource"])
            request.send_response(302)
            request.send_header("Location", f"{query['redirect_uri']}?code={code}&state={query['state']}")
            request.end_headers()
        else:
            request.send_error(404)

    def post(self, request, path, body):
        if path == "/register":
            self.say(request, {**json.loads(body), "client_id": "c1"}, 201)
            return
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        challenge, resource = self.challenges.pop(form["code"])
        given = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        assert given == challenge
        self.say(request, {"access_token": self.token(aud=resource), "token_type": "Bearer", "expires_in": 60})

    def metadata(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }

    @staticmethod
    def say(request, document, status=200):
        data = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def token(self, key=None, algorithm="ES256", kid=None, **claims):
        standard = {"iss": self.url, "sub": "ada", "aud": AUDIENCE, "exp": time.time() + 60}
        claims = {name: value for name, value in (standard | claims).items() if value is not None}
        return jwt.encode(claims, key or self.key, algorithm, headers={"kid": kid or self.kid})


@pytest.fixture
def issuer():
    server = AuthorizationServer()
    yield server
    server.close()


def test_a_token_is_somebodys_only_with_its_signature_its_audience_and_its_time(issuer):
    issued = IssuedTokens(issuer.url, [AUDIENCE])
    host = urlsplit(issuer.url).netloc
    assert issued.named(issuer.token()) == f"ada@{host}"
    assert issued.named(issuer.token(aud=["other", AUDIENCE])) == f"ada@{host}"
    wrong = {
        "another audience": issuer.token(aud="http://127.0.0.1:1/mcp"),
        "no audience": issuer.token(aud=None),
        "another issuer": issuer.token(iss="http://127.0.0.1:1"),
        "too old": issuer.token(exp=time.time() - 120),
        "for ever": issuer.token(exp=None),
        "nobody": issuer.token(sub=None),
        "another key": issuer.token(key=ec.generate_private_key(ec.SECP256R1())),
        "a shared secret": issuer.token(key="s" * 40, algorithm="HS256"),
        "no signature": jwt.encode(
            {"iss": issuer.url, "sub": "ada", "aud": AUDIENCE, "exp": time.time() + 60}, None, "none"
        ),
        "a line break": issuer.token(sub="ada\nbob"),
        "no token": "x.y.z",
    }
    assert {name: issued.named(token) for name, token in wrong.items()} == dict.fromkeys(wrong, "")


def test_a_new_key_is_looked_for_and_made_up_ones_make_nobody_ask_again(issuer, monkeypatch):
    issued = IssuedTokens(issuer.url, [AUDIENCE])
    issuer.key, issuer.kid = ec.generate_private_key(ec.SECP256R1()), "k2"
    for n in range(50):
        assert issued.named(issuer.token(kid=f"made-up-{n}")) == ""
    assert issuer.key_looks == 1, "within a minute nobody is asked again"
    monkeypatch.setattr("workermd.serve.issued_tokens._BETWEEN_LOOKS", 0.0)
    until = time.monotonic() + 20
    while not issued.named(issuer.token()) and time.monotonic() < until:
        time.sleep(0.02)
    assert issued.named(issuer.token()).startswith("ada@")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://login.example.org", "no address of an authorization server"),
        ("ftp://127.0.0.1", "no address of an authorization server"),
        ("http://127.0.0.1:9", "cannot be read"),
        ("{url}/", "names the issuer"),
    ],
)
def test_an_issuer_that_cannot_be_used_is_told_before_anything_listens(issuer, address, told):
    with pytest.raises(ConfigurationError, match=told):
        IssuedTokens(address.format(url=issuer.url), [AUDIENCE])


class Kept:
    """Where the client keeps its tokens."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def test_the_client_of_mcp_logs_in_and_calls_a_contract(issuer, tmp_path):
    cli = Cli(tmp_path)
    (tmp_path / "echo.worker.md").write_text(contract_text())
    command = json.dumps(["/bin/sh", "-c", 'printf \'{"result": {"said": "hello"}}\''])
    (tmp_path / "workermd.toml").write_text(f"[workers.echo]\nbackend = 'command'\ncommand = {command}\n")
    process = cli.start("serve", "echo.worker.md", "--mcp", "http", "--issuer", issuer.url, "--port", 0)
    address = re.search(r"http://\S+", process.stderr.readline().decode())[0]
    came = {}

    async def led(url):
        async with httpx.AsyncClient() as browser:
            came["query"] = parse_qs(urlsplit((await browser.get(url)).headers["location"]).query)

    async def came_back():
        return AuthorizationCodeResult(code=came["query"]["code"][0], state=came["query"]["state"][0])

    async def scenario():
        wanted = OAuthClientMetadata(client_name="test", redirect_uris=["http://127.0.0.1:1/back"])
        login = OAuthClientProvider(f"{address}/mcp", wanted, Kept(), led, came_back)
        async with (
            create_mcp_http_client(auth=login) as http,
            streamable_http_client(f"{address}/mcp", http_client=http) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await session.call_tool("echo", {"task": "x"})

    try:
        answer = asyncio.run(scenario())
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert answer.structured_content["result"] == {"said": "hello"}
