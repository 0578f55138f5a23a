"""A small real HTTP server that counts what reaches it: `python server.py` prints its port.

/ok 200 · /status/N N · /slow/MS 200 after MS · /hang no answer · /drop closes without an answer · /cut closes inside
the body · /late-close closes the connection after the answer, unannounced · /chunked 200 in chunks · /moved 302 to
/ok · /echo 201 with the body it got · /head the request's own head · /counts how often each path was asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter

asked: Counter[str] = Counter()
slots = {"x-want-slot: green": "green", "x-want-slot: blue": "blue"}


def answer(status: int, body: bytes, extra: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await respond(reader, writer):
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:  # noqa: C901 - a table
    """Answer one request; False when the connection is to be closed."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.lower().split("\r\n")
    length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    method, path, _ = head.split(" ", 2)
    asked[f"{method} {path}"] += 1
    slot = next((f"x-slot: {name}\r\n" for line, name in slots.items() if line in lines), "")
    match path.strip("/").split("/"):
        case ["status", status]:
            writer.write(answer(int(status), b"no", slot))
        case ["slow", ms]:
            await asyncio.sleep(int(ms) / 1000)
            writer.write(answer(200, b"ok", slot))
        case ["hang"]:
            await asyncio.sleep(3600)
        case ["drop"]:
            return False
        case ["cut"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            await writer.drain()
            return False
        case ["late-close"]:
            writer.write(answer(200, b"ok", slot))
            return False
        case ["chunked"]:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        case ["moved"]:
            writer.write(answer(302, b"", "Location: /ok\r\n"))
        case ["echo"]:
            writer.write(answer(201, body))
        case ["head"]:
            writer.write(answer(200, head.encode()))
        case ["counts"]:
            writer.write(answer(200, json.dumps(asked).encode()))
        case _:
            writer.write(answer(200, b"ok", slot))
    return True


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
