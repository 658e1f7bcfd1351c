"""Does every value that one schema accepts match another one: yes, or what stands against it.

`obstacles(a, b)` is a proof that looks for its own gaps. An empty answer is a proof that everything `a`
accepts is accepted by `b`. Each obstacle is a place where the proof fails: `certain` where `a` accepts
values that `b` refuses, otherwise where the rules below cannot tell. They never guess a yes.

`b` is taken apart into its rules; each has to follow from what is known about `a` (`facts.py`). Schemas
that refer to themselves are compared once: a pair met again below itself is taken for granted, which is
sound because it is then about a smaller part of the value.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from workermd.contract.compare import facts
from workermd.contract.compare.facts import OPAQUE, Parts, SchemaNode, SchemaPart, flat, given, has
from workermd.system.text import shown

BUDGET = 3_000
"""Comparisons of two schemas in one question, larger sets of rules counted more; beyond it the answer is unknown."""

DEEPEST = 80
"""Schemas within one another that are compared, each by several calls: the stack ends near 120."""

TRIED = 100
"""Patterns and formats in one question for which strings are tried that they may refuse."""

LISTED = 5
"""Values or types that one obstacle names."""

_JOINED = ("anyOf", "oneOf", "not", "if", OPAQUE)
"""Rules that may forbid more than the facts say: beside them nothing is certain."""

_PROBES = (
    *("", "a", "A", "0", " ", "-1", "aaaaaaaaaa", "a b", "é", "\n", "2024-01-31", "2024-01-31T12:00:00Z"),
    *("a@b.example", "https://example.org/a", "12:00:00Z", "example.org", "127.0.0.1", "::1", "/a/0", "P1D"),
    "0190a0e4-5f2b-7000-8000-000000000000",
)
"""Strings tried to show that a pattern or a format refuses something."""


class Obstacle(NamedTuple):
    """Something `a` accepts that `b` refuses (`certain`) or may refuse.

    `what` names the values in the plural, to be followed by a verb; the pointers are those of the rules
    on both sides, or of the schemas that lack one.
    """

    keyword: str
    what: str
    certain: bool
    a: str
    b: str


def obstacles(a: SchemaNode, b: SchemaNode) -> tuple[Obstacle, ...]:
    """What stands against "everything `a` accepts is accepted by `b`", without repeats, in order of place."""
    if a.is_same(b):
        return ()
    a.source.patience = b.source.patience = facts.PATIENCE
    try:
        found = _Proof().schema(flat(a), b, a.pointer, certain=True)
    except (_TooLong, RecursionError):
        return (
            Obstacle("$schema", "values beyond what can be compared in reasonable time", False, a.pointer, b.pointer),
        )
    return tuple(sorted(set(found), key=lambda each: (each.b, each.a, each.keyword, each.what)))


class _TooLong(Exception):
    """The question needs more comparisons than BUDGET, or deeper ones than DEEPEST."""


class _Case(NamedTuple):
    """One rule of `b` to be shown: what is known of `a`, the types it leaves, where both stand."""

    known: Parts
    types: set[str]
    wide: SchemaPart
    at: str
    certain: bool

    def obstacle(
        self, keyword: str, what: str, *, clouds: tuple[str, ...] = (), certain: bool = True, shown_by: bool = False
    ) -> Obstacle:
        """`clouds`: rules of `a` that make it uncertain. `shown_by`: a value is at hand, so that none do.

        The place in `a` is that of its own rule of that name.
        """
        sure = self.certain and (shown_by or (certain and not has(self.known, *_JOINED, *clouds)))
        place = next((part.place(keyword) for part in self.known if keyword in part.rules), self.at)
        return Obstacle(keyword, what, sure, place, self.wide.place(keyword))


Found = list[Obstacle]


class _Proof:
    def __init__(self) -> None:
        self._open: set[tuple[Any, ...]] = set()
        self._left = BUDGET
        self._tried = 0
        self._rules: dict[str, Callable[[_Case], Found]] = {
            "type": self._type,
            "enum": self._values,
            "const": self._values,
            "multipleOf": self._multiple_of,
            "pattern": self._pattern,
            "format": self._format,
            "required": self._required,
            "dependentRequired": self._dependent_required,
            "dependentSchemas": self._dependent_schemas,
            "propertyNames": self._property_names,
            "contains": self._contains,
            "uniqueItems": self._unique_items,
            "anyOf": self._any_of,
            "oneOf": self._one_of,
            "not": self._not,
            "if": self._if,
            OPAQUE: self._opaque,
        }
        self._groups: tuple[tuple[tuple[str, ...], Callable[[_Case], Found]], ...] = (
            (("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"), self._numbers),
            (("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), self._counts),
            (("properties", "patternProperties", "additionalProperties"), self._members),
            (("prefixItems", "items"), self._elements),
        )

    def _spend(self, known: Parts) -> None:
        self._left -= 1 + len(known) // 4
        if self._left < 0:
            raise _TooLong

    def schema(self, known: Parts, wide: SchemaNode, at: str, *, certain: bool) -> Found:
        """What stands against: everything that `known` accepts is accepted by `wide`."""
        if wide.schema is True or any(part.node.is_same(wide) for part in known):
            return []
        self._spend(known)
        key = (frozenset(part.key for part in known), wide.key)
        if key in self._open:
            return []
        types = facts.possible_types(known)
        if not types:
            return []
        if len(self._open) >= DEEPEST:
            raise _TooLong
        values = facts.all_values(known, types)
        judged = self._judge(values, known, wide, at, certain=certain) if values is not None else None
        if judged is not None:
            return judged
        self._open.add(key)
        try:
            return [each for part in flat(wide) for each in self._part(_Case(known, types, part, at, certain))]
        finally:
            self._open.discard(key)

    def holds(self, known: Parts, wide: SchemaNode) -> bool:
        """True where it is proved."""
        return not self.schema(known, wide, "", certain=False)

    def _judge(self, values: list[Any], known: Parts, wide: SchemaNode, at: str, *, certain: bool) -> Found | None:
        """The engine's word on a short list of values; None where it has none."""
        answers = [wide.accepts(value) for value in values]
        if None in answers:
            return None
        refused = [value for value, answer in zip(values, answers, strict=True) if not answer]
        if not refused:
            return []
        keyword = "const" if isinstance(wide.schema, dict) and "const" in wide.schema else "enum"
        place = next((part.place(each) for part in known for each in ("enum", "const") if each in part.rules), at)
        return [Obstacle(keyword, _valued(refused), certain, place, SchemaPart(wide, {}).place(keyword))]

    def _part(self, case: _Case) -> Found:
        rules = case.wide.rules
        found: Found = []
        for keyword, check in self._rules.items():
            if keyword in rules:
                found += self._split(case, check)
        for keywords, check in self._groups:
            if any(keyword in rules for keyword in keywords):
                found += self._split(case, check)
        return found

    def _split(self, case: _Case, check: Callable[[_Case], Found]) -> Found:
        """One rule; where it does not follow at once, it has to follow for each alternative of `a`."""
        found = check(case)
        if not found:
            return []
        for part in case.known:
            for keyword in ("anyOf", "oneOf"):
                if keyword in part.rules:
                    return self._alternatives(case, check, part, keyword)
        return found

    def _alternatives(self, case: _Case, check: Callable[[_Case], Found], part: SchemaPart, keyword: str) -> Found:
        others = tuple(part.minus(keyword) if each is part else each for each in case.known)
        branches = part.rules[keyword]
        found: Found = []
        for branch in branches:
            known = (*others, *flat(branch))
            self._spend(known)
            types = facts.possible_types(known)
            if not types:
                continue
            alone = keyword == "anyOf" or all(
                each is branch or not facts.possible_types((*known, *flat(each))) for each in branches
            )
            found += self._split(case._replace(known=known, types=types, certain=case.certain and alone), check)
        return found

    # --- any type ---

    def _type(self, case: _Case) -> Found:
        allowed = facts.named_types(case.wide.rules["type"])
        refused = case.types - allowed
        if not refused:
            return []
        return [case.obstacle("type", _typed(refused, allowed))]

    def _values(self, case: _Case) -> Found:
        keyword = "enum" if "enum" in case.wide.rules else "const"
        rules = case.wide.rules
        listed = rules["enum"] if keyword == "enum" else [rules["const"]]
        outside = case.types - {facts.type_of(value) for value in listed}
        what = _typed(outside, set()) if outside else "values other than those listed"
        clouds = ("pattern", "format", "multipleOf", "properties", "required", "items", "prefixItems", "minItems")
        return [case.obstacle(keyword, what, clouds=() if outside else clouds)]

    def _opaque(self, case: _Case) -> Found:
        keyword = case.wide.rules[OPAQUE]
        what = f"values that the rule {keyword!r} forbids"
        return [case.obstacle(keyword, what, certain=False)]

    # --- numbers ---

    def _numbers(self, case: _Case) -> Found:
        kinds = case.types & {"integer", "fraction"}
        if not kinds:
            return []
        span = facts.number_range(case.known, whole="fraction" not in kinds)
        rules = case.wide.rules
        found: Found = []
        for keyword, exclusive, what in (("minimum", False, "below"), ("exclusiveMinimum", True, "up to")):
            if keyword in rules and not _above(span, rules[keyword], exclusive=exclusive):
                found.append(self._bound(case, keyword, f"numbers {what} {rules[keyword]}"))
        for keyword, exclusive, what in (("maximum", False, "above"), ("exclusiveMaximum", True, "from")):
            if keyword in rules and not _below(span, rules[keyword], exclusive=exclusive):
                found.append(self._bound(case, keyword, f"numbers {what} {rules[keyword]}"))
        return found

    def _bound(self, case: _Case, keyword: str, what: str) -> Obstacle:
        found = case.obstacle(keyword, what, clouds=("multipleOf",))
        twin = {"minimum": "exclusiveMinimum", "exclusiveMinimum": "minimum"}
        twin |= {"maximum": "exclusiveMaximum", "exclusiveMaximum": "maximum"}
        place = next((part.place(twin[keyword]) for part in case.known if twin[keyword] in part.rules), found.a)
        return found if has(case.known, keyword) else found._replace(a=place)

    def _multiple_of(self, case: _Case) -> Found:
        step = case.wide.rules["multipleOf"]
        if not case.types & {"integer", "fraction"}:
            return []
        own = list(given(case.known, "multipleOf"))
        if "fraction" not in case.types:
            own.append(1)
        if any(each == step or (_is_whole(each) and _is_whole(step) and int(each) % int(step) == 0) for each in own):
            return []
        # Decimal steps that differ are left open: engines divide binary fractions.
        plain = _is_whole(step) and ("fraction" in case.types or not has(case.known, "multipleOf"))
        bounded = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        return [case.obstacle("multipleOf", f"numbers that are no multiple of {step}", clouds=bounded, certain=plain)]

    # --- strings ---

    def _pattern(self, case: _Case) -> Found:
        pattern = case.wide.rules["pattern"]
        if "string" not in case.types or pattern in given(case.known, "pattern"):
            return []
        if pattern in ("", "^", "$", ".*", "^.*"):
            return []
        sure = self._is_refused(case, {"pattern": pattern})
        what = f"strings that do not match {shown(pattern)}"
        return [case.obstacle("pattern", what, certain=False, shown_by=sure)]

    def _format(self, case: _Case) -> Found:
        word = case.wide.rules["format"]
        if "string" not in case.types or word in given(case.known, "format"):
            return []
        sure = self._is_refused(case, {"format": word})
        return [case.obstacle("format", f"strings not of the format {word}", certain=False, shown_by=sure)]

    def _is_refused(self, case: _Case, rule: dict[str, Any]) -> bool:
        """True where one of a few strings matches all that is known of `a` and not the rule; False past TRIED."""
        self._tried += 1
        if self._tried > TRIED:
            return False
        judge = facts.SchemaSource(rule, case.wide.node.source.draft).node
        return any(
            all(part.node.accepts(probe) is True for part in case.known) and judge.accepts(probe) is False
            for probe in _PROBES
        )

    # --- counts ---

    def _counts(self, case: _Case) -> Found:
        known, rules = case.known, case.wide.rules
        found: Found = []
        for kind, keyword, more, clouds in _COUNTS:
            if kind not in case.types:
                continue
            least = max(facts.at_least(known, f"min{keyword}"), len(facts.required(known)) if kind == "object" else 0)
            if rules.get(f"min{keyword}", 0) > least:
                what = f"{more[0]} {more[1]} {rules[f'min{keyword}']} {more[2]}"
                found.append(case.obstacle(f"min{keyword}", what, clouds=clouds))
            most = _most(kind, known)
            if f"max{keyword}" in rules and (most is None or most > rules[f"max{keyword}"]):
                what = f"{more[0]} {more[3]} {rules[f'max{keyword}']} {more[2]}"
                found.append(case.obstacle(f"max{keyword}", what, clouds=clouds))
        return found

    # --- objects ---

    def _required(self, case: _Case) -> Found:
        if "object" not in case.types:
            return []
        missing = sorted(set(case.wide.rules["required"]) - facts.required(case.known))
        clouds = ("minProperties", "dependentRequired", "dependentSchemas")
        return [case.obstacle("required", f"objects without {shown(name)}", clouds=clouds) for name in missing]

    def _members(self, case: _Case) -> Found:
        if "object" not in case.types:
            return []
        clear = not has(case.known, "propertyNames", "maxProperties", "dependentSchemas", "dependentRequired")
        case = case._replace(certain=case.certain and clear and not has(case.known, *_JOINED))
        names = {name for part in (*case.known, case.wide) for name in part.rules.get("properties", ())}
        found: Found = []
        for name in sorted(names):
            held = facts.member(case.known, name)
            if not self._is_named(case.known, name) or not facts.possible_types(held):
                continue
            at = next((node.pointer for part in case.known for node in facts.member_nodes(part, name)), case.at)
            for target in facts.member_nodes(case.wide, name):
                found += self._member(case, held, target, at, f"objects with {shown(name)}")
        return [*found, *self._other_members(case)]

    def _is_named(self, known: Parts, name: str) -> bool:
        """True where `propertyNames` does not forbid a name."""
        return all(node.accepts(name) is not False for node in given(known, "propertyNames"))

    def _member(self, case: _Case, held: Parts, target: SchemaNode, at: str, what: str) -> Found:
        if target.schema is False:
            found = case.obstacle("additionalProperties", what)
            return [found._replace(a=at, b=target.pointer)]
        return self.schema(held, target, at, certain=case.certain)

    def _other_members(self, case: _Case) -> Found:
        """Members whose names neither side mentions."""
        found: Found = []
        patterns: dict[str, SchemaNode] = case.wide.rules.get("patternProperties", {})
        rest = case.wide.rules.get("additionalProperties")
        for matched, unmatched, held, at in _other_names(case.known, case.at):
            if not facts.possible_types(held):
                continue
            for pattern, target in patterns.items():
                if pattern not in unmatched:
                    certain = case.certain and pattern == matched
                    what = f"objects with names like {shown(pattern)}"
                    found += self._member(case._replace(certain=certain), held, target, at, what)
            if rest is not None and matched not in patterns:
                certain = case.certain and not patterns and not unmatched and matched is None
                what = (
                    "objects with further properties"
                    if matched is None
                    else f"objects with names like {shown(matched)}"
                )
                found += self._member(case._replace(certain=certain), held, rest, at, what)
        return found

    def _property_names(self, case: _Case) -> Found:
        if "object" not in case.types:
            return []
        target: SchemaNode = case.wide.rules["propertyNames"]
        closed = [names for part in case.known if (names := facts.names_of(part)) is not None]
        if closed:
            held = [name for name in min(closed, key=len) if facts.possible_types(facts.member(case.known, name))]
            refused = [name for name in held if target.accepts(name) is not True]
            return [case.obstacle("propertyNames", f"objects with {shown(name)}") for name in refused]
        known = tuple(part for node in given(case.known, "propertyNames") for part in flat(node))
        text = SchemaPart(facts.SchemaSource({"type": "string"}, "2020-12").node, {"type": "string"})
        clear = not has(case.known, *_JOINED, "additionalProperties", "maxProperties")
        found = self.schema((*known, text), target, case.at, certain=case.certain and clear)
        return [
            each._replace(keyword="propertyNames", what=f"objects with names that are {each.what}") for each in found
        ]

    def _dependent_required(self, case: _Case) -> Found:
        if "object" not in case.types:
            return []
        found: Found = []
        own = facts.required(case.known)
        clouds = ("dependentRequired", "dependentSchemas", "minProperties", "propertyNames", "maxProperties")
        for name, needed in case.wide.rules["dependentRequired"].items():
            if not facts.possible_types(facts.member(case.known, name)):
                continue
            implied = {each for rule in given(case.known, "dependentRequired") for each in rule.get(name, ())}
            found += [
                case.obstacle(
                    "dependentRequired", f"objects with {shown(name)} and without {shown(each)}", clouds=clouds
                )
                for each in needed
                if each not in own | implied
            ]
        return found

    def _dependent_schemas(self, case: _Case) -> Found:
        if "object" not in case.types:
            return []
        found: Found = []
        for name, target in case.wide.rules["dependentSchemas"].items():
            if target.schema is False:
                clouds = ("dependentRequired", "dependentSchemas", "propertyNames", "maxProperties")
                if facts.possible_types(facts.member(case.known, name)):
                    found.append(case.obstacle("dependentSchemas", f"objects with {shown(name)}", clouds=clouds))
                continue
            needed = {"required": [name]}
            present = SchemaPart(facts.SchemaSource(needed, "2020-12").node, needed)
            own = [node for rule in given(case.known, "dependentSchemas") for key, node in rule.items() if key == name]
            known = (*case.known, present, *(part for node in own for part in flat(node)))
            if facts.possible_types(known) & {"object"}:
                found += self.schema(known, target, case.at, certain=case.certain)
        return found

    # --- arrays ---

    def _elements(self, case: _Case) -> Found:
        if "array" not in case.types:
            return []
        clear = not has(case.known, *_JOINED, "contains", "uniqueItems")
        case = case._replace(certain=case.certain and clear)
        most = facts.most_items(case.known)
        longest = facts.longest_prefix((*case.known, case.wide))
        found: Found = []
        for index in range(longest + 1):
            if most is not None and index >= most:
                break
            target = facts.element_node(case.wide, index)
            if target is None:
                continue
            nodes = [facts.element_node(part, index) for part in case.known]
            at = next((node.pointer for node in nodes if node is not None), case.at)
            if target.schema is False:
                found.append(
                    case.obstacle("items", f"arrays of more than {index} elements")._replace(a=at, b=target.pointer)
                )
            else:
                found += self.schema(facts.element(case.known, index), target, at, certain=case.certain)
        return found

    def _contains(self, case: _Case) -> Found:
        if "array" not in case.types:
            return []
        rules = case.wide.rules
        target: SchemaNode = rules["contains"]
        least, most = rules.get("minContains", 1), rules.get("maxContains")
        found: Found = []
        if least > 0 and not self._has_enough(case.known, target, least):
            empty = facts.at_least(case.known, "minItems") == 0
            what = f"arrays in which fewer than {least} elements match 'contains'"
            found.append(case.obstacle("contains", what, clouds=("contains",), certain=empty))
        if most is not None and not self._has_few(case.known, target, most):
            what = f"arrays in which more than {most} elements match 'contains'"
            found.append(case.obstacle("maxContains", what, certain=False))
        return found

    def _has_enough(self, known: Parts, target: SchemaNode, least: int) -> bool:
        for part in known:
            enough = "contains" in part.rules and part.rules.get("minContains", 1) >= least
            if enough and self.holds(flat(part.rules["contains"]), target):
                return True
        if facts.at_least(known, "minItems") < least:
            return False
        return all(self.holds(facts.element(known, index), target) for index in range(facts.longest_prefix(known) + 1))

    def _has_few(self, known: Parts, target: SchemaNode, most: int) -> bool:
        length = facts.most_items(known)
        if length is not None and length <= most:
            return True
        return any(
            part.rules.get("maxContains", most + 1) <= most and self.holds(flat(target), part.rules["contains"])
            for part in known
            if "contains" in part.rules
        )

    def _unique_items(self, case: _Case) -> Found:
        most = facts.most_items(case.known)
        if "array" not in case.types or case.wide.rules["uniqueItems"] is False or (most is not None and most < 2):
            return []
        if True in given(case.known, "uniqueItems"):
            return []
        clouds = ("contains", "prefixItems")
        return [case.obstacle("uniqueItems", "arrays with equal elements", clouds=clouds)]

    # --- schemas about the same value ---

    def _any_of(self, case: _Case) -> Found:
        branches: list[SchemaNode] = case.wide.rules["anyOf"]
        if any(self.holds(case.known, branch) for branch in branches) or self._by_type(case, self._any_of):
            return []
        return self._no_alternative(case, "anyOf", branches)

    def _one_of(self, case: _Case) -> Found:
        branches: list[SchemaNode] = case.wide.rules["oneOf"]
        for branch in branches:
            others = [each for each in branches if each is not branch]
            if self.holds(case.known, branch) and all(self._is_apart(case.known, each) for each in others):
                return []
        if any(self._are_equal(part.rules["oneOf"], branches) for part in case.known if "oneOf" in part.rules):
            return []
        if self._by_type(case, self._one_of):
            return []
        return self._no_alternative(case, "oneOf", branches)

    def _no_alternative(self, case: _Case, keyword: str, branches: list[SchemaNode]) -> Found:
        """Certain where no alternative takes a type that `a` has."""
        allowed = {kind for branch in branches for kind in facts.possible_types(flat(branch))}
        refused = case.types - allowed
        if refused:
            return [case.obstacle(keyword, _typed(refused, allowed))]
        near = [branch for branch in branches if not self._is_apart(case.known, branch)]
        if len(near) == 1:
            # All others are out of the question: what stands against this one says it best.
            found = self.schema(case.known, near[0], case.at, certain=case.certain)
            if found:
                return found
        what = (
            f"values that match {'none' if keyword == 'anyOf' or not near else 'none or several'} of the alternatives"
        )
        return [case.obstacle(keyword, what, certain=not near)]

    def _by_type(self, case: _Case, check: Callable[[_Case], Found]) -> bool:
        """True where the rule follows for each type alone."""
        if len(case.types) < 2:
            return False
        names = case.types
        if {"integer", "fraction"} <= names:
            names = (names - {"integer", "fraction"}) | {"number"}
        if len(names) < 2:
            return False
        for name in sorted(names):
            rule = {"type": name}
            known = (*case.known, SchemaPart(facts.SchemaSource(rule, "2020-12").node, rule))
            types = facts.possible_types(known)
            if types and check(case._replace(known=known, types=types, certain=False)):
                return False
        return True

    def _is_apart(self, known: Parts, node: SchemaNode) -> bool:
        """True where nothing known matches the node."""
        return not facts.possible_types((*known, *flat(node)))

    def _are_equal(self, ours: list[SchemaNode], theirs: list[SchemaNode]) -> bool:
        return len(ours) == len(theirs) and all(
            self.holds(flat(mine), other) and self.holds(flat(other), mine)
            for mine, other in zip(ours, theirs, strict=True)
        )

    def _not(self, case: _Case) -> Found:
        target: SchemaNode = case.wide.rules["not"]
        if self._is_apart(case.known, target):
            return []
        if any(self.holds(flat(target), own) for own in given(case.known, "not")):
            return []
        hit, all_hit = self._is_hit(case, target), self.holds(case.known, target)
        return [case.obstacle("not", "values that 'not' forbids", certain=all_hit, shown_by=hit)]

    def _is_hit(self, case: _Case, target: SchemaNode) -> bool:
        """True where a value that the target lists matches all that is known."""
        listed = facts.listed_values(flat(target)) or []
        return any(all(part.node.accepts(value) for part in case.known) for value in listed)

    def _if(self, case: _Case) -> Found:
        """`then` has to follow where `if` holds, `else` where it does not; or both everywhere."""
        rules = case.wide.rules
        condition: SchemaNode = rules["if"]
        found: Found = []
        if "then" in rules:
            own = [
                part.rules["then"]
                for part in case.known
                if "if" in part.rules and "then" in part.rules and self.holds(flat(condition), part.rules["if"])
            ]
            known = (*case.known, *flat(condition), *(part for node in own for part in flat(node)))
            found += self.schema(known, rules["then"], case.at, certain=case.certain)
        if "else" in rules and not self.holds(case.known, condition):
            own = [
                part.rules["else"]
                for part in case.known
                if "if" in part.rules and "else" in part.rules and self.holds(flat(part.rules["if"]), condition)
            ]
            known = (*case.known, *(part for node in own for part in flat(node)))
            found += self.schema(known, rules["else"], case.at, certain=False)
        return found


_COUNTS = (
    ("string", "Length", ("strings", "shorter than", "characters", "longer than"), ("pattern", "format")),
    ("array", "Items", ("arrays", "of fewer than", "elements", "of more than"), ("contains", "uniqueItems")),
    (
        "object",
        "Properties",
        ("objects", "of fewer than", "members", "of more than"),
        ("dependentRequired", "dependentSchemas", "propertyNames"),
    ),
)


def _most(kind: str, known: Parts) -> int | None:
    if kind == "string":
        return facts.at_most(known, "maxLength")
    return facts.most_items(known) if kind == "array" else facts.most_properties(known)


def _above(span: facts.Range, limit: float, *, exclusive: bool) -> bool:
    if span.low is None:
        return False
    return span.low > limit or (span.low == limit and (span.low_exclusive or not exclusive))


def _below(span: facts.Range, limit: float, *, exclusive: bool) -> bool:
    if span.high is None:
        return False
    return span.high < limit or (span.high == limit and (span.high_exclusive or not exclusive))


def _is_whole(number: float) -> bool:
    return Fraction(number).denominator == 1


def _other_names(known: Parts, at: str) -> Iterator[tuple[str | None, frozenset[str], Parts, str]]:
    """The kinds of names that no part mentions: the pattern they match, those they do not match, what holds.

    A name matches no pattern at all, or at least one of them: each is a kind of its own.
    """
    plain = [part for part in known if not part.rules.get("patternProperties")]
    patterned = [part for part in known if part.rules.get("patternProperties")]
    base = [part.rules["additionalProperties"] for part in plain if "additionalProperties" in part.rules]
    rest = [part.rules["additionalProperties"] for part in patterned if "additionalProperties" in part.rules]
    unmatched = frozenset(pattern for part in patterned for pattern in part.rules["patternProperties"])
    yield None, unmatched, _together([*base, *rest]), _first([*base, *rest], at)
    for part in patterned:
        for pattern, node in part.rules["patternProperties"].items():
            yield pattern, frozenset(), _together([*base, node]), node.pointer


def _together(nodes: list[SchemaNode]) -> Parts:
    return tuple(part for node in nodes for part in flat(node))


def _first(nodes: list[SchemaNode], at: str) -> str:
    return nodes[0].pointer if nodes else at


def _valued(values: list[Any]) -> str:
    if all(value is None or isinstance(value, str | bool | int | float) for value in values):
        listed = ", ".join(shown(value) if isinstance(value, str) else _literal(value) for value in values[:LISTED])
        more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
        return f"the values {listed}{more}" if len(values) > 1 else f"values equal to {listed}"
    return "some of the listed values"


def _literal(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else f"{value}"
    )


def _typed(refused: set[str], allowed: set[str]) -> str:
    if refused == set(facts.TYPES):
        return "values of any type"
    if len(refused) > LISTED - 1 and allowed:
        return f"values of types other than {_names(allowed)}"
    if refused == {"fraction"}:
        return "numbers that are not whole"
    return f"values of type {_names(refused)}"


def _names(types: set[str]) -> str:
    named = set(types)
    if {"integer", "fraction"} <= named:
        named = (named - {"integer", "fraction"}) | {"number"}
    if "fraction" in named:
        named = (named - {"fraction"}) | {"number"}
    return " or ".join(sorted(named))
