"""From bytes of the program's log to what each line says."""
import json
import typing

Event = typing.Dict[str, typing.Any]

#: The longest line that is kept. Far above what a worker may say in all, which the program bounds.
LONGEST = 256 << 20


class LineReader:
    """Puts lines together from pieces of any size, in time linear in what comes."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._pieces: typing.List[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> typing.Iterator[bytes]:
        """The lines that this piece completes, without their ends. Of one that is too long, its beginning."""
        *complete, rest = data.split(b'\n')
        for piece in complete:
            self._take(piece)
            yield self._finish()
        self._take(rest)

    def finish(self) -> typing.Optional[bytes]:
        """What has no end, for nothing follows; None where nothing is left."""
        return self._finish() if self._size else None

    def _take(self, piece: bytes) -> None:
        room = self._longest - self._size
        piece = piece[:room]
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def _finish(self) -> bytes:
        line = b''.join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return line


def parse(line: bytes) -> typing.Optional[Event]:
    """What a line of the log says; None for one that is no line of the log."""
    try:
        event = json.loads(line.decode('utf-8', 'replace'))
    # A number of ten thousand digits is a ValueError, a thousand brackets a RecursionError.
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    for name in ('event', 'level', 'message'):
        if not isinstance(event.get(name), str):
            return None
    return event
