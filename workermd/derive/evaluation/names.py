"""Names and attributes: modules, imports that are followed, and what `value.name` means for each kind of value."""

import ast
from contextlib import suppress
from typing import Any

from workermd.derive.evaluation import builtin
from workermd.derive.evaluation.frame import MAX_MODULES, MISSING, Frame
from workermd.derive.evaluation.merging import docstring, module_of
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Above,
    Bound,
    Class,
    Ended,
    EnumMember,
    Environment,
    External,
    Function,
    Imported,
    Instance,
    Invocation,
    Modelled,
    Module,
    Native,
    Rough,
    Wrapped,
)


class Names(Frame):
    """Modules and names, and what stands behind a dot."""

    def module(self, path: str) -> Module | None:
        """A module, worked through; None where it has no syntax tree."""
        if path in self.modules:
            return self.modules[path]
        scope = self.sources.scope(path) if len(self.modules) < MAX_MODULES else None
        if scope is None:
            return None
        name = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
        module = Module(path, name)
        self.modules[path] = module
        module.body.values.update(
            __name__=name, __file__=Rough(path), __doc__=ast.get_docstring(scope.tree, clean=False)
        )
        kept, self.uncertain = self.uncertain, 0
        with suppress(Ended):
            self.run(scope.tree.body, module.body)
        self.uncertain = kept
        return module

    def resolve(self, dotted: str, near: str) -> Any:
        """What `package.module.name` or `package.module:name` means, seen from the file `near`."""
        module, _, name = dotted.replace(":", ".").rpartition(".")
        return self.imported(Imported(module, name, near))

    def imported(self, imported: Imported) -> Any:
        path = self.sources.locate(imported.module, imported.near)
        if path is None:
            if imported.module.startswith("."):
                below = self.sources.locate(f"{imported.module}.{imported.name}", imported.near)
                found = self.module(below) if below is not None else None
                return found if found is not None else UNKNOWN
            if imported.name is not None:  # a namespace package has no file of its own
                below = self.sources.locate(f"{imported.module}.{imported.name}", imported.near)
                if below is not None:
                    return self.module(below) or UNKNOWN
            return self.external(f"{imported.module}.{imported.name}" if imported.name else imported.module)
        if path.removeprefix("src/").partition("/")[0] in self.library.packages:
            dotted = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            return External(f"{dotted}.{imported.name}" if imported.name else dotted)
        module = self.module(path)
        if module is None:
            return UNKNOWN
        return module if imported.name is None else self.of_module(module, imported.name)

    def external(self, dotted: str) -> Any:
        if dotted in builtin.PLATFORM:
            self.asked = True
        if dotted in builtin.CONSTANTS:
            return builtin.CONSTANTS[dotted]
        return External(dotted)

    def of_module(self, module: Module, name: str) -> Any:
        found = self.find(module.body, name)
        if found is not MISSING:
            return found
        package = module.path.rpartition("/")
        if package[2] == "__init__.py" or not package[2]:
            dotted = "." + package[0].replace("/", ".") if package[0] else "."
            path = self.sources.locate(f"{dotted}.{name}" if dotted != "." else f".{name}", module.path)
            below = self.module(path) if path is not None and path != module.path else None
            if below is not None:
                return below
        return External(f"{module.stars[0]}.{name}") if module.stars else UNKNOWN

    def find(self, around: Environment, name: str) -> Any:
        environment: Environment | None = around
        while environment is not None:
            if name in environment.elsewhere:
                environment = environment.elsewhere[name]
                continue
            value = environment.values.get(name, MISSING)
            if isinstance(value, Imported):
                value = self.imported(value)
                environment.values[name] = value
            if value is not MISSING:
                return value
            environment = environment.parent
        return MISSING

    def bind(self, around: Environment, name: str, value: Any) -> None:
        around.elsewhere.get(name, around).values[name] = value

    def attribute(self, value: Any, name: str) -> Any:  # noqa: PLR0911 (a table of kinds)
        """`value.name`."""
        match value:
            case Module():
                return self.of_module(value, name)
            case External():
                return self.external(f"{value.dotted}.{name}")
            case Class():
                return self._of_class(value, name)
            case Instance() | Modelled():
                return self._of_object(value, name)
            case Above():
                return self._of_above(value, name)
            case EnumMember():
                return getattr(value, name) if name in ("name", "value") else UNKNOWN
            case Function():
                own: dict[str, Any] = {"__name__": value.name, "__doc__": docstring(value)}
                return value.attributes.get(name, own.get(name, UNKNOWN))
            case Bound():
                return self.attribute(value.function, name)
        return builtin.method(value, name) or UNKNOWN

    def _of_class(self, value: Class, name: str) -> Any:
        found = value.find(name)
        if isinstance(found, Wrapped):
            return Bound(found.function, value) if found.kind == "classmethod" else found.function
        if name == "__name__":
            return value.node.name
        return UNKNOWN if found is None and name not in value.attributes else found

    def _of_object(self, value: "Instance | Modelled", name: str) -> Any:
        if name in value.attributes:
            return value.attributes[name]
        found = value.made_of.find(name) if value.made_of is not None else None
        if found is not None:
            return self.bound(found, value)
        if name == "__class__" and value.made_of is not None:
            return value.made_of
        return value.member(self, name) if isinstance(value, Modelled) else UNKNOWN

    def bound(self, found: Any, subject: Any) -> Any:
        if isinstance(found, Function):
            return Bound(found, subject)
        if isinstance(found, Wrapped):
            if found.kind == "property":
                return self.call(
                    found.function, Invocation([subject], {}, False, ast.Pass(), module_of(found.function))
                )
            holder = subject.made_of if found.kind == "classmethod" else None
            return Bound(found.function, holder) if holder is not None else found.function
        return found

    def _of_above(self, value: Above, name: str) -> Any:
        for base in value.owner.lineage()[1:]:
            if isinstance(base, Class) and name in base.attributes:
                return self.bound(base.attributes[name], value.subject)
        subject = value.subject
        if isinstance(subject, Modelled):
            if name == "__init__":
                return Native(name, subject.initialise)
            return subject.member(self, name)
        return Native(name, lambda _evaluator, _call: UNKNOWN)
