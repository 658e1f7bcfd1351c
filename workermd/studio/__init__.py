"""The studio: runs, contracts and decisions as pages in a browser, over the ledger and the contracts' files."""
