"""A bench as a log that `inspect view` opens: the JSON form of inspect's log, version 2.

A log has one model. Subjects are told apart by the samples' ids where there are several.
"""

import json
import time
from typing import Any

from workermd import __version__
from workermd.protocol.envelope import Document, encoded


def of_results(document: Document) -> bytes:
    subjects = document["subjects"]
    several = len(subjects) > 1
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    runs = [run for run in document["runs"] if run["word"] != "missing"]
    samples = [_sample(run, _name(run, several=several)) for run in runs]
    scores = [_of_subject(each) for each in subjects]
    return encoded(
        {
            "version": 2,
            "status": "success",
            "eval": {
                "run_id": document["suite"],
                "created": now,
                "task": document["suite"],
                "task_id": document["suite"],
                "task_version": 1,
                "task_description": document["description"],
                "dataset": {
                    "name": document["suite"],
                    "location": document["suite"],
                    "samples": len(document["cases"]),
                    "sample_ids": list(dict.fromkeys(sample["id"] for sample in samples)),
                },
                "model": ", ".join(each["model"] or each["name"] for each in subjects),
                "config": {"epochs": document["repeats"]},
                "packages": {"workermd": __version__},
                "metadata": {"contracts": document["contract"], "gate": document["gate"]},
            },
            "plan": {"name": "plan", "steps": [], "config": {}},  # its viewer reads a log's head up to here
            "results": {"total_samples": len(samples), "completed_samples": len(samples), "scores": scores},
            "stats": {"started_at": now, "completed_at": now, "model_usage": _usage_of(subjects)},
            "samples": samples,
        }
    )


def _name(run: Document, *, several: bool) -> str:
    return f"{run['subject']}: {run['case']}" if several else str(run["case"])


def _of_subject(subject: Document) -> Document:
    low, high = subject["interval"]
    metrics = {"accuracy": subject["share"] or 0.0, "wilson_low": low, "wilson_high": high}
    return {
        "name": subject["name"],
        "scorer": "workermd",
        "params": {},
        "metrics": {name: {"name": name, "value": value, "params": {}} for name, value in metrics.items()},
    }


def _usage_of(subjects: list[Document]) -> Document:
    return {each["name"]: _tokens(each["usage"]) for each in subjects if each["usage"]}


def _tokens(usage: Document) -> Document:
    read, written = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _sample(run: Document, name: str) -> Document:
    answer = "" if run.get("output") is None else _text(run["output"])
    document: Document = {
        "id": name,
        "epoch": run["n"],
        "input": _text(run["input"]),
        "target": "" if run["expect"] is None else _text(run["expect"]),
        "messages": [
            {"role": "user", "content": _text(run["input"])},
            {"role": "assistant", "content": answer, "source": "generate"},
        ],
        "output": {
            "model": run["subject"],
            "choices": [
                {"message": {"role": "assistant", "content": answer, "source": "generate"}, "stop_reason": "stop"}
            ],
            "usage": _tokens(run["usage"]),
            "time": run["seconds"],
        },
        "scores": {
            "passed": {
                "value": "C" if run["word"] == "passed" else "I",
                "answer": run["status"],
                "explanation": run["word"],
            },
            **{
                each["name"]: {"value": each["value"], "explanation": each["told"]}
                for each in run["scores"]
                if each["value"] is not None
            },
        },
        "metadata": {"run_id": run["run_id"], "worker_id": run["worker_id"], "tags": run["tags"]},
        "store": {},
        "events": [],
        "model_usage": {run["subject"]: _tokens(run["usage"])} if run["usage"] else {},
        "total_time": run["seconds"],
    }
    if run["word"] == "error":
        told = f"{run['error']}: {run['told']}"
        document["error"] = {"message": told, "traceback": "", "traceback_ansi": ""}
    return document
