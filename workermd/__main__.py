"""`python -m workermd`."""

from workermd.cli import main

main()
