"""A team's document, looked at, becomes the one that is loaded: our model clients, tools, prompts and caps in it."""

import json
from typing import Any

from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.prompt import answer_form
from workermd.backends.agents.roster import Member, Roster
from workermd.backends.autogen import components
from workermd.backends.autogen.agentchat import TOOL_ROUNDS
from workermd.backends.autogen.components import config_of, provider_of
from workermd.protocol.envelope import Document

_OURS = "workermd.backends.autogen.agentchat."

SELECTOR_PROMPT = """{purpose}

You lead the group that does this. Who there is:
{{roles}}

What was said so far:
{{history}}

Name who speaks next, one of {{participants}}, and nothing else.{last}"""

ANSWERED = "The answer is given by {by}, as one JSON object of this JSON Schema:\n{schema}\nYou do your own part."

FINAL_PROMPT = "The task is done. Give its answer now, from what was said above.\n\n{form}"

PART_PROMPT = "Now say what the others have to know, so that it can be understood without the above."


class Adoption:
    """Rewrites one document for one attempt. `answers` are those who give the answer; nobody: whoever is asked after
    the team has ended."""

    def __init__(self, conversation: Conversation, answers: tuple[str, ...], rounds: int | None = None) -> None:
        self._conversation = conversation
        self._answers = answers
        self._rounds = rounds
        self._instructions = str(conversation.arrangement.get("instructions", ""))

    def team(self, node: Document, prefix: str = "") -> Document:
        """A team, the outer one or, with a prefix, one inside the agent of that name."""
        provider, config = provider_of(node), config_of(node)
        if provider == components.WATCHED:
            return self._watched(config["team"], tuple(config.get("answers", ())), prefix)
        if provider not in components.FORMS:
            return self._foreign(node)
        return self._watched(node, () if prefix else self._answers, prefix)

    def _watched(self, node: Document, answers: tuple[str, ...], prefix: str) -> Document:
        provider, config = provider_of(node), dict(config_of(node))
        members = tuple(
            Member(_name(each), config_of(each).get("description") or "") for each in config["participants"]
        )
        cast = Roster("", members, instructions=self._instructions)
        participants = [self._participant(each, prefix, cast) for each in config["participants"]]
        config |= {"participants": participants, "emit_team_events": False}
        if config.get("termination_condition"):
            config["termination_condition"] = _heard(config["termination_condition"], _names(node))
        if self._rounds is not None and not prefix:
            config["max_turns"] = self._rounds
        if provider == components.SELECTOR:
            config |= self._selecting(config, answers, prefix)
        if provider == components.MAGENTIC:
            config |= self._leading(config, prefix)
        if provider == components.GRAPH:
            del config["emit_team_events"]
        return _ours(
            "Watched",
            {
                "team": {"provider": provider, "config": config},
                "name": f"the team of {prefix[:-1]}" if prefix else "the team",
                "answers": list(answers),
                "in_turn": provider == components.ROUND_ROBIN,
                "open_ended": not components.ends_besides_caps(config.get("termination_condition")),
            },
        )

    def _selecting(self, config: Document, answers: tuple[str, ...], prefix: str) -> Document:
        last = f" Name {answers[0]} once the others have done their part; then comes the answer." if answers else ""
        purpose = self._conversation.task.purpose.strip().replace("{", "{{").replace("}", "}}")
        context = config.get("model_context")
        return {
            "model_client": self._client(f"{prefix}selector", config["model_client"]),
            "selector_prompt": config.get("selector_prompt") or SELECTOR_PROMPT.format(purpose=purpose, last=last),
            "allow_repeated_speaker": bool(config.get("allow_repeated_speaker", False)),
            "model_client_streaming": False,
            "model_context": self._foreign(context) if context else None,
        }

    def _leading(self, config: Document, prefix: str) -> Document:
        form = PART_PROMPT if prefix else FINAL_PROMPT.format(form=answer_form(self._conversation.task))
        client = config["model_client"]
        name = self._model(client)
        return {
            "model_client": _ours(
                "Leader",
                {
                    "agent": f"{prefix}orchestrator",
                    "model": name,
                    "structured": not prefix,
                    "final_prompt": form,
                    "names": [_name(each) for each in config["participants"]],
                    "max_stalls": config.get("max_stalls") or 3,
                },
            ),
            "final_answer_prompt": form,
            "max_stalls": 1,
        }

    def _participant(self, node: Document, prefix: str, cast: Roster) -> Document:
        provider, config = provider_of(node), config_of(node)
        if provider == components.ASSISTANT:
            return _agent(provider, self._assistant(config, prefix, cast))
        if provider == components.SOCIETY:
            return _agent(provider, self._society(config, prefix, cast))
        if provider == components.FILTER:
            inner = self._participant(config["wrapped_agent"], prefix, cast)
            return _agent(provider, {**config, "wrapped_agent": inner, "name": _name(node)})
        if provider == components.PERSON and self._conversation.arrangement.get("ask_user"):
            return _ours("Person", {key: value for key, value in config.items() if value is not None})
        if provider in components.FORMS and components.FORMS[provider].role == "team":
            return self.team(node, f"{prefix}{config.get('name') or 'team'}.")
        return {"component_type": "agent"} | self._foreign(node, f"{prefix}{_name(node)}")

    def _assistant(self, config: Document, prefix: str, cast: Roster) -> Document:
        name = config["name"]
        answers = not prefix and name in self._answers
        benches = list(config.get("workbench") or ())
        if config.get("tools"):
            benches.append({"provider": components.STATIC_WORKBENCH, "config": {"tools": config["tools"]}})
        chosen = [each for each in benches if provider_of(each) == components.GATED]
        inner = [self._foreign(each) for each in benches if provider_of(each) != components.GATED]
        context = config.get("model_context")
        return {
            "name": name,
            "description": config.get("description") or "A member of the team.",
            "model_client": self._client(f"{prefix}{name}", config["model_client"], structured=answers),
            "workbench": [
                _ours(
                    "GatedWorkbench",
                    {
                        "agent": f"{prefix}{name}",
                        "names": chosen[0]["config"]["names"] if chosen else None,
                        "inner": inner,
                    },
                )
            ],
            # AutoGen 0.7.5 breaks off over a plain name here, though it takes one in code.
            "handoffs": [{"target": each} if isinstance(each, str) else each for each in config.get("handoffs") or ()],
            "model_context": self._foreign(context) if context else None,
            "system_message": self._system(
                Member(name, instructions=config.get("system_message") or ""), cast, answers=answers
            ),
            "model_client_stream": False,
            "reflect_on_tool_use": False,
            "tool_call_summary_format": "{result}",
            "max_tool_iterations": TOOL_ROUNDS,
            "structured_message_factory": None if answers else config.get("structured_message_factory"),
        }

    def _society(self, config: Document, prefix: str, cast: Roster) -> Document:
        name = config["name"]
        answers = not prefix and name in self._answers
        inside = self._system(Member(name, instructions=config.get("instruction") or ""), cast, answers=answers)
        context = config.get("model_context")
        return {
            "name": name,
            "description": config.get("description") or "A member of the team, with a team of its own.",
            "team": self.team(config["team"], f"{prefix}{name}."),
            "model_client": self._client(f"{prefix}{name}", config["model_client"], structured=answers),
            "instruction": f"{inside}\n\nYour own team has said:",
            "response_prompt": FINAL_PROMPT.format(form=answer_form(self._conversation.task))
            if answers
            else config.get("response_prompt") or PART_PROMPT,
            "model_context": self._foreign(context) if context else None,
        }

    def _system(self, member: Member, cast: Roster, *, answers: bool) -> str:
        """The prompt of one of the team. Who does not answer is told who does, and in what form: drafts are judged by it."""
        told = [cast.told(member, tuple(each for each in cast.members if each.name != member.name))]
        if not answers:
            by = " or ".join(self._answers) or "somebody who has heard the whole conversation"
            told.append(
                ANSWERED.format(by=by, schema=json.dumps(self._conversation.task.output_schema, ensure_ascii=False))
            )
        instructions = "\n\n".join(part for part in told if part)
        return self._conversation.prompt(instructions, "answers" if answers else "speaks").system

    def _client(self, agent: str, node: Document, *, structured: bool = False) -> Document:
        return _ours("AgentChatClient", {"agent": agent, "model": self._model(node), "structured": structured})

    def _model(self, node: Document) -> str:
        """The binding's further model of this name, in the configuration or at its endpoint; else its one model."""
        wanted = config_of(node).get("model")
        models = self._conversation.binding.models
        return next((name for name, model in models.items() if wanted and wanted in (name, model.name)), "")

    def _foreign(self, node: Document, agent: str = "other") -> Document:
        """What is loaded as it stands, but for the model clients in it, which ask under the agent's name."""
        provider = provider_of(node)
        if provider in components.FORMS and components.FORMS[provider].role == "model":
            return self._client(agent, node)
        return {key: self._within(each, agent) for key, each in node.items()}

    def _within(self, value: Any, agent: str) -> Any:
        if isinstance(value, list):
            return [self._within(each, agent) for each in value]
        return self._foreign(value, agent) if isinstance(value, dict) else value


def _heard(condition: Document, names: list[str]) -> Document:
    """A condition that listens to the team alone: AutoGen's looks for a text in the task, too, and so in the input."""
    provider, config = provider_of(condition), config_of(condition)
    if "conditions" in config:
        return condition | {"config": {"conditions": [_heard(each, names) for each in config["conditions"]]}}
    if provider == components.TEXT_MENTION:
        return {"provider": components.MENTIONED, "config": {"text": config["text"], "sources": names}}
    return condition


def _names(node: Any) -> list[str]:
    """Everybody in a team, and in the teams in it."""
    config = config_of(node)
    inner = [*(config.get("participants") or ()), config.get("team"), config.get("wrapped_agent")]
    names = [str(config["name"])] if config.get("name") else []
    return names + [name for each in inner if isinstance(each, dict) for name in _names(each)]


def _name(node: Document) -> str:
    """The name of a participant; one that only filters what another hears may have that one's."""
    config = config_of(node)
    return str(config.get("name") or (_name(config["wrapped_agent"]) if "wrapped_agent" in config else "team"))


_ROLES = {"Watched": "team", "Person": "agent"}


def _ours(name: str, config: Document) -> Document:
    return {"provider": _OURS + name, "component_type": _ROLES.get(name), "config": config}


def _agent(provider: str, config: Document) -> Document:
    """As AutoGen has it: a selector asks for the type where a round-robin does not."""
    return {"provider": provider, "component_type": "agent", "config": config}
