"""Records as JSON and back: the one codec for every named tuple that goes between processes or onto a disk.

`to_document` needs no knowledge of a record's type; `from_document` follows the annotations of its fields.
"""

from collections.abc import Callable
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

_Record = TypeVar("_Record")
_Decoder = Callable[[Any], Any]

_decoders: dict[Any, _Decoder | None] = {}


def to_document(record: Any) -> Any:
    """The record, and every record inside it, as objects, lists and plain values of JSON."""
    if isinstance(record, tuple):
        names = getattr(record, "_fields", None)
        if names is None:
            return [to_document(each) for each in record]
        return {name: to_document(value) for name, value in zip(names, record, strict=True)}
    if isinstance(record, dict):
        return {name: to_document(value) for name, value in record.items()}
    if isinstance(record, list):
        return [to_document(each) for each in record]
    return record


def from_document(kind: type[_Record], document: Any) -> _Record:
    """A record of this kind, its tuples and records inside it made again.

    A field that is missing takes its default. Raises TypeError, KeyError, ValueError or AttributeError where the
    document is none of such a record.
    """
    record: _Record = _record_decoder(kind)(document)
    return record


def _record_decoder(kind: Any) -> _Decoder:
    decoder = _decoders.get(kind)
    if decoder is None:
        fields = [(name, _decoder_of(annotation)) for name, annotation in kind.__annotations__.items()]
        inner = [(name, decode) for name, decode in fields if decode is not None]

        def decoder(document: Any) -> Any:
            values = dict(document)
            for name, decode in inner:
                if name in values:
                    values[name] = decode(values[name])
            return kind(**values)

        _decoders[kind] = decoder
    return decoder


def _decoder_of(annotation: Any) -> _Decoder | None:
    """How a value of this annotation is made from JSON; None where JSON has it as it is."""
    if hasattr(annotation, "_fields"):
        return _record_decoder(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        inner = next((decode for decode in map(_decoder_of, arguments) if decode is not None), None)
        return (
            None if inner is None else lambda value: value if value is None or isinstance(value, str) else inner(value)
        )
    if origin is tuple:
        return _tuple_decoder(_decoder_of(arguments[0]))
    if origin is dict and (each := _decoder_of(arguments[1])) is not None:
        return lambda value: {name: each(inner) for name, inner in value.items()}
    return None


def _tuple_decoder(each: _Decoder | None) -> _Decoder:
    return tuple if each is None else lambda value: tuple(map(each, value))
