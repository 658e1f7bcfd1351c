"""Fetching one HTML page: every hop checked, sizes and time held."""

import codecs
import re
import ssl
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from workermd.task.task import Refused, Retryable
from workermd.workers.addresses import NotAllowed, NotFound, TryAgain, resolve

if TYPE_CHECKING:
    import httpx

MAX_URL = 4_096
_HOST = re.compile(rb"[A-Za-z0-9._:-]+")
CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0


class PageRefused(Exception):
    """The page cannot be had, and asking again will not help. Codes: `bad_url`, `address_not_allowed`,
    `host_not_found`, `too_many_redirects`, `page_unavailable`, `not_html`, `unsupported_encoding`, `page_too_large`, `page_too_complex`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PageLimits(NamedTuple):
    """What a fetch may do. `hosts` empty: any host; an entry that starts with a dot covers subdomains."""

    private_allowed: bool
    hosts: tuple[str, ...]
    max_bytes: int
    max_redirects: int
    user_agent: str
    ca_file: str
    seconds: float


class Page(NamedTuple):
    """A page as it arrived. `content` is the body without content encoding, `text` the same decoded."""

    url: str
    status: int
    content_type: str
    content: bytes
    text: str
    warnings: tuple[str, ...]


def fetch(url: str, limits: PageLimits) -> Page:
    """Raises `PageRefused`, `Retryable`, or `Refused` (a certificate that does not verify)."""
    import httpx

    deadline = time.monotonic() + limits.seconds
    try:
        # The bare transport: a client would read cookies, proxies and the targets of redirects on its own.
        with httpx.HTTPTransport(verify=_trust(limits.ca_file), trust_env=False) as transport:
            return _follow(transport, _parsed(url), limits, deadline)
    except httpx.TimeoutException:
        raise Retryable("the server did not answer in time") from None
    except httpx.RequestError as error:
        if _is_certificate_error(error):
            raise Refused("the server's certificate does not verify") from None
        raise Retryable("the connection failed or broke off") from None


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise Refused("setting 'ca_file': no readable file of certificates in PEM") from None


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _follow(transport: "httpx.HTTPTransport", url: "httpx.URL", limits: PageLimits, deadline: float) -> Page:
    warnings: list[str] = []
    for _ in range(limits.max_redirects + 1):
        request = _request(url, limits, deadline)
        response = transport.handle_request(request)
        response.request = request
        try:
            if response.status_code not in (301, 302, 303, 307, 308):
                return _page(response, url, limits, deadline, tuple(warnings))
            target = _parsed(response.headers.get("location", ""), url)
        finally:
            response.close()
        if url.scheme == "https" and target.scheme == "http":
            warnings.append("a redirect led from https to http")
        url = target
    raise PageRefused("too_many_redirects", f"more than {limits.max_redirects} redirects")


def _parsed(text: str, base: "httpx.URL | None" = None) -> "httpx.URL":
    """A URL that may be fetched, as far as its text tells. One parse serves the check and the connection."""
    import httpx

    where = "url" if base is None else "the target of a redirect"
    try:
        url = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise PageRefused("bad_url", f"{where}: not a well-formed URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise PageRefused("bad_url", f"{where}: only http and https URLs with a host are fetched")
    if url.userinfo:
        raise PageRefused("bad_url", f"{where}: a user part before the host is not allowed")
    if not _HOST.fullmatch(url.raw_host) or not 0 < (80 if url.port is None else url.port) < 65536:
        raise PageRefused("bad_url", f"{where}: the host or the port is not well-formed")
    if "\\" in text or len(str(url)) > MAX_URL:
        raise PageRefused("bad_url", f"{where}: holds a backslash, or is longer than {MAX_URL} characters")
    return url.copy_with(fragment=None)


def _request(url: "httpx.URL", limits: PageLimits, deadline: float) -> "httpx.Request":
    """A request to the very address that was checked; name and certificate stay those of the URL's host."""
    host = url.raw_host.decode("ascii").lower()
    if limits.hosts and not _is_listed(host.rstrip("."), limits.hosts):
        raise PageRefused("address_not_allowed", "the host is not in the setting allowed_hosts")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        address = resolve(host, port, private_allowed=limits.private_allowed)
    except NotAllowed as problem:
        raise PageRefused("address_not_allowed", str(problem)) from None
    except NotFound as problem:
        raise PageRefused("host_not_found", str(problem)) from None
    except TryAgain as problem:
        raise Retryable(str(problem)) from None
    import httpx

    left = _left(deadline)
    return httpx.Request(
        "GET",
        url.copy_with(host=address),
        headers={
            "Host": url.netloc.decode("ascii"),
            "User-Agent": limits.user_agent,
            "Accept": "text/html, application/xhtml+xml",
            "Accept-Encoding": "gzip",
        },
        extensions={
            "sni_hostname": host.rstrip("."),
            "timeout": {
                "connect": min(CONNECT_SECONDS, left),
                "read": min(READ_SECONDS, left),
                "write": min(READ_SECONDS, left),
                "pool": left,
            },
        },
    )


def _is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    return any(host == entry or (entry.startswith(".") and host.endswith(entry)) for entry in hosts)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Retryable("the time was used up before the page was there")
    return left


# --- the response --------------------------------------------------------------------------------


def _page(
    response: "httpx.Response", url: "httpx.URL", limits: PageLimits, deadline: float, warnings: tuple[str, ...]
) -> Page:
    status = response.status_code
    _check_status(status, response.headers.get("retry-after"))
    content_type = response.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() not in ("text/html", "application/xhtml+xml"):
        raise PageRefused("not_html", "the server does not call the page HTML")
    content = b"".join(_body(response, limits.max_bytes, deadline))
    encoding = _encoding(content_type, content)
    text = content.decode(encoding, "replace")
    if "\ufffd" in text:
        warnings = (*warnings, f"bytes that are not {encoding} were replaced")
    return Page(str(url), status, content_type[:200], content, text, warnings)


def _check_status(status: int, retry_after: str | None) -> None:
    if status == 200:
        return
    if status == 429 or status in (408, 425) or status >= 500:
        code = "rate_limited" if status == 429 else "backend_unavailable"
        raise Retryable(f"the server answered {status}", after=_seconds(retry_after), code=code)
    raise PageRefused("page_unavailable", f"the server answered {status}, and only 200 is a page")


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After is a number of seconds or a date; anything else says nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text)
        return max((when - datetime.now(UTC)).total_seconds(), 0.0) if when.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None


def _body(response: "httpx.Response", limit: int, deadline: float) -> Iterator[bytes]:
    """The body, unpacked here so that a small download cannot become a large page."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise PageRefused("unsupported_encoding", "the server used a content encoding that was not asked for")
    unpack = zlib.decompressobj(31) if "gzip" in encoding else None
    taken = packed = 0
    for chunk in response.iter_raw():
        _left(deadline)
        packed += len(chunk)
        try:
            data = chunk if unpack is None else unpack.decompress(chunk, limit + 1 - taken)
        except zlib.error:
            raise Retryable("the compressed page is damaged") from None
        taken += len(data)
        if taken > limit or packed > limit or (unpack is not None and unpack.unconsumed_tail):
            raise PageRefused("page_too_large", f"the page is larger than {limit} bytes (setting max_bytes)")
        yield data
    if unpack is not None and packed and not unpack.eof:
        raise Retryable("the compressed page broke off")


_ENCODINGS = re.compile(
    r"(?:utf-8|utf-16|utf-16-le|utf-16-be|ascii|iso8859-[0-9]+|cp(?:125[0-8]|866|874|932|949)|koi8-[ru]|gbk|gb2312|gb18030|big5|"
    r"big5hkscs|shift_jis|euc_jp|euc_kr|iso2022_jp|mac-roman)\Z"
)
_CHARSET = re.compile(r"charset\s{0,8}=\s{0,8}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,8}=\s{0,8}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def _encoding(content_type: str, content: bytes) -> str:
    """From a byte order mark, the header, a meta element near the start, else UTF-8. Only real text encodings."""
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    header = _CHARSET.search(content_type)
    meta = _META.search(content[:1024])
    for label in (header and header[1], meta and meta[1].decode("ascii")):
        try:
            name = codecs.lookup(label).name if label else ""
        except LookupError:
            continue
        if _ENCODINGS.match(name):
            # On the web, the two names below mean the Windows code page.
            return "cp1252" if name in ("ascii", "iso8859-1") else name
    return "utf-8"
