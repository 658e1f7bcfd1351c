"""Works out what a module would make, by its syntax tree: nothing is imported, nothing is run.

Values that the tree does not tell are UNKNOWN. Where a condition is, both ways are gone, and what they make is merged.
An object of a known library that meets code which is not read is *doubted*, so that nothing vanishes unsaid.
Work is bounded by MAX_STEPS and MAX_DEPTH. The parts build on each other: frame, names, calls, expressions, statements.
"""

from workermd.derive.evaluation.statements import Statements


class Evaluator(Statements):
    """One program, with everything that its statements and expressions need."""
