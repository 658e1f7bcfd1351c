"""The way from an attempt to an address: no retries, no redirects, and a proxy where the operator names one."""

import urllib.request

import httpx2


def route_to(address: str) -> httpx2.AsyncHTTPTransport:
    """A transport for one address. Certificates of the system are read for https only: they take their time."""
    return httpx2.AsyncHTTPTransport(verify=address.startswith("https"), trust_env=True, proxy=_proxy(address))


def _proxy(address: str) -> str | None:
    """The proxy that the attempt's environment names for an address: the operator lists its variable in `env`."""
    url, proxies = httpx2.URL(address), urllib.request.getproxies()
    if urllib.request.proxy_bypass(url.netloc.decode().rpartition("@")[2]):
        return None
    return proxies.get(url.scheme) or proxies.get("all")
