"""Strict JSON: what is refused and where, that both readers agree, and the canonical bytes."""

import json
import random
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.properties import examples
from workermd.contract.json import located, strict
from workermd.contract.json.located import JsonPlace, read
from workermd.contract.json.quick import load, load_bytes, load_exact
from workermd.contract.json.strict import JsonError, canonical
from workermd.contract.model import Span

# text, offset, end, words of the message, words of the hint
REFUSED = [
    ("", 0, 0, "no JSON value", "Write a value"),
    (" \n", 2, 2, "no JSON value", "Write a value"),
    ("\ufeff{}", 0, 1, "byte order mark", "without a byte order mark"),
    ('{"a":1,}', 6, 7, "a comma before the closing }", "Remove the comma"),
    ("[1 , ]", 3, 4, "a comma before the closing ]", "Remove the comma"),
    ("[,1]", 1, 2, ", where a value is needed", "missing value"),
    ("{,}", 1, 2, "a comma without a member", "Remove the comma"),
    ("{'a':1}", 1, 2, "a key in quotes", "double quotes"),
    ("['a']", 1, 2, "a string in quotes", "double quotes"),
    ("[\u201ca\u201d]", 1, 2, "a string in quotes", "double quotes"),
    ("{a:1}", 1, 2, "a key without quotes", "double quotes"),
    ("[+1]", 1, 3, "a plus sign", "Remove the plus"),
    ("[01]", 1, 3, "begins with 0", "leading zeros"),
    ("[-01]", 1, 4, "begins with 0", "leading zeros"),
    ("[.5]", 1, 3, "a number that JSON does not have", "-0.5"),
    ("[5.]", 1, 3, "a number that JSON does not have", "-0.5"),
    ("[0x1e]", 1, 5, "a number that JSON does not have", "decimal"),
    ("[1_000]", 1, 6, "a number that JSON does not have", "decimal"),
    ("[-]", 1, 2, "a number that JSON does not have", "decimal"),
    ("[1e400]", 1, 6, "too large for a 64-bit float", "exponent"),
    ("[-1e400]", 1, 7, "too large for a 64-bit float", "exponent"),
    ("1" * 401, 0, 401, "401 characters; at most 400", "Shorten"),
    ("0." + "1" * 399, 0, 401, "401 characters; at most 400", "Shorten"),
    ("9" * 5000, 0, 5000, "5000 characters; at most 400", "Shorten"),
    ("[NaN]", 1, 4, "NaN or Infinity", "Use null"),
    ("[-Infinity]", 1, 10, "NaN or Infinity", "Use null"),
    ("[Infinity]", 1, 9, "NaN or Infinity", "Use null"),
    ("[True]", 1, 5, "a word that JSON does not have", "true, false and null"),
    ("[undefined]", 1, 10, "a word that JSON does not have", "true, false and null"),
    ('["a\nb"]', 3, 4, "raw control character (U+000A)", "\\n"),
    ('["a\tb"]', 3, 4, "raw control character (U+0009)", "\\t"),
    ('["\x00"]', 2, 3, "raw control character (U+0000)", "\\u0000"),
    ('["a', 1, 3, "a string that is not closed", 'End it with "'),
    ('["a\\x"]', 3, 5, "begins no JSON escape", "JSON knows"),
    ('["a\\', 3, 4, "begins no JSON escape", "JSON knows"),
    ('["\\u12g4"]', 2, 8, "without 4 hex digits", "\\u00e9"),
    ('["\\ud83d"]', 2, 8, "half of a surrogate pair", "both halves"),
    ('["\\ude00\\ud83d"]', 2, 8, "half of a surrogate pair", "both halves"),
    ('["\\ud83d\\u0041"]', 2, 8, "half of a surrogate pair", "both halves"),
    ('["\ud83d"]', 2, 3, "half of a surrogate pair", "character itself"),
    ('{"\\udc00":1}', 2, 8, "half of a surrogate pair", "both halves"),
    ('{"a":1 "b":2}', 7, 8, "no comma between", "Put a comma"),
    ("[1 2]", 3, 4, "no comma between", "Put a comma"),
    ("[1;2]", 2, 3, "; where a comma or ] is needed", "comma"),
    ('{"a":1]', 6, 7, "] where the object needs }", "Close what was opened last"),
    ("[1}", 2, 3, "} where the array needs ]", "Close what was opened last"),
    ('{"a" 1}', 5, 6, "a key without a colon", '"key": value'),
    ('{"a":}', 5, 6, "} where a value is needed", "missing value"),
    ('{"a":', 5, 5, "the text ends where a value is needed", "Write a value"),
    ('{"a"', 0, 1, "an object that is not closed", "missing }"),
    ("{", 0, 1, "an object that is not closed", "missing }"),
    ("[[1,", 1, 2, "an array that is not closed", "missing ]"),
    ("[", 0, 1, "an array that is not closed", "missing ]"),
    ("{} {}", 3, 5, "more text after", "one value"),
    ("{}}", 2, 3, "one } too many", "Remove the }"),
    ("1,", 1, 2, "a comma after the value", "Remove the comma"),
    ("// x\n1", 0, 1, "a comment", "JSON has no comments"),
    ("[1, /* x */ 2]", 4, 5, "a comment", "JSON has no comments"),
    ('{"a":1, # x\n"b":2}', 8, 9, "a comment", "JSON has no comments"),
    ("1 # x", 2, 3, "a comment", "JSON has no comments"),
    ("\u00a01", 0, 1, "U+00A0", "A value is"),
    ("[1\u20282]", 2, 3, "U+2028", "comma"),
    ("[\f1]", 1, 2, "U+000C", "A value is"),
    ("[" * 65 + "]" * 65, 64, 65, "65 levels deep; at most 64", "Flatten"),
    ('{"a":' * 64 + "[]" + "}" * 64, 320, 321, "65 levels deep; at most 64", "Flatten"),
    ("[" * 200_000, 64, 65, "65 levels deep; at most 64", "Flatten"),
    ('{"a":1,"b":2,"a":3}', 13, 16, "'a' stands twice", "Keep one"),
    ('{"ab":1,"a\\u0062":2}', 8, 17, "'ab' stands twice", "Keep one"),
    ('{"":1,"":2}', 6, 8, "'' stands twice", "Keep one"),
]


@pytest.mark.rule("S2.2")
@pytest.mark.parametrize(("text", "offset", "end", "message", "hint"), REFUSED, ids=[case[0][:24] for case in REFUSED])
def test_what_is_refused_and_where(text, offset, end, message, hint):
    with pytest.raises(JsonError) as caught:
        read(text)
    error = caught.value
    assert (error.offset, error.end) == (offset, end)
    assert message in error.message
    assert hint in error.hint
    assert str(error) == error.message
    with pytest.raises(JsonError) as again:  # the fast reader says the same
        load(text)
    assert vars(again.value) == vars(error)


@pytest.mark.parametrize("text", [case[0] for case in REFUSED if len(case[0]) < 1000])
def test_a_piece_of_a_text_is_read_with_offsets_into_the_whole(text):
    with pytest.raises(JsonError) as alone:
        read(text)
    with pytest.raises(JsonError) as inside:
        read(f"1 {text}]2", 2, 2 + len(text))
    assert inside.value.message == alone.value.message
    assert (inside.value.offset, inside.value.end) == (alone.value.offset + 2, alone.value.end + 2)


def test_a_repeated_key_tells_where_the_first_one_stands():
    text = '{"a/b": {"c": 1, "d": 2, "c": 3}}'
    with pytest.raises(JsonError) as caught:
        read(text)
    assert caught.value.first == text.index('"c"')
    assert caught.value.offset == text.rindex('"c"')


def test_a_long_key_is_quoted_in_part():
    name = "k" * 5000
    with pytest.raises(JsonError) as caught:
        read(f'{{"{name}":1,"{name}":2}}')
    assert len(caught.value.message) < 90


ACCEPTED = [
    ("1180591620717411303424", 2**70),
    ("1" * 400, int("1" * 400)),
    ("-0", 0),
    ("1.0", 1.0),
    ("1E+2", 100.0),
    ("1e-400", 0.0),
    ('"\\ud83d\\ude00"', "\U0001f600"),
    ('"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\"', 'é/\b\f\n\r\t"\\'),
    ('"\x7f\u2028"', "\x7f\u2028"),
    ('"[[[["', "[[[["),
    (" \t\r\n[ ] \n", []),
    ("[" * 64 + "]" * 64, None),
    ('{"a":[true,false,null,{}]}', {"a": [True, False, None, {}]}),
    ('{"$ref":1,"":2,"a/b":3,"m~n":4}', {"$ref": 1, "": 2, "a/b": 3, "m~n": 4}),
]


@pytest.mark.parametrize(("text", "value"), ACCEPTED, ids=[case[0][:24] for case in ACCEPTED])
def test_what_is_accepted(text, value):
    if value is not None:
        assert repr(read(text).value) == repr(value)
    assert repr(load(text)) == repr(read(text).value) == repr(load_bytes(text.encode()))


def test_every_part_has_its_place():
    text = '  {"a/b": [1, {"m~n": "x\\ty"}], "k\\u0065y" : {} } '
    document = read(text)
    place = {
        name: (text[e.key.start : e.key.end] if e.key else None, text[e.value.start : e.value.end])
        for name, e in document.places.items()
    }
    assert place == {
        "": (None, text.strip()),
        "/a~1b": ('"a/b"', '[1, {"m~n": "x\\ty"}]'),
        "/a~1b/0": (None, "1"),
        "/a~1b/1": (None, '{"m~n": "x\\ty"}'),
        "/a~1b/1/m~0n": ('"m~n"', '"x\\ty"'),
        "/key": ('"k\\u0065y"', "{}"),
    }
    assert all(type(e) is JsonPlace and type(e.value) is Span for e in document.places.values())


@pytest.mark.rule("S2.2")
@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [
        (b'"\xc3\xa9\xff"', 2, "0xff"),
        (b'"\xed\xa0\x80"', 1, "0xed"),  # a surrogate in UTF-8 clothes
        (b"\xff\xfe{\x00}\x00", 0, "UTF-16"),
        (b"\xef\xbb\xbf{}", 0, "byte order mark"),
        (b'{"a":1,"a":2}', 7, "stands twice"),
    ],
)
def test_bytes_are_strict_utf8(data, offset, words):
    with pytest.raises(JsonError) as caught:
        load_bytes(data)
    assert caught.value.offset == offset
    assert words in caught.value.message


@pytest.mark.rule("S5.6")
def test_errors_quote_no_value():
    secret = "hunter2"
    for text in (
        f'["{secret}',
        f"[{secret}]",
        f'["{secret}" "{secret}"]',
        f'{{"a":"{secret}"}} {secret}',
        f'{{"a" {secret}',
        f"{{{secret}: 1}}",
        f'["{secret}\n"]',
        f'["\\{secret}"]',
        f"[-{secret}]",
        f"['{secret}']",
    ):
        with pytest.raises(JsonError) as caught:
            load(text)
        assert secret not in repr(vars(caught.value)) + str(caught.value)


# --- both readers agree ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
json_texts = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only),
    json_values,
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
PIECES = [
    '"',
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "1",
    "0",
    "-",
    "+",
    ".",
    "e",
    "E9",
    "1e400",
    "9" * 401,
    "NaN",
    "Infinity",
    "true",
    "null",
    "a",
    "'",
    "//",
    "#",
    " ",
    "\n",
    "\t",
    "\x00",
    "\x1f",
    "\x7f",
    "\u00a0",
    "\u0663",
    "\ufeff",
    "\ud800",
    "\U0001f600",
    '"a":',
    "[" * 64,
    "]" * 64,
]


@st.composite
def mutated_texts(draw):
    text = draw(json_texts)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:at] + draw(st.sampled_from(["", *PIECES])) + text[at + cut :]
    return text


def outcome(reader, text):
    try:
        return repr(reader(text))
    except JsonError as error:
        found = vars(error)
    assert 0 <= found["offset"] <= found["end"] <= len(text)
    assert found["message"]
    assert found["hint"].endswith(".")
    return found


@settings(max_examples=examples(400), deadline=None)
@given(
    json_texts
    | mutated_texts()
    | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
    | st.text(st.characters(codec=None, categories=None))
)
@example("[1.5e308]")
@example('{"a":' * 65 + "1" + "}" * 65)
@example("[[]," * 40 + "1" + "]" * 40)
def test_both_readers_agree_on_any_text(text):
    assert outcome(load, text) == outcome(lambda given: read(given).value, text)


@settings(max_examples=examples(100), deadline=None)
@given(json_values)
def test_what_json_writes_is_read_back(value):
    text = json.dumps(value)
    document = read(text)
    assert repr(document.value) == repr(value)
    for place, entry in document.places.items():
        here = document.value
        for part in place.split("/")[1:]:
            here = here[int(part)] if isinstance(here, list) else here[part.replace("~1", "/").replace("~0", "~")]
        assert repr(read(text, entry.value.start, entry.value.end).value) == repr(here)


def test_the_fast_reader_is_not_the_slow_one_for_wide_documents():
    """More than 64 brackets, some in strings, are no reason to read slowly."""
    text = json.dumps([{"a": ["[[[["]}] * 200)
    calls = []
    original = located.read
    located.read = lambda *a: calls.append(a) or original(*a)
    try:
        assert load(text) == json.loads(text)
        assert calls == []
        with pytest.raises(JsonError):
            load("[1,]")
        assert len(calls) == 1  # it would have been seen
    finally:
        located.read = original


# --- canonical bytes ---

# RFC 8785, appendix B: the bits of a double and its text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.rule("S2.3")
@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_as_ecmascript_writes_them(bits, text):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(value) == text.encode()


def test_the_published_example():
    text = '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
    assert (
        canonical(load(text))
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@pytest.mark.rule("S2.3")
def test_keys_are_sorted_by_utf16():
    text = '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}'
    order = [name for name, _ in json.loads(canonical(load(text)), object_pairs_hook=list)]
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.rule("S2.3")
def test_integers_are_exact_and_equal_numbers_share_their_bytes():
    assert canonical(2**53 + 1) == b"9007199254740993"
    assert canonical([1.0, -0.0, 1e2]) == canonical([1, 0, 100])
    assert canonical(True) != canonical(1)
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1}) == b'{"a":2,"b":1}'
    assert canonical((1, 2)) == b"[1,2]"


@settings(max_examples=examples(300), deadline=None)
@given(json_values)
def test_canonical_bytes_are_read_back_and_are_stable(value):
    data = canonical(value)
    assert canonical(load_bytes(data)) == data
    assert json.loads(data, parse_int=float) == json.loads(json.dumps(value), parse_int=float)


ascii_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=20,
)


@settings(max_examples=examples(100), deadline=None)
@given(ascii_values)
def test_without_floats_and_odd_keys_the_bytes_are_those_of_json(value):
    assert canonical(value) == json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_random_doubles_read_back():
    rng = random.Random(8785)
    for _ in range(5000):
        (value,) = struct.unpack(">d", rng.randbytes(8))
        if abs(value) <= 1.7976931348623157e308:
            assert float(canonical(value)) == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1: 2}, {1.5: 2}, {1, 2}, b"x", "\ud800", {"\ud800": 1}, print], ids=repr
)
def test_what_is_no_json_has_no_canonical_bytes(value):
    with pytest.raises(ValueError) as caught:
        canonical([value])
    assert not isinstance(caught.value, UnicodeError)  # its `object` would hold the whole text


def test_endless_nesting_has_no_canonical_bytes():
    value: list = []
    value.append(value)
    with pytest.raises(ValueError, match="nested"):
        canonical(value)


def test_pointers():
    assert strict.pointer([]) == ""
    assert strict.pointer(["a/b", 0, "m~n", "~1", ""]) == "/a~1b/0/m~0n/~01/"
    assert strict.parent("/a~1b/0") == "/a~1b"
    assert strict.parent("/a") == strict.parent("") == ""


# --- decimals that no float holds ---

MEETING = [
    ("100000000000000000.01", "100000000000000000.99"),
    ("0.1", "0.1000000000000000055"),
    ("9007199254740993.0", "9007199254740992"),
    ("1e-400", "0"),
    ("1e-400", "2e-400"),
    ("4.9e-324", "5e-324"),
    ("-100000000000000000.01", "100000000000000000.01"),
    ("[1e23, 99999999999999991611392.0]", "[1e23, 1e23]"),
]
"""Texts of two numbers that meet in one float."""


def told_apart(text, version=strict.HASH_VERSION):
    return strict.input_hash(load_exact(text.encode()).exact, version)


@pytest.mark.rule("S2.3")
@pytest.mark.parametrize(("one", "other"), MEETING)
def test_two_numbers_that_meet_in_a_float_share_no_hash(one, other):
    assert told_apart(one) != told_apart(other)
    assert load_exact(one.encode()).value == load(one)


@pytest.mark.rule("S2.3")
def test_a_hash_of_version_1_is_made_as_it_was():
    one, other = MEETING[0]
    assert told_apart(one, 1) == told_apart(other, 1) == strict.input_hash(load(one), 1)


@pytest.mark.parametrize(
    "same",
    [
        ("1", "1.0", "1e0", "10e-1", "1.000000000000000000000"),
        ("0", "-0.0", "0e-999", "0.00000000000000000000"),
        ("9007199254740993", "9007199254740993.0", "9.007199254740993e15"),
        ("0.30000000000000004", "3.0000000000000004e-1"),
        ("1e-400", "0.1e-399", "10.000000000000000000e-401"),
    ],
)
def test_one_number_has_one_hash_however_it_is_written(same):
    assert len({told_apart(text) for text in same}) == 1


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_what_a_float_or_an_integer_holds_hashes_as_before(value):
    text = json.dumps({"a": [value]})
    assert told_apart(text) == told_apart(text, 1)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=20),
    st.decimals(allow_nan=False, allow_infinity=False, places=20),
)
def test_two_decimals_share_a_hash_only_where_they_are_equal(one, other):
    assert (told_apart(f"{one:f}") == told_apart(f"{other:f}")) == (one == other)


def test_the_canonical_bytes_of_a_decimal_in_full_are_json_of_the_same_value():
    for text in ("100000000000000000.01", "-1.5e-400", '{"a": [0.1000000000000000055]}'):
        exact = load_exact(text.encode()).exact
        again = load_exact(canonical(exact))
        assert canonical(again.exact) == canonical(exact)
        assert again.value == load(text)
