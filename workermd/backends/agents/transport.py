"""The way from an attempt to an address: no retries, no redirects, and a proxy where the operator names one."""

import os
import ssl
import urllib.request

import httpx2


def route_to(address: str, ca_file: str = "", proxy: str = "") -> httpx2.AsyncHTTPTransport:
    """A transport for one address. Certificates are read for https only: they take their time. `ca_file` names a file
    or a folder of authorities that are trusted beside the system's, `proxy` the way, else the environment's."""
    secure = address.startswith("https")
    verify: bool | ssl.SSLContext = _trusting(ca_file) if secure and ca_file else secure
    return httpx2.AsyncHTTPTransport(verify=verify, trust_env=True, proxy=proxy or _proxy(address))


def origin_of(address: str) -> str:
    """Scheme, host and port of an address: a path or a query may hold secrets."""
    url = httpx2.URL(address)
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if os.path.isdir(ca_file):
        context.load_verify_locations(capath=ca_file)
    else:
        context.load_verify_locations(cafile=ca_file)
    return context


def _proxy(address: str) -> str | None:
    """The proxy that the attempt's environment names for an address: the operator lists its variable in `env`."""
    url, proxies = httpx2.URL(address), urllib.request.getproxies()
    if urllib.request.proxy_bypass(url.netloc.decode().rpartition("@")[2]):
        return None
    return proxies.get(url.scheme) or proxies.get("all")
