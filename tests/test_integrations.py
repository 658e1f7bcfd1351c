"""The pre-commit hooks under real pre-commit, and the steps of the GitHub Action in order, outside GitHub.

Both install a copy of the checkout. No package index is asked: what the package needs is taken from this environment.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest
import yaml

from tests.conftest import ROOT, contract_text, patience

INSTALLED = (
    "workermd",
    "registry",
    "contracts",
    "docs",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "constraints.txt",
    "action.yml",
    ".pre-commit-hooks.yaml",
)
BROKEN = "---\nid: a\nversion: 1.0.0\n---\n# x\n"
MESSY = contract_text().replace("id: echo\nname: echo\n", "name: echo\nid: echo\n")


def environment_in(folder):
    scripts = sysconfig.get_path("scripts")
    return {
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "PRE_COMMIT_HOME": str(folder / "hooks"),
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the wrong way round: 0 means no isolation
        "PIP_IGNORE_INSTALLED": "1",
        "PIP_NO_COMPILE": "1",  # what is used is compiled when it is imported
        "LANG": "C.UTF-8",
        **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }


def checkout_in(folder):
    """What a user gets of the repository."""
    place = folder / "checkout"
    place.mkdir()
    for name in INSTALLED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place / name)
    return place


@pytest.fixture
def environment(tmp_path):
    return environment_in(tmp_path)


@pytest.fixture
def checkout(tmp_path):
    return checkout_in(tmp_path)


@pytest.fixture
def project(tmp_path):
    place = tmp_path / "project"
    (place / "in side").mkdir(parents=True)
    (place / "in side" / "good.worker.md").write_text(contract_text())
    return place


def call(environment, folder, *words):
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=patience(100), check=False
    )


# --- pre-commit -----------------------------------------------------------------------------------------


def test_the_hooks_with_real_pre_commit(environment, checkout, project):
    for folder in (checkout, project):
        call(environment, folder, "git", "init", "-q", ".")
        call(environment, folder, "git", "add", "-A")
    call(environment, checkout, "git", "commit", "-qm", "all")
    revision = call(environment, checkout, "git", "rev-parse", "HEAD").stdout.strip()
    hooks = [{"id": "workermd-validate"}, {"id": "workermd-fmt"}]
    assert [each["id"] for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())] == [
        each["id"] for each in hooks
    ]
    config = {"repos": [{"repo": str(checkout), "rev": revision, "hooks": hooks}]}
    (project / ".pre-commit-config.yaml").write_text(json.dumps(config))

    def run(**files):
        for name, data in files.items():
            (project / f"{name}.worker.md").write_bytes(data)
        call(environment, project, "git", "add", "-A")
        return call(environment, project, "pre-commit", "run", "--all-files", "--color=never")

    clean = run()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert len(re.findall(r"(?m)^(?:check|lay) .*Passed$", clean.stdout)) == 2
    bad = run(bad=BROKEN.encode(), binary=b"\x00\xff")
    assert bad.returncode == 1
    assert "bad.worker.md:1:1: " in bad.stdout
    assert re.search(r"binary\.worker\.md:1:\d+: error: .*\[WM101\]", bad.stdout), "it is not passed over"
    for name in ("bad", "binary"):
        (project / f"{name}.worker.md").unlink()
    messy = run(messy=MESSY.encode())
    assert messy.returncode == 1
    assert "files were modified by this hook" in messy.stdout
    assert (project / "messy.worker.md").read_text() == contract_text()


# --- the GitHub Action ----------------------------------------------------------------------------------

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


class Runner:
    """Runs the action's steps as GitHub does: expressions are put into the environment, and nowhere else."""

    def __init__(self, environment, checkout, project, temporary):
        self.project = project
        self.checkout = checkout
        self.output, self.summary = temporary / "output", temporary / "summary"
        self.environment = {
            **environment,
            "GITHUB_WORKSPACE": str(project),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(temporary),
        }

    def step(self, named, **inputs):
        (step,) = (step for step in ACTION["runs"]["steps"] if step.get("id") == named)
        given = {name: value["default"] for name, value in ACTION["inputs"].items()} | {
            name.replace("_", "-"): value for name, value in inputs.items()
        }
        known = {"github.action_path": str(self.checkout)} | {f"inputs.{name}": text for name, text in given.items()}
        values = {
            name: re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: known[found[1]], text)
            for name, text in step["env"].items()
        }
        for path in (self.output, self.summary):
            path.write_text("")
        script = self.output.parent / "script.sh"
        script.write_text(step["run"])
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return call(self.environment | values, self.project, *words)

    def outputs(self):
        """As the runner reads them: `name=value`, or a value between two lines of a word."""
        found, lines = {}, iter(self.output.read_text().splitlines())
        for line in lines:
            name, sign, rest = line.partition("<<")
            if sign:
                values = []
                while (value := next(lines)) != rest:
                    values.append(value)
                found[name] = "\n".join(values)
            else:
                name, _, found[name] = line.partition("=")
        return found


OTHERS = {"actions/cache/restore@v4", "actions/cache/save@v4", "actions/upload-artifact@v4"}
"""GitHub's own actions that ours calls: a composite action has no other way to the cache and to the artifacts."""


def test_the_action_calls_github_alone_and_puts_no_expression_into_a_script():
    assert ACTION["runs"]["using"] == "composite"
    own = [step for step in ACTION["runs"]["steps"] if "run" in step]
    assert {step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step} == OTHERS
    for step in own:
        assert set(step) == {"name", "id", "shell", "env", "run"}
        assert "${{" not in step["run"], "an input there would be run as a program"
    names = {name for step in own for name in step["env"]}
    assert all(name in "".join(step["run"] for step in own) for name in names)
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    assert all("description" in each for each in [*ACTION["inputs"].values(), *ACTION["outputs"].values()])


def test_the_ledger_is_brought_back_before_the_run_and_kept_after_a_failure_too():
    """Under a key of its own for each job: a cache is never written twice, and the newest one is brought back."""
    places = [step.get("id") or step["uses"] for step in ACTION["runs"]["steps"]]
    restore, save, upload = (f"actions/{name}@v4" for name in ("cache/restore", "cache/save", "upload-artifact"))
    assert places == ["install", "validate", restore, "run", "bench", save, upload]
    steps = dict(zip(places, ACTION["runs"]["steps"], strict=True))
    assert "always()" in steps[save]["if"]
    assert "always()" in steps[upload]["if"]
    before, after = steps[restore]["with"], steps[save]["with"]
    assert before.pop("restore-keys") == "${{ inputs.cache }}-"
    assert before == after
    assert before["key"].startswith("${{ inputs.cache }}-${{ github.run_id }}-")
    assert before["path"] == "${{ inputs.ledger }}*", "the file, and the folders beside it"
    for expression in re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", (ROOT / "action.yml").read_text()):
        assert expression[1] in (steps[expression[0]]["run"]), expression


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The first step of the action, once for all: it makes an environment and installs into it."""
    folder = tmp_path_factory.mktemp("action")
    temporary = folder / "runner temp"
    temporary.mkdir()
    checkout = checkout_in(folder)
    done = Runner(environment_in(folder), checkout, folder, temporary).step("install", python=sys.executable)
    assert done.returncode == 0, done.stderr
    return checkout, temporary


def test_the_steps_of_the_action_in_order(environment, installed, project):
    checkout, temporary = installed
    runner = Runner(environment, checkout, project, temporary)
    clean = runner.step("validate")
    assert (clean.returncode, clean.stdout) == (0, ""), clean.stderr
    assert runner.outputs() == {"exit-code": "0", "sarif-file": "workermd.sarif"}
    assert runner.summary.read_text() == "### worker.md contracts: 0 errors, 0 warnings in 1 file\n"
    assert json.loads((project / "workermd.sarif").read_text())["runs"][0]["results"] == []

    (project / "bad.worker.md").write_text(BROKEN)
    bad = runner.step("validate", sarif_file="a b.sarif")
    assert bad.returncode == 1
    assert bad.stdout.startswith("::warning file=bad.worker.md,line=1,col=1,endColumn=4,title=WM113::")
    assert bad.stdout.count("::error file=bad.worker.md,line=5,") == 3
    assert runner.outputs() == {"exit-code": "1", "sarif-file": "a b.sarif"}
    assert runner.summary.read_text().startswith("### worker.md contracts: 3 errors, 1 warning in 2 files\n")
    assert len(json.loads((project / "a b.sarif").read_text())["runs"][0]["results"]) == 4
    assert runner.step("validate", fail_on="never").returncode == 0
    assert runner.outputs()["exit-code"] == "1"

    only = runner.step("validate", paths="\n  in side/*.worker.md \r\n\n", args="--quiet\n", sarif_file="")
    assert (only.returncode, only.stdout, only.stderr) == (0, "", "")
    assert runner.outputs() == {"exit-code": "0", "sarif-file": ""}

    missing = runner.step("validate", paths="nowhere", fail_on="never")
    assert missing.returncode == 2, "what could not be checked is no success"
    assert missing.stdout.startswith("::error title=could not be checked ")
    assert "nowhere: no such file" in runner.summary.read_text()
    assert runner.step("validate", fail_on="sometimes").returncode == 2

    for hostile in (
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        '"; touch pwned; "',
        "--report\njson=pwned",
        "a\n::error::x",
    ):
        for name in ("paths", "fail_on", "sarif_file"):
            runner.step("validate", **{name: hostile})
            assert not (project / "pwned").exists(), (name, hostile)
            assert set(runner.outputs()) <= {"exit-code", "sarif-file"}


def test_the_action_runs_a_contract(environment, installed, project):
    """The whole of a gate: the answer, its record, an annotation, a summary; and from the ledger the second time."""
    checkout, temporary = installed
    runner = Runner(environment, checkout, project, temporary)
    assert runner.step("run").stdout == "", "without a contract nothing is run"
    assert runner.step("validate", paths="").returncode == 0
    assert runner.outputs() == {"exit-code": "0", "sarif-file": ""}
    (project / "input.json").write_text('{"run_id": "r 1"}')
    (project / "answer.sh").write_text("""echo '{"status": "'"$1"'", "result": {}}'""")
    call = {"contract": "in side/good.worker.md", "input": "input.json", "ledger": "kept/l.db"}

    def words(status):
        return f"--env\n PYTHONPATH\n--backend\ncommand\n--\nsh\nanswer.sh\n{status}\n"

    done = runner.step("run", run_args=words("ok"), **call)
    assert (done.returncode, json.loads(done.stdout[: done.stdout.index("::")])["status"]) == (0, "ok"), done.stderr
    assert "::notice title=echo r 1::ok\n" in done.stdout
    assert runner.outputs() == {"run-exit-code": "0", "status": "ok", "envelope-file": "workermd-envelope.json"}
    assert runner.summary.read_text().startswith("### echo: ok\n")
    assert json.loads((project / "workermd-envelope.json").read_text())["replayed"] is False
    assert runner.step("run", run_args=words("ok"), **call).returncode == 0
    assert json.loads((project / "workermd-envelope.json").read_text())["replayed"] is True

    (project / "input.json").write_text('{"run_id": "r2"}')
    bad = runner.step("run", run_args=words("invalid_request"), **call)
    assert (bad.returncode, runner.outputs()["status"]) == (3, "invalid_request"), bad.stderr
    assert "::error title=echo r2::invalid_request: " in bad.stdout
    nothing = runner.step("run", **call | {"input": "nowhere.json"})
    assert (nothing.returncode, runner.outputs()) == (2, {"run-exit-code": "2", "status": "", "envelope-file": ""})
    assert "::error title=workermd run::nothing was run" in nothing.stdout
    assert runner.step("run", **call | {"contract": "--help"}).returncode == 2
    benched(runner, project)
    for hostile in ("$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "a\n::error::x"):
        for name in ("contract", "input", "run_args", "ledger", "envelope_file"):
            runner.step("run", **call | {name: hostile})
            assert not (project / "pwned").exists(), (name, hostile)
            assert set(runner.outputs()) <= {"run-exit-code", "status", "envelope-file"}


def benched(runner, project):
    """The step that holds a suite's gate: passed, failed and unusable, with a summary each time that something was measured."""
    assert runner.step("bench").stdout == "", "without a suite nothing is benched"
    suite = {
        "suite": 1,
        "contract": "in side/good.worker.md",
        "cases": [{"id": "a", "input": {}}],
        "subjects": {"s": {"command": ["sh", "answer.sh", "ok"], "env": ["PYTHONPATH"]}},
        "gate": {"min_pass": 0.1},
    }
    (project / "x.bench.yaml").write_text(json.dumps(suite))
    done = runner.step("bench", suite="x.bench.yaml", bench_args="--repeats\n 2\n", ledger="kept/l.db")
    assert (done.returncode, runner.outputs()) == (0, {"bench-exit-code": "0"}), done.stderr
    assert runner.summary.read_text().startswith("### x: passed\n")
    (project / "x.bench.yaml").write_text(json.dumps(suite | {"gate": {"min_pass": 0.9}}))
    failed = runner.step("bench", suite="x.bench.yaml", ledger="kept/l.db")
    assert (failed.returncode, runner.outputs()) == (1, {"bench-exit-code": "1"}), failed.stderr
    assert "::error title=workermd bench::the gate is not passed" in failed.stdout
    assert runner.step("bench", suite="nowhere.bench.yaml").returncode == 2
    assert runner.step("bench", suite="--help").returncode == 2


# --- the page about gates -------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "ci.md").read_text()


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_names_every_input_of_the_run():
    workflow = yaml.safe_load(blocks("yaml")[0])
    steps = workflow["jobs"]["gate"]["steps"]
    ours = next(step for step in steps if step.get("id") == "gate")
    assert set(ours["with"]) <= set(ACTION["inputs"])
    table = re.findall(r"^\| `([\w-]+)` \| (?:`(.*?)`)? ?\|", PAGE, re.MULTILINE)
    assert {name: ACTION["inputs"][name]["default"] for name, _ in table} == dict(table)
    checks = {"args", "fail-on", "sarif-file", "python"}
    assert set(ACTION["inputs"]) == {name for name, _ in table} | checks
    assert [*yaml.safe_load(blocks("yaml")[1])] == ["run-args"]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_script_of_gitlab_and_jenkins(environment, tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed here")
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    (tmp_path / "gate.sh").write_text(blocks("sh")[0])
    (job,) = (job for each in blocks("yaml") for job in yaml.safe_load(each).values() if "before_script" in job)
    jenkins = re.findall(r"sh '(sh gate.*)'", blocks("groovy")[0])
    assert job["script"] == jenkins
    for replayed in (False, True):
        done = call(environment, tmp_path, shell, "-c", job["script"][0].replace("sh ", f"{shell} ", 1))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert json.loads((tmp_path / "reports/envelope.json").read_text())["replayed"] is replayed
    kept = {str(path.relative_to(tmp_path)) for path in (tmp_path / "reports").iterdir()}
    assert kept == {f"reports/{name}" for name in ("envelope.json", "output.json", "workermd.md", "workermd.xml")}
    assert job["artifacts"]["reports"]["junit"] in kept
    assert job["artifacts"]["reports"]["junit"] in blocks("groovy")[0]
    assert (tmp_path / job["cache"]["paths"][0] / "ledger.db").exists()


def test_the_published_schemas_accept_the_files(tmp_path):
    """SchemaStore's for an action and for a workflow, GitLab's own for its file, as check-jsonschema brings them."""
    checker = pytest.importorskip("check_jsonschema", reason="check-jsonschema is of the extra measure")
    (gitlab,) = (each for each in blocks("yaml") if "before_script" in each)
    for kind, text in (
        ("github-actions", (ROOT / "action.yml").read_text()),
        ("github-workflows", blocks("yaml")[0]),
        ("gitlab-ci", gitlab),
    ):
        (tmp_path / f"{kind}.yml").write_text(text)
        words = ("--builtin-schema", f"vendor.{kind}", str(tmp_path / f"{kind}.yml"))
        done = call(dict(os.environ), tmp_path, sys.executable, "-m", checker.__name__, *words)
        assert done.returncode == 0, done.stdout
