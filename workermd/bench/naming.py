"""How the files of suites are called. It imports nothing: `validate` asks it about every path."""

SUFFIXES = (".bench.yaml", ".bench.yml")


def is_suite(path: str) -> bool:
    """Whether a file's name says that it is a suite."""
    return path.endswith(SUFFIXES)
