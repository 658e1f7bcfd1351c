"""A conformance kit: cases as data, and a runner that holds any command that runs worker.md contracts against them.

`docs/conformance.md` has the form of a case and of a runtime's file. `cases/` and `contracts/` are data of their own: a
runner in another language reads the same files.
"""
