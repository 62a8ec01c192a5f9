"""A small server in the place of the hub, which keeps what it is sent."""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """The few addresses of the hub that a push needs. A repository named `refused` takes no commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files: dict[str, dict[str, bytes]] = {}  # repository, file, content
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.path)
        self.server.tokens.add(self.headers.get("Authorization"))
        repository = "/".join(self.path.split("/")[3:5])
        if self.path == "/api/repos/create":
            name = "me/" + json.loads(body)["name"].split("/")[-1]
            self._answer({"url": f"{self.server.url}/{name}", "id": name, "name": name})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif "/commit/" in self.path and repository == "me/refused":
            self._answer({"error": "you may not write here"}, 403)
        elif "/commit/" in self.path:
            kept = self.server.files.setdefault(repository, {})
            for entry in map(json.loads, body.splitlines()):
                if entry["key"] == "file":
                    kept[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            url = f"{self.server.url}/{repository}/commit/1"
            self._answer({"success": True, "commitOid": "1" * 40, "commitUrl": url, "hookOutput": ""})
        else:
            self._answer({"error": "not found"}, 404)

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._answer({"id": "me/x", "sha": "1" * 40, "siblings": [], "tags": []})

    def _answer(self, content: dict, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
