"""Coverage-guided fuzzing of the reader and the linter: `make fuzz`, ten minutes by default (`MAX=60` for one).

The corpus is every contract of the repository. An input that breaks a promise of `test_fuzz.hold` is written to
the folder given as `-artifact_prefix`, and the process ends with an error.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["workermd"]):
    from tests.lint.test_fuzz import LONGEST, SEEDS, hold


def main():
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        bounds = ["-max_len=8192", f"-timeout={LONGEST * 5:g}", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *bounds, *sys.argv[1:], folder], hold)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
