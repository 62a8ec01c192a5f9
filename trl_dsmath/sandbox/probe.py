"""The first program that runs behind a wall: it tries the plain ways out. A wall that lets it out is not used."""

import json

CODE = r"""
import json, os, tempfile

def tried(body):
    try:
        body()
    except Exception:
        return False
    return True

def connect():
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def unix():
    import socket
    socket.socketpair()

def fork():
    if os.fork() == 0:
        os._exit(0)

def execute():
    try:
        os.execv("/none", ["none"])
    except PermissionError:
        raise
    except OSError:
        pass  # the kernel went to look for it

def scratch():
    with tempfile.TemporaryFile() as stream:
        stream.write(b"x")

def algebra():
    import sympy
    assert sympy.solve(sympy.Symbol("x") - 1) == [1]

ways_out = {
    "network": connect,
    "sockets": unix,
    "starting processes": fork,
    "running programs": execute,
    "reading /etc": lambda: os.listdir("/etc") == ["ld.so.cache"] or open("/etc/passwd").read(),
    "reading /proc": lambda: open("/proc/self/environ").read(),
    "listing the host": lambda: [os.listdir(p) for p in ("/home", "/var", "/sys")],
    "writing to /": lambda: open("/x", "w"),
    "environment": lambda: list(os.environ)[0],
}
found = [name for name, body in ways_out.items() if tried(body)]
if not tried(scratch): found.append("no writable directory for temporary files")
if not tried(algebra): found.append("sympy does not work")
print(json.dumps(found))
"""


def read(answer: dict) -> str | None:
    """What the probe found open, or None when the wall holds."""
    if answer["status"] != 0:
        return f"its first run failed: {answer['report'] or answer['stderr'] or answer['end'] or answer['status']}"
    try:
        found = json.loads(answer["stdout"])
    except ValueError:
        return f"its first run printed {answer['stdout']!r}"
    return f"it leaves open: {', '.join(found)}" if found else None
