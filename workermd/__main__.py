"""`python -m workermd`."""

from workermd.cli.main import main

main()
