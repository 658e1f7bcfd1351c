"""Reading that ends: at most one byte above a cap is read, of a file or of a stream that never ends."""

from typing import BinaryIO

_CHUNK = 1 << 20


def at_most(file: BinaryIO, cap: int) -> bytes:
    """What a file holds; more than `cap` bytes come back where it holds more, and then exactly one more.

    It is asked in pieces: a file may say nothing true about its size, and one call for all would set it all aside.
    """
    pieces, left = [], cap + 1
    while left and (piece := file.read(min(left, _CHUNK))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
