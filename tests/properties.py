"""How many examples a property is tried with.

The suite tries a quarter of them, with another seed each time. `make storm` and `make fuzz` try all of them: they set
WORKERMD_EXAMPLES=deep.
"""

import os

DEEP = os.environ.get("WORKERMD_EXAMPLES") == "deep"


def examples(deep: int) -> int:
    return deep if DEEP else deep // 4
