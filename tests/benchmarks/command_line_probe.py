"""Asks an installed program's own parser what it takes. Runs inside the program's environment, with nothing of ours.

`python command_line_probe.py MODULE:ATTRIBUTE` prints the commands as JSON; with calls on standard input (a JSON list of
lists of words) it prints for each what the parser says to it: null, or the refusal.
"""

import argparse
import importlib
import json
import sys


class Caught(BaseException):
    def __init__(self, found):
        self.found = found


def caught(self, *_args, **_kwargs):
    raise Caught(self)


def click_kinds():
    """The classes of commands: click's own, and those that typer brings along."""
    kinds = []
    for module in ("click", "typer._click", "typer.main"):
        try:
            base = importlib.import_module(module)
        except ImportError:
            continue
        named = [getattr(base, word, None) for word in ("Command", "Group", "TyperGroup", "TyperCommand")]
        kinds += [kind for kind in named if isinstance(kind, type)]
    return kinds


def parser_of(target):
    """The click command or the argparse parser that the entry point comes to."""
    known = argparse.ArgumentParser.parse_known_args
    seen = []

    def asked(self, args=None, namespace=None):
        seen.append(self)
        return known(self, args, namespace)

    argparse.ArgumentParser.parse_args = caught
    argparse.ArgumentParser.parse_known_args = asked
    kinds = click_kinds()
    for kind in kinds:
        kind.main = caught
    module, _, attribute = target.partition(":")
    try:
        entry = importlib.import_module(module)
        for name in attribute.split("."):
            entry = getattr(entry, name)
        if isinstance(entry, tuple(kinds)):
            return entry
        entry()
    except Caught as found:
        return found.found
    except SystemExit:
        pass
    return seen[-1] if seen else None


def click_parameter(parameter):
    kind = type(parameter.type).__name__
    choices = [getattr(choice, "name", choice) for choice in getattr(parameter.type, "choices", ())]
    return {
        "name": parameter.name,
        "required": bool(parameter.required) and not getattr(parameter, "is_eager", False),
        "flag": bool(getattr(parameter, "is_flag", False)),
        "count": bool(getattr(parameter, "count", False)),
        "several": bool(parameter.multiple) if hasattr(parameter, "multiple") else False,
        "nargs": parameter.nargs,
        "kind": kind,
        "kinds": [type(each).__name__ for each in getattr(parameter.type, "types", ())],
        "of": [list(getattr(each, "choices", ())) for each in getattr(parameter.type, "types", ())],
        "ends": not getattr(parameter, "expose_value", True) and parameter.name == "version",
        "choices": [choice if isinstance(choice, str) else str(choice) for choice in choices],
        "flag_value": parameter.flag_value if isinstance(getattr(parameter, "flag_value", None), str) else None,
        "option": parameter.param_type_name == "option",
        "low": getattr(parameter.type, "min", None),
    }


def click_commands(command, words=(), above=()):
    context = (
        __import__(type(command).__mro__[-2].__module__.split(".")[0]).Context(command, info_name="x")
        if False
        else None
    )
    del context
    own = [click_parameter(each) for each in command.params]
    listed = getattr(command, "commands", None)
    if listed is None and hasattr(command, "list_commands"):
        listed = {name: command.get_command(None, name) for name in command.list_commands(None)}
    if listed:
        found = []
        if getattr(command, "invoke_without_command", False):
            found.append({"words": list(words), "parameters": [*above, *own]})
        for name, child in listed.items():
            found += click_commands(child, (*words, name), (*above, *own))
        return found
    return [{"words": list(words), "parameters": [*above, *own]}]


def argparse_parameter(action):
    kind = getattr(action.type, "__name__", "") if action.type else "str"
    positional_optional = not action.option_strings and action.nargs in ("?", "*", "...", "A...")
    return {
        "name": action.dest,
        "required": bool(action.required) and not positional_optional,
        "flag": action.nargs == 0 and not isinstance(action, argparse._CountAction),
        "count": isinstance(action, argparse._CountAction),
        "several": isinstance(action, (argparse._AppendAction,)),
        "nargs": action.nargs,
        "kind": kind,
        "kinds": [],
        "choices": [choice if isinstance(choice, str) else str(choice) for choice in list(action.choices or ())[:50]],
        "const": action.const if isinstance(action.const, (str, int, bool)) else None,
        "option": bool(action.option_strings),
        "flags": list(action.option_strings),
        "low": None,
    }


def argparse_commands(parser, words=(), above=()):
    hidden = (argparse._HelpAction, argparse._VersionAction, argparse._SubParsersAction)
    own = [argparse_parameter(action) for action in parser._actions if not isinstance(action, hidden)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            first = {}
            for name, child in action.choices.items():
                first.setdefault(id(child), (name, child))
            return [
                command
                for name, child in first.values()
                for command in argparse_commands(child, (*words, name), (*above, *own))
            ]
    return [{"words": list(words), "parameters": [*above, *own]}]


def refusal(parser, words):
    """What the parser says to these words; None where it takes them. Values are not looked at where a type would open files."""
    if isinstance(parser, argparse.ArgumentParser):
        return argparse_refusal(parser, words)
    command, rest = parser, list(words)
    reader = type(parser).parse_args.__module__
    if not reader.startswith(("click", "rich_click", "asyncclick", "typer.core", "typer._click")):
        return None  # the program reads its words itself
    context_kind = getattr(parser, "context_class", None)
    try:
        for _ in range(8):
            context = context_kind(command, info_name="x")
            _values, rest, _order = command.make_parser(context).parse_args(list(rest))
            listed = getattr(command, "commands", None)
            if not listed or not rest:
                return f"left over: {rest}" if rest else None
            if rest[0] not in listed:
                return f"no command {rest[0]}"
            command, rest = listed[rest[0]], rest[1:]
    except Exception as error:  # noqa: BLE001 (whatever a program's parser raises is its refusal)
        return f"{type(error).__name__}: {error}"
    return None


def argparse_refusal(parser, words):
    said = []

    def refuse(self, message):
        said.append(message)
        raise ValueError(message)

    kept = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = refuse
    try:
        _space, rest = KNOWN(parser, list(words))
        return f"left over: {rest}" if rest else None
    except ValueError as error:
        return str(error)
    except SystemExit:
        return None
    except Exception as error:  # noqa: BLE001 (whatever a program's parser raises is its refusal)
        return f"{type(error).__name__}: {error}"
    finally:
        argparse.ArgumentParser.error = kept


KNOWN = argparse.ArgumentParser.parse_known_args


def main():
    target = sys.argv[1]
    sys.argv = [target.partition(":")[0]]
    out, sys.stdout = sys.stdout, sys.stderr
    parser = parser_of(target)
    if parser is None:
        json.dump({"kind": None, "commands": []}, out)
        return
    is_argparse = isinstance(parser, argparse.ArgumentParser)
    if is_argparse:
        argparse.ArgumentParser.parse_known_args = KNOWN
        commands = argparse_commands(parser)
    else:
        commands = click_commands(parser)
    calls = json.load(sys.stdin) if not sys.stdin.isatty() else []
    answers = [refusal(parser, call) for call in calls]
    json.dump({"kind": "argparse" if is_argparse else "click", "commands": commands, "refusals": answers}, out)


main()
