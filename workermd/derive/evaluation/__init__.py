"""What a Python module would make, worked out from its syntax tree without running it."""
