"""One agent: by our prompt, or as a YAML file of the framework declares it."""

from agent_framework import Agent

from workermd.backends.agent_framework import declared
from workermd.backends.agent_framework.members import client_of, last_words, options_of, tools_of
from workermd.backends.agents.conversation import Job
from workermd.backends.agents.roster import Roster


async def alone(job: Job, roster: Roster) -> str:
    member, declaration = roster.members[0], declared.read(job.binding)
    name = declaration.name if declaration else member.name
    client, tools = client_of(job, name, member.model), tools_of(job, name, member.tools)
    if declaration is None:
        prompt = job.prompt(roster.told(member))
        agent = Agent(client, prompt.system, name=name)
    else:
        prompt = job.prompt(declaration.instructions)
        agent = declared.agent_of(declaration, client, prompt.system)
    return last_words(await agent.run(prompt.user, tools=tools, options=options_of(job, "answers")))
