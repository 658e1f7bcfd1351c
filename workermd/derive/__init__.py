"""A repository becomes a contract, and everything that the contract says of it can be looked up again."""
