"""output-gate: the policy's parts, and the pipe from the other shipped workers."""

import pytest

from workermd import Refused
from workermd.workers import aggregate, data_validation
from workermd.workers.output_gate import run

CONTRACT = "output-gate"


@pytest.fixture
def judge(make_task, example):
    """`judge(result, policy)`: decision, the codes of the reasons with their places, and the whole output."""

    def judged(result, policy=None, status="ok", operators=None):
        document = {"run_id": "r", "status": status, "result": result}
        if policy is not None:
            document["policy"] = policy
        example.accepts_input(document)
        return example.complete(run(make_task(document, **(operators or {}))))

    return judged


def places(answer):
    return [(reason["code"], reason["pointer"]) for reason in answer["result"]["reasons"]]


def test_the_example_gives_the_expected_output(example, make_task):
    example.accepts_input(example.input)
    assert example.complete(run(make_task(example.input))) == example.output


def test_what_is_allowed_goes_on(judge):
    answer = judge({"any": ["thing"]})
    assert answer["status"] == "ok"
    assert answer["result"] == {"decision": "allow", "reasons": [], "reason_count": 0, "document": {"any": ["thing"]}}


@pytest.mark.parametrize(
    ("status", "result", "ends", "code"),
    [
        ("invalid_request", {"error": {}}, "invalid_output", "upstream_not_ok"),
        ("own_status", {}, "invalid_output", "upstream_not_ok"),
        ("needs_human", {}, "needs_human", "upstream_needs_human"),
        ("ok", {"valid": False}, "invalid_output", "upstream_invalid"),
        ("ok", {"conflicts": [{}]}, "needs_human", "conflicts"),
        ("ok", {"completeness": 0.99}, "needs_human", "incomplete"),
    ],
)
def test_the_default_policy(judge, status, result, ends, code):
    answer = judge(result, status=status)
    assert answer["status"] == ends
    assert answer["result"]["decision"] == {"invalid_output": "block"}.get(ends, ends)
    assert [reason["code"] for reason in answer["result"]["reasons"]] == [code]
    assert "document" not in answer["result"]


def test_fields_that_are_not_there_or_of_another_kind_say_nothing(judge):
    assert judge({"valid": None, "conflicts": 0, "completeness": True})["status"] == "ok"


def test_the_threshold_is_the_operators(judge):
    assert judge({"completeness": 0.5}, operators={"min_completeness": 0.5})["status"] == "ok"
    assert judge({"completeness": 0.5}, operators={"min_completeness": 1})["status"] == "needs_human"


@pytest.mark.parametrize(
    ("policy", "good", "bad", "reason"),
    [
        ({"schema": {"required": ["a"]}}, {"a": 1}, {}, ("schema", "/result")),
        ({"schema": {"properties": {"a": {"type": "string"}}}}, {"a": ""}, {"a": 1}, ("schema", "/result/a")),
        ({"required": ["/a/0"]}, {"a": [0]}, {"a": [None]}, ("missing", "/result/a/0")),
        (
            {"forbidden": [{"name": "n", "text": "Secret"}]},
            {"a": "sec ret"},
            {"a": ["SECRETS"]},
            ("forbidden", "/result/a/0"),
        ),
        (
            {"forbidden": [{"name": "n", "text": "key"}]},
            {"a": {}},
            {"a": {"my/key": 1}},
            ("forbidden", "/result/a/my~1key"),
        ),
        ({"forbidden": [{"name": "n", "pattern": "^(a+)+$"}]}, {"k": "b"}, {"k": "a" * 9}, ("forbidden", "/result/k")),
        ({"max_bytes": 10}, {"a": "é"}, {"a": "éé"}, ("too_large", "/result")),
        ({"max_text": 3}, {"a": "ééé"}, {"a": "éééé"}, ("text_too_long", "/result/a")),
        ({"confidence": {"pointer": "/c", "min": 0.5}}, {"c": 0.5}, {"c": 0.4}, ("confidence", "/result/c")),
        ({"confidence": {"pointer": "/c", "min": 0}}, {"c": 0}, {"c": True}, ("confidence", "/result/c")),
    ],
)
def test_each_part_of_a_policy(judge, policy, good, bad, reason):
    assert judge(good, policy)["status"] == "ok"
    answer = judge(bad, policy)
    assert places(answer) == [reason]
    assert answer["status"] == ("needs_human" if "confidence" in policy else "invalid_output")
    # The operator's policy is read the same way.
    assert places(judge(bad, policy=None, operators={"policy": policy})) == [reason]


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.com/path?q=1",
        "(https://docs.example.com), or [x](HTTP://EXAMPLE.COM:8080)",
        "https://example.com. And <https://example.com>",
        "no link: a // b, c://",
    ],
)
def test_links_that_may_stay(judge, text):
    assert judge({"t": text}, {"allowed_domains": ["Example.com"]})["status"] == "ok"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://evil.test", "link_domain"),
        ("https://notexample.com", "link_domain"),
        ("https://example.com.evil.test/", "link_domain"),
        ("ftp://evil.test/x", "link_domain"),
        ("ok https://example.com then https://evil.test", "link_domain"),
        ("https://example.com@evil.test/", "link_unclear"),
        ("https://evil.test\\@example.com/", "link_unclear"),
        ("https://example.com%2eevil.test", "link_unclear"),
        ("https://ex\u0430mple.com", "link_unclear"),
        ("https://[::1]/", "link_unclear"),
        ("https://example.com,.evil.test", "link_unclear"),
        ("https://example.com:99999/", "link_unclear"),
    ],
)
def test_links_that_block(judge, text, code):
    assert places(judge({"t": text}, {"allowed_domains": ["example.com"]})) == [(code, "/result/t")]


def test_the_inputs_policy_cannot_loosen_the_operators(judge):
    answer = judge({"a": "xx"}, {"max_text": 100}, operators={"policy": {"max_text": 1}})
    assert places(answer) == [("text_too_long", "/result/a")]


def test_block_outweighs_needs_human_and_stands_first(judge):
    answer = judge({"completeness": 0, "a": "x" * 13}, {"max_text": 12})
    assert [reason["decision"] for reason in answer["result"]["reasons"]] == ["block", "needs_human"]
    assert answer["status"] == "invalid_output"


def test_reasons_are_capped_and_counted(judge):
    answer = judge({"a": ["xx"] * 500}, {"max_text": 1})
    assert (len(answer["result"]["reasons"]), answer["result"]["reason_count"]) == (100, 500)


@pytest.mark.rule("S5.6")
def test_reasons_do_not_echo_values(judge):
    policy = {"forbidden": [{"name": "token", "pattern": "hunter2"}], "schema": {"properties": {"a": {"const": 1}}}}
    answer = judge({"a": "hunter2"}, policy)
    assert answer["result"]["reason_count"] == 2
    assert "hunter2" not in str(answer)


BAD_POLICIES = [
    {"schema": {"type": "strin"}},
    {"schema": {"$ref": "http://127.0.0.1:9/"}},
    {"forbidden": [{"name": "n", "pattern": "(?=a)"}]},
    {"forbidden": [{"name": "n", "pattern": "("}]},
]


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize("policy", BAD_POLICIES)
def test_an_unusable_policy_of_the_input_is_its_senders_matter(judge, policy):
    answer = judge({"a": "x"}, policy)
    assert (answer["status"], answer["result"]["error"]["code"]) == ("invalid_request", "bad_policy")


@pytest.mark.parametrize(
    "policy",
    [
        *BAD_POLICIES,
        {"max_txt": 1},
        {"max_text": "1"},
        {"required": [1]},
        {"forbidden": [{"text": "x"}]},
        {"schema": True},
    ],
)
def test_an_unusable_policy_of_the_operator_is_a_permanent_failure(judge, policy):
    with pytest.raises(Refused, match="setting 'policy'"):
        judge({"a": "x"}, operators={"policy": policy})


@pytest.mark.rule("S6.4")
def test_a_pattern_costs_linear_time(judge):
    answer = judge({"k": "a" * 50_000 + "!"}, {"forbidden": [{"name": "n", "pattern": "^(a+)+$"}]})
    assert answer["status"] == "ok"


# --- the pipe: outputs of other shipped contracts are inputs as they are ---------------------------


def through(example, make_task, answer):
    example.accepts_input(answer)
    return example.complete(run(make_task(answer)))


def test_aggregate_pipes_into_the_gate(example, make_task):
    parts = [{"source": "a", "data": {"x": 1}}, {"source": "b", "data": {"y": 2}}]
    order = {"run_id": "r", "merge_policy": "strict", "parts": parts, "expected": {"pointers": ["/x", "/y"]}}
    answer = {"run_id": "r", **aggregate.run(make_task(order))}
    passed = through(example, make_task, answer)
    assert passed["result"]["document"] == answer["result"]
    order["expected"]["pointers"].append("/z")
    assert through(example, make_task, {"run_id": "r", **aggregate.run(make_task(order))})["status"] == "needs_human"
    parts[1]["data"]["x"] = 2
    assert through(example, make_task, {"run_id": "r", **aggregate.run(make_task(order))})["status"] == "invalid_output"


@pytest.mark.parametrize(("record", "status"), [({"a": 1}, "ok"), ({"a": "x"}, "invalid_output")])
def test_data_validation_pipes_into_the_gate(example, make_task, record, status):
    schema = {"properties": {"a": {"type": "integer"}}}
    reply = data_validation.run(make_task({"run_id": "r", "records": [record], "record_schema": schema}))
    assert through(example, make_task, {"run_id": "r", **reply.output})["status"] == status


def test_a_gate_pipes_into_a_gate(example, make_task, judge):
    assert through(example, make_task, judge({"a": 1}))["status"] == "ok"
    assert through(example, make_task, judge({"valid": False}))["status"] == "invalid_output"


@pytest.mark.rule("S9.4")
@pytest.mark.parametrize(
    ("result", "answer", "status", "codes"),
    [
        ({"conflicts": [{}], "completeness": 0.5}, "approve", "ok", []),
        ({"conflicts": [{}], "completeness": 0.5}, "deny", "invalid_output", ["conflicts", "incomplete"]),
        ({"conflicts": [{}]}, "why not", "invalid_output", ["conflicts"]),
        ({"conflicts": [{}], "valid": False}, "approve", "invalid_output", ["upstream_invalid"]),
        ({"conflicts": [{}], "valid": False}, "deny", "invalid_output", ["upstream_invalid", "conflicts"]),
        ({}, "deny", "ok", []),
    ],
)
def test_what_a_person_decided_settles_what_needed_one(example, make_task, result, answer, status, codes):
    task = make_task({"run_id": "r", "status": "ok", "result": result})
    decisions = ({"answer": "approve"}, {"answer": answer})
    done = example.complete(run(task._replace(decisions=decisions)))
    assert (done["status"], [reason["code"] for reason in done["result"]["reasons"]]) == (status, codes)
    assert all(reason["decision"] == "block" for reason in done["result"]["reasons"])
    assert ("document" in done["result"]) == (status == "ok")
