"""What every kind with a model behind it shares: the wire to its endpoint, bounds, tools, prompt and reading."""
