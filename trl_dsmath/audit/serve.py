"""The page of an audit on this machine: cases are settled by keyboard, each decision on disk before the next case is shown."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..data.journal import read_journal, write_rows
from ..errors import ConfigError

# What a decision says about the completion, as `correct` of a labelled row: tests of a grader read it. A skipped case is none.
DECISIONS: dict[str, bool | None] = {"right": True, "wrong": False, "gold unreadable": None}


class Decisions:
    """
    The settled cases of an audit: labelled rows in `decisions.jsonl`.

    A row has `problem`, `completion`, `gold`, `correct` (true, false, or null where the gold cannot be read), `group` (the kind of the
    disagreement), `note`, `verdicts`, `decision` and `key`. Rows of an earlier audit stay, also where a case is gone.

    Args:
        folder (`Path`):
            The folder of the audit.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "decisions.jsonl"
        self._cases = {row["key"]: row for row in read_journal(folder / "cases.jsonl", ("key",))}
        self._made = {row["key"]: row for row in read_journal(self.path, ("key",))}
        self._lock = threading.Lock()

    @property
    def made(self) -> dict[str, str]:
        """The decision on each settled case."""
        return {key: row["decision"] for key, row in self._made.items()}

    def decide(self, key: str, decision: str | None) -> None:
        """
        Writes a decision down, or takes it back (`None`).

        Raises:
            KeyError: there is no such case, or no such decision.
        """
        with self._lock:
            made = {**self._made}
            if decision is None:
                made.pop(key, None)
            elif decision == "skip":
                made[key] = {"key": self._cases[key]["key"], "decision": decision}
            else:
                made[key] = {**self._cases[key], "correct": DECISIONS[decision], "decision": decision}
            write_rows(self.path, made.values())
            self._made = made


def make_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """
    A server of the page on 127.0.0.1; `serve_forever` runs it.

    Another site that the browser shows can neither read from it nor write to it: it answers only to its own name, and takes
    only JSON, which a browser does not send elsewhere without asking first.

    Args:
        folder (`Path`):
            The folder of the audit.
        port (`int`, *optional*, defaults to `0`):
            Port; 0 is a free one.

    Raises:
        ConfigError: the port is taken.
    """
    decisions = Decisions(folder)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: HTTPStatus, content: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _refused(self) -> bool:
            if self.headers.get("Host") in (f"127.0.0.1:{server.server_port}", f"localhost:{server.server_port}"):
                return False
            self._answer(HTTPStatus.FORBIDDEN, b"this page is served to 127.0.0.1 only", "text/plain")
            return True

        def do_GET(self) -> None:
            if self._refused():
                return
            if self.path == "/":
                self._answer(HTTPStatus.OK, (folder / "report.html").read_bytes(), "text/html")
            elif self.path == "/decisions":
                self._answer(HTTPStatus.OK, json.dumps(decisions.made).encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

        def do_POST(self) -> None:
            if self._refused():
                return
            try:
                if self.headers.get("Content-Type") != "application/json":
                    raise ValueError("not JSON")
                asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                decisions.decide(asked["key"], asked["decision"])
            except (OSError, ConfigError) as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{decisions.path}: {error}".encode(), "text/plain")
            except (ValueError, KeyError, TypeError) as error:
                self._answer(HTTPStatus.BAD_REQUEST, f"no decision on a case: {error}".encode(), "text/plain")
            else:
                self._answer(HTTPStatus.OK, b"{}")

        def log_message(self, *args: Any) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"Port {port} cannot be used ({error}): leave --port out for a free one.") from error
    return server
