"""The operator's configuration, as a command's options choose it."""

from workermd.config import configuration


def load(config: str | None, no_config: bool, ledger: str | None = None) -> configuration.Settings:
    """Raises ConfigurationError."""
    return configuration.load(configuration.Flags(ledger=ledger or "", config=config or "", no_config=no_config))
