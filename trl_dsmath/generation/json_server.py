"""JSON over HTTP with retries, for the engines that sample elsewhere.

The standard library's client: none of the others comes with every supported release of transformers.
"""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key goes to the server that was named, and a POST does not become a GET."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


_open = urllib.request.build_opener(_NoRedirects).open
_TRIES = 6
_TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
_LONGEST_PAUSE = 60.0


class JSONServer:
    """
    A server that is asked in JSON, from several threads.

    Messages name the argument that its address comes from (`setting`), and say what to do when nobody answers
    (`how_to_start`).

    Raises:
        ConfigError: no address.
    """

    def __init__(
        self, url: str, setting: str, how_to_start: str, api_key: str | None = None, timeout: float = 3600.0
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ConfigError(f"The server's address is {url!r}: {setting} must begin with http:// or https://.")
        self.url = url.rstrip("/")
        self._how_to_start = how_to_start
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout
        self._answered = threading.Event()

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST with a body; tried again, with growing pauses, when the server is busy or stumbles.

        Raises:
            ConfigError: it refuses the request, goes on failing, or nobody answers.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self._headers)
        for attempt in range(1, _TRIES + 1):
            pause = min(2.0 ** (attempt - 1), _LONGEST_PAUSE)
            try:
                with _open(request, timeout=self._timeout) as response:
                    found = json.load(response)
                    self._answered.set()
                    return found
            except urllib.error.HTTPError as error:
                self._answered.set()
                if error.code not in _TRY_AGAIN or attempt == _TRIES:
                    said = error.read().decode(errors="replace").strip()[:500]
                    fix = " Set OPENAI_API_KEY to a key that it takes." if error.code in (401, 403) else ""
                    raise ConfigError(f"{self.url}{path} answered {error.code}: {said}{fix}") from error
                asked = error.headers.get("Retry-After", "")
                pause = min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else pause
            except (OSError, HTTPException, ValueError) as error:  # refused, reset, timed out; cut off; no JSON
                # Nobody who never answered is waited for.
                if attempt == _TRIES or (isinstance(error, urllib.error.URLError) and not self._answered.is_set()):
                    raise ConfigError(f"{self.url} does not answer ({error}): {self._how_to_start}") from error
            time.sleep(pause * (1 + random.random() / 4))  # not all threads at the same moment
