"""The one way into PyYAML: libyaml's events. What a scalar means is the business of those who take them.

`yamltext` reads front matter, where every scalar is text; `yaml_values` reads other people's files by the core schema.
"""

from collections.abc import Iterator

import yaml

from workermd.protocol.errors import ConfigurationError

Event = yaml.Event


def events(source: str) -> Iterator[Event]:
    """Raises ConfigurationError when PyYAML was built without libyaml, yaml.YAMLError where the text is no YAML."""
    if not yaml.__with_libyaml__:
        raise ConfigurationError(
            "PyYAML is installed without libyaml, which reading YAML needs",
            "Run `python -m pip install --force-reinstall --only-binary :all: pyyaml`.",
        )
    return yaml.parse(source, Loader=yaml.CSafeLoader)
