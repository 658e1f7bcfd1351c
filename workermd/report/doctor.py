"""What `doctor` found, for people."""

from workermd.envelope import Document


def lines(document: Document) -> str:
    """The findings as text, one thing a line."""
    told = [
        f"workermd {document['workermd']}, Python {document['python']}, autogen-core {document['autogen-core']}",
        "",
        *_extras(document["extras"]),
        "",
        f"configuration  {document['configuration'] or 'none found'}",
        f"ledger         {document['ledger']['path']} (from {document['ledger']['from']})",
        *_models(document["models"]),
        *_bindings(document["bindings"]),
    ]
    told += [
        f"variable       {name} is {'set' if there else 'not set'}" for name, there in document["variables"].items()
    ]
    problems = document["problems"]
    told += ["", *(f"problem: {problem}" for problem in problems)] if problems else ["", "no problem found"]
    return "\n".join(told) + "\n"


def _extras(extras: Document) -> list[str]:
    width = max(map(len, extras))
    told = []
    for extra, versions in extras.items():
        missing = [name for name, version in versions.items() if version is None]
        there = ", ".join(f"{name} {version}" for name, version in versions.items())
        what = f"not installed: pip install 'workermd[{extra}]'" if missing else there
        told.append(f"{extra:{width}}  {what}")
    return told


def _models(models: Document) -> list[str]:
    told = []
    for name, model in models.items():
        key = f", key in {model['api_key_env']}" if model["api_key_env"] else ", no key"
        endpoint = f", {model['endpoint']}" if model["endpoint"] else ""
        told.append(f"model          {name}: {model['model']} at {model['base_url']}{key}{endpoint}")
    return told


def _bindings(bindings: list[Document]) -> list[str]:
    told = []
    for binding in bindings:
        whom = f"worker {binding['worker']}" if "worker" in binding else f"mode {binding['mode']}"
        with_ = f" with {binding['model']}" if binding["model"] else ""
        tools = f", tools {', '.join(binding['tools'])}" if binding["tools"] else ""
        told.append(
            f"{whom}: {binding['backend']}{with_}{tools} ({'does not work' if binding['problem'] else 'works'})"
        )
    return told
