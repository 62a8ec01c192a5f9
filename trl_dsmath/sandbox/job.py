"""One run, as the caller holds it."""

import contextlib
import json
import socket
import time


class Job:
    """A connection to the supervisor of one run."""

    def __init__(self, connection: socket.socket, request: str, layers: tuple[str, ...]) -> None:
        self.connection, self.layers = connection, layers
        self.started = time.monotonic()
        self._received = bytearray()
        with contextlib.suppress(OSError):  # where it has died, read() and answer() say so
            connection.sendall(request.encode() + b"\n")

    def read(self) -> bool:
        """Reads what there is; False when the answer is complete or will not come."""
        try:
            piece = self.connection.recv(1 << 20)
        except OSError:
            piece = b""
        self._received += piece
        return bool(piece) and not piece.endswith(b"\n")

    def answer(self) -> dict | None:
        """What the supervisor said; None when it died before it could."""
        self.connection.close()
        return json.loads(self._received) if self._received.endswith(b"\n") else None
