"""Which class of worker a repository suits, by signals that are listed here and nowhere else.

Each signal that holds adds its weight to one side. More weight wins; without a difference it is a tool gateway,
because a call of one tool promises less.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.derive.evidence import of_fact, of_lines, open_source
from workermd.derive.manifest import Manifest
from workermd.derive.model import Evidence, Interface, Repository
from workermd.derive.readme import ReadmeStatement

ORCHESTRATION = "agent-orchestration-worker"
GATEWAY = "tool-gateway-worker"
MODES = (ORCHESTRATION, GATEWAY)
MAX_BYTES = 256 * 1024

TOPICS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(
        ("agents", "agentic", "agentic-ai", "agentic-agi", "ai-agents", "multi-agent", "autonomous-agents"),
        (ORCHESTRATION, 2),
    ),
    **dict.fromkeys(
        ("multi-agent-systems", "agent-framework", "agent-orchestration", "orchestration", "workflow-engine"),
        (ORCHESTRATION, 2),
    ),
    **dict.fromkeys(("a2a", "a2a-protocol", "crewai", "autogen", "langgraph", "agent"), (ORCHESTRATION, 1)),
    **dict.fromkeys(
        ("mcp", "mcp-server", "mcp-servers", "model-context-protocol", "mcp-tools", "mcp-gateway"), (GATEWAY, 2)
    ),
    **dict.fromkeys(
        ("api-gateway", "tool-gateway", "github-action", "github-actions", "cli", "command-line-tool"), (GATEWAY, 2)
    ),
    **dict.fromkeys(("api", "rest-api", "openapi", "sdk", "tools", "library"), (GATEWAY, 1)),
}
MOST_FROM_TOPICS = 4
"""Weight that the topics of one side can add: they are chosen freely."""

_OF_AGENTS = (
    r"\b(multi-?agent|agentic|agents? (framework|orchestrat\w+|workflows?|runtime|teams?|development kit|sdk|platform)"
    r"|orchestrat\w+ (of )?(\w+ )?agents"
    r"|(build|building|create|creating|develop|developing|deploy|deploying|manage|managing|orchestrat\w+|run|running|writing)\b"
    r"[^.;]{0,70}(?<!for )(?<!for ai )(?<!for your )\bagents?\b|agents? that (think|act|reason|plan)\b|(llm|autonomous|ai)[- ]agents? (and|in|with|that)\b"
    r"|(framework|library|toolkit|sdk) for (building |creating |developing |making )?(\w+ ){0,3}agents?\b)"
)
WORDS: tuple[tuple[re.Pattern[str], str, int], ...] = (
    (re.compile(_OF_AGENTS, re.IGNORECASE), ORCHESTRATION, 3),
    (re.compile(r"\b(mcp (server|gateway|tools?)|model context protocol (server|gateway))\b", re.IGNORECASE), GATEWAY, 3),
    (re.compile(r"\b(command[- ]line|cli|github action|(api|http|rest|web) (client|gateway|server|framework)|formatter|linter|parser|plugin|(library|tool|utility|package|module) (for|to|that|which))\b", re.IGNORECASE), GATEWAY, 2),
)  # fmt: skip

DEPENDENCIES: dict[str, tuple[str, int]] = {
    **dict.fromkeys(
        ("autogen-core", "autogen-agentchat", "ag2", "crewai", "langgraph", "agent-framework", "semantic-kernel"),
        (ORCHESTRATION, 2),
    ),
    **dict.fromkeys(
        ("openai-agents", "llama-index-workflows", "@langchain/langgraph", "pydantic-ai"), (ORCHESTRATION, 2)
    ),
    **dict.fromkeys(("mcp", "fastmcp", "@modelcontextprotocol/sdk", "rmcp"), (GATEWAY, 1)),
}

INTERFACES: dict[str, tuple[str, int]] = {
    "a2a": (ORCHESTRATION, 4),
    "mcp": (GATEWAY, 4),
    "openapi": (GATEWAY, 4),
    "action": (GATEWAY, 4),
    "cli": (GATEWAY, 3),
    "npm-bin": (GATEWAY, 3),
    "function": (GATEWAY, 2),
}
"""By the kind of the chosen interface; a kind that is not listed counts as a call of one tool."""


class Signal(NamedTuple):
    side: str
    weight: int
    text: str
    evidence: Evidence


class ModeChoice(NamedTuple):
    """`margin` is the weight by which the mode won; 0 for the fallback. `forced` by the caller."""

    mode: str
    margin: int
    signals: tuple[Signal, ...]
    forced: bool = False


def choose(
    repository: Repository,
    summary: ReadmeStatement | None,
    manifests: tuple[Manifest, ...],
    interface: Interface | None,
    forced: str | None = None,
) -> ModeChoice:
    """Weigh the signals. `forced` is a mode that the caller wants whatever they say."""
    signals = tuple(_signals(repository, summary, manifests, interface))
    weight = dict.fromkeys(MODES, 0)
    for signal in signals:
        weight[signal.side] += signal.weight
    if forced:
        return ModeChoice(forced, 0, signals, forced=True)
    mode = ORCHESTRATION if weight[ORCHESTRATION] > weight[GATEWAY] else GATEWAY
    return ModeChoice(mode, abs(weight[ORCHESTRATION] - weight[GATEWAY]), signals)


def _signals(
    repository: Repository,
    summary: ReadmeStatement | None,
    manifests: tuple[Manifest, ...],
    interface: Interface | None,
) -> Iterator[Signal]:
    if interface is not None and interface.evidence:
        side, weight = INTERFACES.get(interface.kind, (GATEWAY, 3))
        yield Signal(side, weight, f"interface of kind {interface.kind}", interface.evidence[0])
    left = dict.fromkeys(MODES, MOST_FROM_TOPICS)
    words = [(topic, of_fact(repository, topic)) for topic in repository.facts.topics]
    words += [(word.text, word.evidence) for manifest in manifests for word in manifest.keywords]
    for topic, evidence in {name.lower().replace(" ", "-"): (name, place) for name, place in words}.values():
        side, weight = TOPICS.get(topic.lower().replace(" ", "-"), ("", 0))
        weight = min(weight, left.get(side, 0))
        if weight:
            left[side] -= weight
            yield Signal(side, weight, f"topic {topic.lower()}", evidence)
    yield from _words(repository, summary, manifests)
    yield from _tree(repository)
    for manifest in manifests:
        for name, evidence in manifest.dependencies:
            if name in DEPENDENCIES:
                side, weight = DEPENDENCIES[name]
                yield Signal(side, weight, f"dependency {name}", evidence)


PATHS: tuple[tuple[re.Pattern[str], str, int, str], ...] = (
    (re.compile(r"(?:src/|lib/|packages/|python/|libs/)?[\w.-]+/(?:[\w.-]+/){0,2}(?:agents?|multi_agent|orchestrat\w*|crews?|graph)(?:/__init__|/index)?\.(?:py|ts)"), ORCHESTRATION, 2, "a module of agents"),
    (re.compile(r"action\.ya?ml"), GATEWAY, 3, "an action"),
    (re.compile(r"(?:[\w.-]+/){0,2}(?:openapi|swagger)\.(?:json|ya?ml)"), GATEWAY, 2, "an API document"),
    (re.compile(r"server\.json"), GATEWAY, 2, "an MCP server's manifest"),
    (re.compile(r"(?:src/)?[\w-]+/(?:cli|__main__|_?main|commands?)\.py|(?:src/)?(?:cli|bin/[\w-]+)\.(?:ts|js|mjs)|cmd/[\w-]+/main\.go|src/main\.rs"), GATEWAY, 1, "a command line"),
)  # fmt: skip
_NOT_OFFERED = re.compile(
    r"(?:^|/)(?:tests?|examples?|samples?|docs?|scripts|benchmarks?|cookbook|notebooks)/", re.IGNORECASE
)


def _tree(repository: Repository) -> Iterator[Signal]:
    """What the files' names show, each sign once."""
    for pattern, side, weight, text in PATHS:
        for file in repository.files():
            if pattern.fullmatch(file.path) and not _NOT_OFFERED.search(file.path) and 0 < file.size <= MAX_BYTES:
                source = open_source(repository, file.path)
                if source is not None and source.lines:
                    yield Signal(side, weight, f"{text} ({file.path})", of_lines(repository, source, 1, 1))
                break


def _words(
    repository: Repository, summary: ReadmeStatement | None, manifests: tuple[Manifest, ...]
) -> Iterator[Signal]:
    """Each pattern once: in the README's first paragraph, else in a manifest's description, else in the host's."""
    texts: list[tuple[str, str, Evidence]] = []
    if summary:
        texts.append(("summary", summary.text, summary.evidence))
    described = next((manifest.description for manifest in manifests if manifest.description), None)
    if described:
        texts.append(("description of the manifest", described.text[:1000], described.evidence))
    if repository.facts.description:
        texts.append(
            ("description", repository.facts.description[:1000], of_fact(repository, repository.facts.description))
        )
    for pattern, side, weight in WORDS:
        for name, text, evidence in texts:
            found = pattern.search(text)
            if found:
                yield Signal(side, weight, f"the words '{found[0].lower()}' in the {name}", evidence)
                break
