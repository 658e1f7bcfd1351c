"""The addresses of the studio's pages. Ids stand in the query: a path would fold `..` and `/`."""

from urllib.parse import urlencode

HOME = "/studio/"


def of(page: str, **query: object) -> str:
    """An address below the studio; what is empty is left out."""
    kept = {name: value for name, value in query.items() if value not in ("", 0, None)}
    return f"{HOME}{page}" + (f"?{urlencode(kept)}" if kept else "")


def run(worker_id: str, run_id: str, page: str = "run") -> str:
    return of(page, worker=worker_id, run=run_id)


def contract(worker_id: str, page: str = "contract") -> str:
    return of(page, worker=worker_id)
