"""web-extract: a real server on loopback, pages that mean harm, addresses that must not be reached."""

import gzip
import http.server
import json
import resource
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from workermd import Refused, Retryable
from workermd.workers import addresses
from workermd.workers.web_extract import run

CONTRACT = "web-extract"
HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!doctype html><title>T</title><h1>Hello <b>world</b></h1><a href='/x'>x</a><a>y</a>"


class Server:
    """Serves what a test puts into `pages`: a path to `(status, headers, body)` or to a function that writes."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, object] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                page = outer.pages.get(self.path, (404, HTML, b""))
                if isinstance(page, Callable):
                    page(self)
                    return
                status, headers, body = page
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # clients that hang up in the middle are what these tests are about

        self.server = Quiet(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    running = Server()
    running.pages["/"] = (200, HTML, PAGE)
    yield running
    running.close()


@pytest.fixture
def extract(make_task, example):
    """`extract(url, fields, **settings)`: private addresses allowed, the output judged by the contract."""

    def extracted(url, fields=None, *, seconds=10.0, **settings):
        document = {"run_id": "r", "url": url, "fields": fields or {"title": {"selector": "h1"}}}
        example.accepts_input(document)
        settings = {"allow_private_addresses": True, **settings}
        return example.complete(run(make_task(document, seconds=seconds, **settings)))

    return extracted


def code(answer):
    assert answer["status"] in ("invalid_request", "invalid_output")
    return answer["result"]["error"]["code"]


def test_the_example_gives_the_expected_output(example, make_task, server):
    """The example names port 8765; here any free port stands in for it."""
    page = Path(__file__).parents[2] / "contracts/examples/web-extract.page.html"
    server.pages["/web-extract.page.html"] = (200, {"Content-Type": "text/html"}, page.read_bytes())
    example.accepts_input(example.input)
    document = json.loads(json.dumps(example.input).replace(":8765/", f":{server.port}/"))
    expected = json.loads(json.dumps(example.output).replace(":8765/", f":{server.port}/"))
    assert example.complete(run(make_task(document, allow_private_addresses=True))) == expected


def test_fields(extract, server):
    fields = {
        "text": {"selector": "h1"},
        "link": {"selector": "a", "attribute": "HREF"},
        "links": {"selector": "a", "many": True},
        "none": {"selector": "p"},
        "nones": {"selector": "p", "many": True},
    }
    result = extract(server.url + "/#part", fields)["result"]
    assert result["data"] == {"text": "Hello world", "link": "/x", "links": ["x", "y"], "none": None, "nones": []}
    assert result["source"]["final_url"] == server.url + "/"
    assert server.seen[0][1]["Host"] == f"127.0.0.1:{server.port}"


def test_a_required_field_that_is_not_there(extract, server):
    answer = extract(server.url, {"a": {"selector": "p", "required": True}, "b": {"selector": "h1"}})
    assert (answer["status"], code(answer)) == ("invalid_output", "required_field_missing")


@pytest.mark.parametrize("selector", ["div[", "p::", " ", "a:no-such(x)", ",", ":not(" * 90])
def test_a_bad_selector(extract, server, selector):
    assert code(extract(server.url, {"a": {"selector": selector}})) == "bad_selector"


def test_long_texts_and_many_matches_are_cut_with_a_warning(extract, server):
    server.pages["/"] = (200, HTML, b"<h1>" + b"x" * 20_000 + b"</h1>" + b"<i>i</i>" * 1_500)
    result = extract(server.url, {"t": {"selector": "h1"}, "i": {"selector": "i", "many": True}})["result"]
    assert (len(result["data"]["t"]), len(result["data"]["i"]), len(result["warnings"])) == (10_000, 1_000, 2)


def test_markup_that_asks_for_minutes_is_refused(extract, server):
    server.pages["/"] = (200, HTML, b"<div>" * 300_000 + b"<h1>deep</h1>")
    assert code(extract(server.url)) == "page_too_complex"
    server.pages["/"] = (200, HTML, b"<div>" * 5_000 + b"<h1>deep</h1>")
    assert extract(server.url)["result"]["data"] == {"title": "deep"}


def test_markup_that_asks_for_gigabytes_is_refused(extract, server):
    formatting = "".join(f"<b x{n}>" for n in range(3_000))
    server.pages["/"] = (200, HTML, f"<p>{formatting}{'<p>x' * 3_000}".encode())
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert code(extract(server.url)) == "page_too_complex"
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", b"<h1>\xe4 \x80</h1>", "ä €"),
        ("text/html", '<meta charset="koi8-r"><h1>да</h1>'.encode("koi8-r"), "да"),
        ("text/html", "<h1>ä</h1>".encode("utf-16"), "ä"),
        ("text/html", b"\xef\xbb\xbf<h1>\xc3\xa4</h1>", "ä"),
        ("text/html; charset=rot13", b"<h1>\xc3\xa4</h1>", "ä"),
        ("text/html; charset=unicode_escape", b"<h1>\\x41</h1>", "\\x41"),
        ("application/xhtml+xml", b"<h1>a\xff</h1>", "a\ufffd"),
    ],
)
def test_text_encodings(extract, server, content_type, body, text):
    server.pages["/"] = (200, {"Content-Type": content_type}, body)
    answer = extract(server.url)["result"]
    assert answer["data"]["title"] == text
    assert bool(answer["warnings"]) == ("\ufffd" in text)


# --- answers of the server -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 418])
def test_no_page_there(extract, server, status):
    server.pages["/"] = (status, HTML, b"")
    assert code(extract(server.url)) == "page_unavailable"


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_a_failing_server_is_retryable(extract, server, status):
    server.pages["/"] = (status, HTML, b"")
    with pytest.raises(Retryable, match=str(status)) as caught:
        extract(server.url)
    assert (caught.value.after, caught.value.code) == (None, "backend_unavailable")


@pytest.mark.rule("S3.4")
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), (" 0 ", 0, 0), ("soon", None, None), ("-1", None, None), ("9" * 30, None, None), ("", None, None)],
)
def test_retry_after_is_passed_on(extract, server, header, least, most):
    server.pages["/"] = (429, {**HTML, "Retry-After": header}, b"")
    with pytest.raises(Retryable) as caught:
        extract(server.url)
    assert (caught.value.after, caught.value.code) == (least, "rate_limited")


def test_retry_after_may_be_a_date(extract, server):
    server.pages["/"] = (429, {**HTML, "Retry-After": formatdate(time.time() + 100, usegmt=True)}, b"")
    with pytest.raises(Retryable) as caught:
        extract(server.url)
    assert 60 < caught.value.after <= 101


@pytest.mark.parametrize("content_type", ["application/json", "text/html-not", "", "application/pdf"])
def test_only_html_is_read(extract, server, content_type):
    server.pages["/"] = (200, {"Content-Type": content_type}, PAGE)
    assert code(extract(server.url)) == "not_html"


def test_a_page_may_be_as_large_as_the_limit(extract, server):
    assert extract(server.url, max_bytes=len(PAGE))["status"] == "ok"
    assert code(extract(server.url, max_bytes=len(PAGE) - 1)) == "page_too_large"


def test_a_page_without_end_is_cut_short(extract, server):
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        for _ in range(2_000):
            handler.wfile.write(b"<p>" * 20_000)
            sent.append(60_000)

    server.pages["/"] = endless
    assert code(extract(server.url, max_bytes=100_000)) == "page_too_large"
    assert sum(sent) < 60_000_000


def test_gzip_is_unpacked(extract, server):
    server.pages["/"] = (200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(PAGE))
    result = extract(server.url)["result"]
    assert (result["data"]["title"], result["source"]["bytes"]) == ("Hello world", len(PAGE))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_decompression_bomb_is_cut_short(extract, server, layers):
    bomb = gzip.compress(b"\0" * 200_000_000 if layers == 1 else gzip.compress(b"\0" * 50_000_000), 1)
    server.pages["/"] = (200, {**HTML, "Content-Encoding": ", ".join(["gzip"] * layers)}, bomb)
    tracemalloc.start()
    try:
        assert code(extract(server.url)) == ("page_too_large" if layers == 1 else "unsupported_encoding")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000  # 64 KiB of the bomb are 64 MB unpacked
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate"])
def test_an_encoding_that_was_not_asked_for(extract, server, encoding):
    server.pages["/"] = (200, {**HTML, "Content-Encoding": encoding}, b"xx")
    assert code(extract(server.url)) == "unsupported_encoding"


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(PAGE)[:-20]], ids=["no gzip", "cut off"])
def test_a_damaged_body_is_retryable(extract, server, body):
    server.pages["/"] = (200, {**HTML, "Content-Encoding": "gzip"}, body)
    with pytest.raises(Retryable):
        extract(server.url)


def test_a_body_that_breaks_off_is_retryable(extract, server):
    def torn(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"<h1>")

    server.pages["/"] = torn
    with pytest.raises(Retryable, match="broke off"):
        extract(server.url)


def test_a_body_that_drips_ends_at_the_deadline(extract, server):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    server.pages["/"] = drip
    began = time.monotonic()
    with pytest.raises(Retryable, match="time"):
        extract(server.url, seconds=1.6)
    assert time.monotonic() - began < 10


def test_a_server_that_is_silent_or_not_there_is_retryable(extract):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Retryable, match=r"in time|the time was used up"):  # a slow machine comes to ask nobody
            extract(f"http://127.0.0.1:{port}/", seconds=1.3)
    with pytest.raises(Retryable, match="connection"):
        extract(f"http://127.0.0.1:{port}/")


# --- redirects -------------------------------------------------------------------------------------


def test_redirects_are_followed_and_told(extract, server):
    server.pages["/a"] = (302, {"Location": "b?q=1"}, b"")
    server.pages["/b?q=1"] = (301, {"Location": f"http://localhost:{server.port}/", "Set-Cookie": "s=1"}, b"")
    result = extract(server.url + "/a")["result"]
    assert result["source"]["url"] == server.url + "/a"
    assert result["source"]["final_url"] == f"http://localhost:{server.port}/"
    assert server.seen[-1][1]["Host"] == f"localhost:{server.port}"
    assert "Cookie" not in server.seen[-1][1]


@pytest.mark.parametrize("limit", [0, 5])
def test_a_redirect_loop_ends(extract, server, limit):
    server.pages["/"] = (302, {"Location": "/"}, b"")
    assert code(extract(server.url, max_redirects=limit)) == "too_many_redirects"
    assert len(server.seen) == limit + 1


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("file:///etc/passwd", "bad_url"),
        ("ftp://127.0.0.1/", "bad_url"),
        ("javascript:alert(1)", "bad_url"),
        ("http://user@127.0.0.1/", "bad_url"),
        ("http://[::1", "bad_url"),
        ("http://a b/", "bad_url"),
        ("http://127.0.0.1:0/", "bad_url"),
        ("http://a\\@127.0.0.1/", "bad_url"),
        ("http://0x7f000001/", "address_not_allowed"),
    ],
)
def test_each_redirect_is_checked_like_a_request(extract, server, target, expected):
    server.pages["/"] = (302, {"Location": target}, b"")
    assert code(extract(server.url)) == expected


def test_a_redirect_to_a_private_address_is_refused(make_task, server, monkeypatch):
    """The first hop is let through as if it were public; the second is 169.254.169.254."""
    server.pages["/"] = (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
    real = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1" or real(address))
    answer = run(make_task({"run_id": "r", "url": server.url, "fields": {"a": {"selector": "a"}}}))
    assert answer["result"]["error"]["code"] == "address_not_allowed"
    assert len(server.seen) == 1


# --- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "8.8.2056",
        "134744072",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_addresses_that_are_not_public_are_refused(make_task, server, host):
    document = {"run_id": "r", "url": f"http://{host}:{server.port}/", "fields": {"a": {"selector": "a"}}}
    answer = run(make_task(document))
    assert answer["status"] == "invalid_request"
    assert answer["result"]["error"]["code"] in ("address_not_allowed", "bad_url", "host_not_found")
    assert server.seen == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::", True),
        ("::ffff:8.8.8.8", True),
        ("192.0.2.1", False),
        ("::8.8.8.8", False),
        ("fe80::1%1", False),
        ("4000::1", False),
    ],
)
def test_what_counts_as_public(address, public):
    assert addresses.is_public(address) is public


def test_a_name_is_looked_up_once_and_that_address_is_connected(extract, server, monkeypatch):
    """A name server that answers differently the second time (rebinding) is never asked a second time."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host, *arguments, **named):
        asked.append(host)
        if host == "shop.example":
            host = "127.0.0.1" if asked.count(host) == 1 else "127.0.0.9"
        return real(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert extract(f"http://shop.example:{server.port}/")["status"] == "ok"
    assert asked.count("shop.example") == 1
    assert server.seen[0][1]["Host"] == f"shop.example:{server.port}"


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    def both(*_arguments, **_named):
        return [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(addresses.NotAllowed):
        addresses.resolve("both.example", 80, private_allowed=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://user:pw@127.0.0.1/", "bad_url"),
        ("http://127.0.0.1:99999/", "bad_url"),
        ("http://", "bad_url"),
        ("http://a b/", "bad_url"),
        ("http://127.0.0.1/\x00", "bad_url"),
        ("http://no-such-host.invalid/", "host_not_found"),
    ],
)
def test_urls_that_cannot_be_fetched(extract, url, expected):
    try:
        assert code(extract(url)) == expected
    except Retryable:
        assert expected == "host_not_found"  # a machine without any name service says "try again"


def test_the_operator_may_list_hosts(extract, server):
    assert code(extract(server.url, allowed_hosts=["example.com"])) == "address_not_allowed"
    url = f"http://localhost:{server.port}/"
    assert extract(url, allowed_hosts=["LocalHost"])["status"] == "ok"
    assert code(extract(url, allowed_hosts=[".localhost"])) == "address_not_allowed"


def test_a_proxy_of_the_environment_is_not_used(extract, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert extract(server.url)["status"] == "ok"


# --- TLS -------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path):
    """A certificate for `localhost` only, as its own authority: PEM files of certificate and key."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_the_certificate_is_checked_for_the_name_not_the_address(extract, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server(context)
    try:
        server.pages["/"] = (200, HTML, PAGE)
        trusted = {"ca_file": str(certificate[0])}
        assert extract(f"https://localhost:{server.port}/", **trusted)["status"] == "ok"
        assert names == ["localhost"]
        with pytest.raises(Refused, match="certificate"):
            extract(f"https://127.0.0.1:{server.port}/", **trusted)
        with pytest.raises(Refused, match="certificate"):
            extract(f"https://localhost:{server.port}/")
    finally:
        server.close()


def test_a_missing_ca_file(extract, server):
    with pytest.raises(Refused, match="ca_file"):
        extract(server.url, ca_file="/does/not/exist")
