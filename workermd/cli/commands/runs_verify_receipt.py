"""`workermd runs verify-receipt`: check a receipt where no ledger is."""

import json
from typing import NamedTuple

from workermd.ledger.receipts import contradiction
from workermd.protocol.errors import UsageError
from workermd.report import say, signing

_MOST_BYTES = 1 << 24


class RunsVerifyReceiptOptions(NamedTuple):
    file: str
    public_key: str | None


def execute(options: RunsVerifyReceiptOptions) -> int:
    try:
        with open(options.file, "rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise UsageError(f"{options.file}: cannot be read ({error.strerror})", "name a file") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{options.file}: is no JSON", "give what runs receipt printed") from None
    statement, by = signing.opened(document, options.public_key)
    try:
        wrong = contradiction(statement)
        settled = statement["predicate"]["settled"]
        name = f"run {settled['run_id']!r} of {settled['worker_id']}, {settled['status']}"
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        wrong, name = "it lacks what a receipt has", options.file
    if wrong:
        say.text(f"{name}: {wrong}\n")
        return 1
    signed = f"signed with key {by}" if by else "the signature was not checked: give --public-key FILE"
    say.text(f"{name}: the receipt agrees with itself; {signed}\n")
    return 0
