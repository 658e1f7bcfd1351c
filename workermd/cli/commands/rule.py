"""`workermd rule`: what a rule of `validate` asks, and why."""

import textwrap
from typing import NamedTuple

from workermd.contract.rules import RULES
from workermd.lint.selection import nearest_code
from workermd.protocol.errors import UsageError
from workermd.report import say


class RuleOptions(NamedTuple):
    code: str


def execute(options: RuleOptions) -> int:
    code = options.code.strip().upper()
    if code not in RULES:
        raise UsageError(f"there is no rule {options.code[:40]!r}", nearest_code(code))
    rule = RULES[code]
    lines = [f"{code}: {rule.severity}", rule.summary, rule.purpose]
    lines.append(f"Safe fix (--fix): {rule.fix}" if rule.fix else "There is no safe fix.")
    room = max(say.columns(), 40)
    say.text("".join(f"{textwrap.fill(line, room, break_on_hyphens=False)}\n" for line in lines if line))
    return 0
