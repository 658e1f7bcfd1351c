"""Calls that a command's help shows."""

EXAMPLES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("run",): (
        "workermd run task.worker.md input.json --backend command -- ./answer.sh",
        "workermd run task.worker.md input.json --function words:run",
        "workermd run task.worker.md input.json --backend chat --model NAME",
        "workermd run task.worker.md input.json --dry-run",
    ),
    ("batch",): (
        "workermd batch task.worker.md inputs.jsonl --function words:run",
        "workermd batch task.worker.md - --jobs 8 -o answers.jsonl --run-id-from /id",
    ),
    ("serve",): ("workermd serve contracts --tokens tokens --port 8420",),
    ("bench",): (
        "workermd bench notes.bench.yaml --report html=notes.html",
        "workermd bench notes.bench.yaml --baseline main.json --subject small",
    ),
    ("fuzz",): (
        "workermd fuzz task.worker.md --function words:run --in-process",
        "workermd fuzz task.worker.md --function words:run --seconds 60 --seed 7",
    ),
    ("validate",): (
        "workermd validate contracts --strict --report sarif=out.sarif",
        "workermd validate task.worker.md --input input.json",
    ),
    ("fmt",): ("workermd fmt contracts --check",),
    ("diff",): (
        "workermd diff old.worker.md new.worker.md",
        "workermd diff git:main:contracts/task.worker.md contracts/task.worker.md",
    ),
    ("approve",): (
        "workermd approve RUN_ID --reason 'she asked for it'",
        "workermd approve RUN_ID --answer blue",
    ),
    ("derive",): (
        "workermd derive OWNER/REPO -o task.worker.md",
        "workermd derive ./clone --interface openapi:api/openapi.json#getPet",
        "workermd derive ./clone --check task.worker.md",
    ),
    ("new",): ("workermd new greet", "workermd new count --language node", "workermd new sum-up --agent"),
    ("import",): ("workermd import team.json", 'workermd import gallery.json --team "Deep Research" --name research'),
    ("runs", "prune"): ("workermd runs prune --older-than 30d --dry-run", "workermd runs prune --expired"),
    ("conformance",): (
        "workermd conformance --claims core,durable",
        "workermd conformance --claims core -- ./runner {spec} {input} {task}",
    ),
}
"""Command to calls that its help shows: each can be read; a test holds them against the table."""
