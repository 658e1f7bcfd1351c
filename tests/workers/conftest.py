"""A task factory, and the shipped contracts read just far enough to judge examples."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workermd import Reply, Task

CONTRACTS = Path(__file__).parents[2] / "contracts"
MakeTask = Callable[..., Task]


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """`make_task(input, **settings)`: a first attempt with 30 s left and a fresh artifacts folder."""

    def make(document: dict[str, Any], worker_id: str = "under-test", seconds: float = 30.0, **settings: Any) -> Task:
        artifacts = tmp_path / "artifacts"
        artifacts.mkdir(exist_ok=True)
        return Task(
            worker_id=worker_id,
            version="1.0.0",
            run_id=document["run_id"],
            attempt=1,
            max_attempts=2,
            seconds_left=seconds,
            purpose="",
            mode="tool-gateway-worker",
            input=document,
            output_schema={},
            tools_allowed=None,
            feedback=(),
            decisions=(),
            trace={},
            artifacts_dir=str(artifacts),
            settings=settings,
        )

    return make


class Example:
    """A shipped contract with its example: schemas out of the two fenced blocks, input and expected output."""

    def __init__(self, name: str) -> None:
        text = (CONTRACTS / f"{name}.worker.md").read_text(encoding="utf-8")
        self.text = text
        self.input_schema, self.output_schema = (
            json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        )
        self.input = json.loads((CONTRACTS / "examples" / f"{name}.input.json").read_text(encoding="utf-8"))
        self.output = json.loads((CONTRACTS / "examples" / f"{name}.output.json").read_text(encoding="utf-8"))

    def accepts_input(self, document: Any) -> None:
        jsonschema.Draft202012Validator(self.input_schema).validate(document)

    def accepts_output(self, document: Any) -> None:
        jsonschema.Draft202012Validator(self.output_schema).validate(document)

    def complete(self, answer: Any) -> dict[str, Any]:
        """The output document as a run prints it: the run id and `ok` filled in (S8.2)."""
        document = answer.output if isinstance(answer, Reply) else answer
        complete = {"run_id": self.input["run_id"], "status": "ok", **document}
        json.dumps(complete, allow_nan=False).encode()
        self.accepts_output(complete)
        return complete


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Example:
    """The example of the contract that the test module names in `CONTRACT`."""
    return Example(request.module.CONTRACT)
