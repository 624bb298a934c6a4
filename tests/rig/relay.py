#!/usr/bin/env python3
"""Stands between rampscope and the gateway and writes down each request: an access log that nobody
of rampscope has a hand in.

    relay.py PORT HOST:PORT FILE

Listens on 127.0.0.1:PORT, passes HTTP/1.1 on, a connection a connection. FILE gets a line a request:
when it had come, when the last byte of its answer was passed on (both in seconds since 1970), its
status, 0 if there was no answer. A line `~ WHEN LATE` says by how many seconds the relay itself woke
up too late: on a busy machine that is how far its moments and rampscope's may lie apart.
"""
import asyncio
import sys
import time

port, upstream, path = sys.argv[1:4]
host, _, far_port = upstream.partition(":")
log = open(path, "w", buffering=1 << 16)


async def head(reader):
    """The lines up to the empty one, and what they say of the body: its length, or None if chunked."""
    text = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in text.split(b"\r\n")[1:] if b":" in line)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return text, None, fields
    return text, int(fields.get(b"content-length", b"0")), fields


async def body(reader, writer, length):
    if length is not None:
        writer.write(await reader.readexactly(length))
        return
    while True:
        line = await reader.readuntil(b"\r\n")
        writer.write(line + await reader.readexactly(int(line.split(b";")[0], 16) + 2))
        if int(line.split(b";")[0], 16) == 0:
            return


async def connection(near, out):
    far = None
    came = None
    try:
        while True:
            text, length, _ = await head(near)
            came = time.time()
            if far is None:
                far = await asyncio.open_connection(host, int(far_port))
            far[1].write(text)
            await body(near, far[1], length)
            text, length, fields = await head(far[0])
            out.write(text)
            await body(far[0], out, length)
            await out.drain()
            log.write(f"{came:.6f} {time.time():.6f} {int(text.split(b' ')[1])}\n")
            came = None
            if fields.get(b"connection", b"").strip() == b"close":
                break
    except (OSError, asyncio.IncompleteReadError):
        if came is not None:
            log.write(f"{came:.6f} {time.time():.6f} 0\n")
    finally:
        out.close()
        if far is not None:
            far[1].close()


async def look_at_the_clock():
    while True:
        due = time.time() + 0.02
        await asyncio.sleep(0.02)
        late = time.time() - due
        if 0.002 < late:
            log.write(f"~ {due:.6f} {late:.6f}\n")
        log.flush()


async def main():
    server = await asyncio.start_server(connection, "127.0.0.1", int(port), backlog=1024)
    print("up", flush=True)
    await asyncio.gather(server.serve_forever(), look_at_the_clock())


asyncio.run(main())
