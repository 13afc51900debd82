# SPDX-License-Identifier: MIT
"""asyncio_echo.py vsock|tcp CLIENTS BYTES: as many clients at once, and a server."""
import asyncio
import os
import socket
import sys

FAMILY = {'vsock': (socket.AF_VSOCK, (socket.VMADDR_CID_ANY, 1234), (1, 1234)),
          'tcp': (socket.AF_INET, ('127.0.0.1', 0), None)}


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def client(family, address, data):
    s = socket.socket(family)
    s.setblocking(False)
    await asyncio.get_running_loop().sock_connect(s, address)
    reader, writer = await asyncio.open_connection(sock=s)
    answer = asyncio.create_task(reader.read(-1))
    writer.write(data)
    await writer.drain()
    writer.write_eof()
    same = await answer == data
    writer.close()
    await writer.wait_closed()
    return same


async def main():
    family, where, address = FAMILY[sys.argv[1]]
    clients, size = map(int, sys.argv[2:])
    listener = socket.socket(family)
    listener.bind(where)
    server = await asyncio.start_server(echo, sock=listener, backlog=clients)
    address = address or listener.getsockname()
    answers = await asyncio.gather(*(
        client(family, address, os.urandom(size)) for _ in range(clients)))
    server.close()
    await server.wait_closed()
    print(sum(answers), 'of', len(answers), 'echoes are right')


asyncio.run(main())
