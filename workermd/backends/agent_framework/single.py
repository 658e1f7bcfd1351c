"""One agent: by our prompt, or as a YAML file of the framework declares it."""

from agent_framework import Agent

from workermd.backends.agent_framework import declared
from workermd.backends.agent_framework.members import client_of, last_words, options_of, tools_of
from workermd.backends.agents.conversation import Conversation
from workermd.backends.agents.roster import Roster


async def alone(conversation: Conversation, roster: Roster) -> str:
    member, declaration = roster.members[0], declared.read(conversation.binding)
    name = declaration.name if declaration else member.name
    client, tools = client_of(conversation, name, member.model), tools_of(conversation, name, member.tools)
    if declaration is None:
        prompt = conversation.prompt(roster.told(member))
        agent = Agent(client, prompt.system, name=name)
    else:
        prompt = conversation.prompt(declaration.instructions)
        agent = declared.agent_of(declaration, client, prompt.system)
    return last_words(await agent.run(prompt.user, tools=tools, options=options_of(conversation, "answers")))
