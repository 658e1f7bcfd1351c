"""Command lines as programs declare them: nothing that is not understood may vanish, and nothing is invented."""

import time

import pytest

from tests.derive.interfaces.interface_cases import build
from workermd.contract.schema import checker
from workermd.derive.interfaces.kinds import find_all
from workermd.derive.model import Interface

PROJECT = (
    '=== pyproject.toml\n[project]\nname = "tool"\n[project.scripts]\ntool = "tool.cli:main"\n=== tool/__init__.py\n'
)


def commands(tmp_path, *modules: str) -> dict[str, Interface]:
    """The commands of `tool` by name; each module is `path` and its text."""
    text = PROJECT + "".join(f"=== tool/{module}\n" for module in modules)
    return {one.name: one for one in find_all(build(tmp_path, text), ["cli"])}


def arguments(interface: Interface) -> set[str]:
    return set(interface.input_schema["properties"])


def accepts(interface: Interface, value: object) -> bool:
    return checker(interface.input_schema, "2020-12").accepts(value)


def is_open(interface: Interface) -> bool:
    """The fallback: further words are taken, the object is open, and a note says why."""
    schema = interface.input_schema
    return "args" in schema["properties"] and schema["additionalProperties"] is True and bool(interface.notes)


CLICK = "cli.py\nimport functools\nimport click\n"
ARGPARSE = "cli.py\nimport argparse\n"


@pytest.mark.parametrize(
    "decorator",
    [
        "def common(f):\n    f = click.argument('path')(f)\n    return click.option('--size', type=int)(f)\n",
        "def common(f):\n    for one in reversed([click.argument('path'), click.option('--size', type=int)]):\n        f = one(f)\n    return f\n",
        "OPTIONS = [click.argument('path'), click.option('--size', type=int)]\ndef common(f):\n    return functools.reduce(lambda x, one: one(x), OPTIONS, f)\n",
        "def common(f):\n    @click.argument('path')\n    @click.option('--size', type=int)\n    @functools.wraps(f)\n    def inner(*args, **kwargs):\n        return f(*args, **kwargs)\n    return inner\n",
        "def adding(*names):\n    def decorate(f):\n        for name in names:\n            f = click.option(f'--{name}', type=int)(f)\n        return click.argument('path')(f)\n    return decorate\ncommon = adding('size')\n",
    ],
)
def test_options_that_a_decorator_of_the_repository_adds_are_read(tmp_path, decorator):
    found = commands(
        tmp_path,
        CLICK
        + decorator
        + "@click.group()\ndef main(): ...\n@main.command()\n@common\n@click.option('--replace', is_flag=True)\ndef insert(**kw): ...\n",
    )
    insert = found["tool insert"]
    assert arguments(insert) == {"path", "size", "replace"}
    assert insert.input_schema["required"] == ["path"]
    assert insert.input_schema["additionalProperties"] is False
    assert insert.notes == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "from elsewhere import extra\n@click.command()\n@extra\n@click.argument('path')\ndef main(path): ...\n",
            "extra",
        ),
        (
            "from elsewhere import extra\n@click.command()\n@extra(1)\n@click.argument('path')\ndef main(path): ...\n",
            "extra",
        ),
        (
            "from elsewhere import Special\n@click.command(cls=Special)\n@click.argument('path')\ndef main(path): ...\n",
            "elsewhere.Special",
        ),
        (
            "import os\n@click.command()\n@click.option(os.environ['NAME'])\n@click.argument('path')\ndef main(path): ...\n",
            "computed",
        ),
        (
            "from elsewhere import more\n@click.command(**more)\n@click.argument('path')\ndef main(path): ...\n",
            "computed",
        ),
    ],
)
def test_what_is_not_read_leaves_the_command_open_and_is_said(tmp_path, text, why):
    main = commands(tmp_path, CLICK + text)["tool"]
    assert is_open(main)
    assert why in " ".join(main.notes)
    assert "path" in arguments(main)
    assert accepts(main, {"path": "x", "args": ["--what", "ever"], "other": 1})


def test_types_of_click_take_what_the_command_takes(tmp_path):
    text = """
@click.command()
@click.option("-p", "--param", multiple=True, type=(str, int))
@click.option("--upper", "case", flag_value="upper")
@click.option("--lower", "case", flag_value="lower", default=True)
@click.option("--level", type=click.Choice(["LOW", "HIGH"], case_sensitive=False))
@click.confirmation_option(prompt="Sure?")
@click.option("--color/--no-color", default=None)
@click.option("-v", "--verbose", count=True)
@click.option("--pair", nargs=2, type=float)
@click.version_option("1")
@click.argument("files", nargs=-1, required=True)
def main(**kw): ...
"""
    main = commands(tmp_path, CLICK + text)["tool"]
    assert arguments(main) == {"param", "case", "level", "yes", "color", "verbose", "pair", "files"}
    good = {
        "param": [["a", 1]],
        "case": "upper",
        "level": "low",
        "yes": True,
        "files": ["x"],
        "verbose": 2,
        "pair": [1, 2],
    }
    assert accepts(main, good)
    for name, wrong in (
        ("param", [["a"]]),
        ("case", "middle"),
        ("level", "loud"),
        ("files", []),
        ("pair", [1]),
        ("yes", "y"),
    ):
        assert not accepts(main, {**good, name: wrong}), name
    assert main.call is not None
    assert {"choice": {"upper": "--upper", "lower": "--lower"}, "from": "case"} in main.call["line"]
    assert {"option": "--param", "list": True, "each": True, "from": "param"} in main.call["line"]


def test_argparse_is_followed_through_factories_parents_and_subparsers(tmp_path):
    text = """
def _install(subparsers, shared):
    parser = subparsers.add_parser("install", help="Installs", parents=[shared])
    parser.add_argument("package")
    for name in ("alpha", "beta"):
        parser.add_argument(f"--{name}", action="store_true")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--new", dest="which", action="store_const", const="new")
    group.add_argument("--old", dest="which", action="store_const", const="old")

def get_parser():
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--quiet", "-q", action="count", default=0)
    parser = argparse.ArgumentParser(prog="tool")
    _install(parser.add_subparsers(dest="command"), shared)
    return parser, {}

def main():
    parser, _ = get_parser()
    print(parser.parse_args())
"""
    found = commands(tmp_path, ARGPARSE + text)
    assert list(found) == ["tool install"]
    install = found["tool install"]
    assert arguments(install) == {"quiet", "package", "alpha", "beta", "which"}
    assert install.input_schema["properties"]["which"]["enum"] == ["new", "old"]
    assert install.input_schema["required"] == ["package"]
    assert install.notes == ()
    assert install.call is not None
    assert install.call["line"][0] == "install"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("from elsewhere import add\ndef main():\n    p = argparse.ArgumentParser()\n    p.add_argument('x')\n    add(p)\n    p.parse_args()\n", "elsewhere.add"),
        ("import os\ndef main():\n    p = argparse.ArgumentParser()\n    p.add_argument('x')\n    for name in os.environ:\n        p.add_argument('--' + name)\n    p.parse_args()\n", "computed"),
        ("from elsewhere import base\ndef main():\n    p = argparse.ArgumentParser(parents=[base()])\n    p.add_argument('x')\n    p.parse_args()\n", "parents"),
    ],
)  # fmt: skip
def test_arguments_that_argparse_gets_elsewhere_leave_it_open(tmp_path, text, why):
    main = commands(tmp_path, ARGPARSE + text)["tool"]
    assert is_open(main)
    assert why in " ".join(main.notes)
    assert "x" in arguments(main)


def test_typer_applications_of_other_modules_and_options_of_callbacks_are_read(tmp_path):
    users = (
        "users.py\nimport typer\napp = typer.Typer()\n@app.command()\ndef create(name: str, admin: bool = False): ...\n"
    )
    text = """cli.py
from typing import Annotated, Optional
import typer
from tool import users
Size = Annotated[Optional[int], typer.Option("--size", "-s", min=1)]
app = typer.Typer()
app.add_typer(users.app, name="users")
@app.callback()
def base(verbose: bool = False): ...
@app.command()
def sort(path: str, size: Size = None): ...
def main():
    app()
"""
    found = commands(tmp_path, text, users)
    assert list(found) == ["tool sort", "tool users create"]
    assert arguments(found["tool sort"]) == {"verbose", "path", "size"}
    assert arguments(found["tool users create"]) == {"verbose", "name", "admin"}
    assert not accepts(found["tool sort"], {"path": "x", "size": 0})
    call = found["tool sort"].call
    assert call is not None
    assert call["line"][:2] == [{"flag": "--verbose", "off": "--no-verbose", "from": "verbose"}, "sort"]


def test_subcommands_that_unread_code_may_add_are_said(tmp_path):
    text = "from elsewhere import manager\n@click.group()\ndef main(): ...\n@main.command()\ndef one(): ...\nmanager.hook.register(main)\n"
    found = commands(tmp_path, CLICK + text)
    assert list(found) == ["tool one"]
    assert "there may be subcommands beside those" in found["tool one"].notes[0]
    assert found["tool one"].input_schema["additionalProperties"] is False


def test_entry_points_in_setup_py_are_read_as_text_and_lists(tmp_path):
    setup = "=== setup.py\nfrom setuptools import setup\nsetup(name='tool', entry_points={})\n=== tool.py\nimport click\n@click.command()\n@click.argument('x')\ndef main(x): ...\n"
    for number, points in enumerate((
        '"""\n[console_scripts]\ntool = tool:main\n"""',
        "{'console_scripts': 'tool = tool:main'}",
        "{'console_scripts': ['tool=tool:main']}",
        "dict(console_scripts=['tool = tool:main'])",
    )):  # fmt: skip
        root = tmp_path / str(number)
        found = find_all(build(root, setup.replace("{}", points)), ["cli"])
        assert [(one.name, sorted(one.input_schema["properties"])) for one in found] == [("tool", ["x"])], points


HOSTILE = {
    "calls that multiply": "".join(f"def {a}(x):\n" + "".join(f"    if x == {n}:\n        return {b}(x)\n" for n in range(300)) + f"    return {b}(x)\n" for a, b in (("g", "h"), ("h", "k"))) + "def k(x): return x + 1\ndef main():\n" + "".join(f"    v{n} = g({n})\n" for n in range(16)),
    "recursion": "def f(x): return f(f(x))\ndef main():\n    f(1)\n",
    "recursion in a loop": "def f(x):\n    while True:\n        for y in [f(x), f(x)]: f(y)\ndef main():\n    f(1)\n",
    "large texts": "X = 'a' * 10000000000\nY = '%1000000000d' % 1\nZ = '{:>999999999}'.format(1)\nW = 10 ** 10 ** 10\nV = 'a'.replace('a', 'b' * 4000).replace('b', 'b' * 4000).replace('b', 'c' * 4000)\nU = list(range(10 ** 12))\ndef main():\n    s = 'ab'\n    for _ in range(200): s = s + s\n    l = [1]\n    for _ in range(200): l += l\n    d = 1 << 999999999\n",
    "deep expression": "X = " + "(" * 90 + "1" + ")" * 90 + "\nY = " + " + ".join(["1"] * 9000) + "\ndef main():\n    z = " + " or ".join(["0"] * 9000) + "\n",
    "comprehensions": "def main():\n    x = [a + b + c + d for a in range(4000) for b in range(4000) for c in range(4000) for d in range(4000)]\n",
    "itself": "class A:\n    pass\nA.a = A\nx = [1]\nx.append(x)\ny = {}\ny['y'] = y\ndef main():\n    f = main\n    str(x); x == x; print(x, y)\n    f()\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_cost_little_and_lose_no_parser_that_comes_first(tmp_path, name):
    body = "\n    p = argparse.ArgumentParser()\n    p.add_argument('x')\n    p.parse_args()\n"
    before = time.process_time()
    found = commands(tmp_path, ARGPARSE + HOSTILE[name] + body)
    spent = time.process_time() - before
    assert spent < 5
    assert set(found) == {"tool"}
    assert "x" in arguments(found["tool"]) or is_open(found["tool"])


def test_a_version_made_by_hand_prints_and_is_no_argument(tmp_path):
    made = "VERSION = click.Option(['--version'], is_flag=True, is_eager=True, expose_value=False, callback=print)\n"
    main = commands(
        tmp_path, CLICK + made + "main = click.Command('main', params=[VERSION, click.Option(['--size'])])\n"
    )["tool"]
    assert (arguments(main), is_open(main)) == ({"size"}, False)


def test_subcommands_of_plugins_that_the_repository_brings_along_are_read(tmp_path):
    cli = "import pluggy\npm = pluggy.PluginManager('tool')\n@click.group()\ndef main(): ...\npm.hook.add_to(group=main, other=1)\n"
    marked = "import click\nimport pluggy\nhookimpl = pluggy.HookimplMarker('tool')\n"
    plugin = (
        "@hookimpl\ndef add_to(group):\n    @group.command()\n    @click.option('--size')\n    def sort(size): ...\n"
    )
    plain = "import click\ndef add_to(group):\n    @group.command()\n    def never(): ...\n"
    found = commands(tmp_path, CLICK + cli, f"plugins.py\n{marked}{plugin}", f"plain.py\n{plain}")
    assert list(found) == ["tool sort"]
    assert arguments(found["tool sort"]) == {"size"}
    assert "the hook add_to, which plugins answer" in " ".join(found["tool sort"].notes)


def test_a_marker_for_what_was_not_given_is_told_apart(tmp_path):
    option = (
        "import enum\n_ARG = enum.Enum('_ARG', 'NO')\n"
        "def add(parser, flag, type=_ARG.NO, help=_ARG.NO):\n"
        "    given = {'type': type, 'help': help}\n"
        "    parser.add_argument(flag, **{k: v for k, v in given.items() if v is not _ARG.NO})\n"
        "def main():\n    p = argparse.ArgumentParser()\n    add(p, '--size', type=int)\n    p.parse_args()\n"
    )
    main = commands(tmp_path, ARGPARSE + option)["tool"]
    assert main.input_schema["properties"]["size"]["type"] == "integer"
    assert not is_open(main)


def test_an_object_that_meets_unread_code_may_have_more(tmp_path):
    plugins = (
        "import importlib.metadata\nclass Manager:\n    def __init__(self):\n        self.parser = argparse.ArgumentParser()\n"
        "        self.parser.add_argument('--size')\n"
        "def main():\n    manager = Manager()\n    for each in importlib.metadata.entry_points():\n"
        "        add = getattr(each.load(), 'add_options', None)\n        if add:\n            add(manager)\n    manager.parser.parse_args()\n"
    )
    main = commands(tmp_path, ARGPARSE + plugins)["tool"]
    assert is_open(main)
    assert "size" in arguments(main)


def test_settings_of_arguments_are_told_or_doubted(tmp_path):
    table = (
        "from enum import Enum, auto\nclass Q(Enum):\n    MANY = auto()\nMAP = {Q.MANY: argparse.ZERO_OR_MORE}\n"
        "SPEC = [('rest', {'nargs': Q.MANY}), ('--size', {'type': int, 'default': argparse.SUPPRESS, 'dest': 'large'})]\n"
        "def main():\n    p = argparse.ArgumentParser()\n    for name, given in SPEC:\n"
        "        p.add_argument(name, **{k: MAP[v] if isinstance(v, Q) else v for k, v in given.items()})\n    p.parse_args()\n"
    )
    main = commands(tmp_path / "a", ARGPARSE + table)["tool"]
    assert main.input_schema["properties"] == {
        "rest": {"type": "array", "items": {"type": "string"}},
        "large": {"type": "integer", "description": "--size"},
    }
    unread = "import os\ndef main():\n    p = argparse.ArgumentParser()\n    p.add_argument('--size', dest=os.environ['X'])\n    p.parse_args()\n"
    assert is_open(commands(tmp_path / "b", ARGPARSE + unread)["tool"])


def test_an_action_that_a_parser_registers_is_followed(tmp_path):
    made = (
        "class Manual(argparse.Action):\n    def __init__(self, option_strings, dest=argparse.SUPPRESS, help=None):\n"
        "        super().__init__(option_strings=option_strings, dest=dest, nargs=0, help=help)\n"
        "def main():\n    p = argparse.ArgumentParser()\n    p.register('action', 'manual', Manual)\n"
        "    p.add_argument('--manual', action='manual')\n    p.add_argument('--size')\n    p.parse_args()\n"
    )
    main = commands(tmp_path, ARGPARSE + made)["tool"]
    assert arguments(main) == {"manual", "size"}
    assert main.input_schema["properties"]["manual"]["type"] == "boolean"
