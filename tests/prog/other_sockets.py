# SPDX-License-Identifier: MIT
"""other_sockets.py [vsock]: facts of AF_UNIX and TCP sockets in which they differ
from vsock sockets. With an argument, in a program that has used vsock before."""
import array
import errno
import os
import select
import socket
import struct
import sys


def call(f, *args):
    try:
        r = f(*args)
        return r.__class__.__name__ if isinstance(r, socket.socket) else r
    except OSError as e:
        return errno.errorcode[e.errno]


def poll(s):
    p = select.poll()
    p.register(s, 0x3fff & ~0x20)
    e = select.epoll()
    e.register(s, 0x3fff & ~0x20)
    return [hex(m) for q in (p, e) for fd, m in q.poll(0)]


def options(s):
    for level, name in ((socket.SOL_SOCKET, n) for n in (
            socket.SO_DOMAIN, socket.SO_TYPE, socket.SO_PROTOCOL, socket.SO_ACCEPTCONN,
            socket.SO_SNDBUF, socket.SO_RCVBUF, socket.SO_PASSCRED, 47)):  # 47: pacing rate
        yield call(s.getsockopt, level, name)
    yield call(s.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 50000)
    yield call(s.getsockopt, 40, 0, 8)
    yield call(s.setsockopt, 40, 0, bytes(8))
    yield call(s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def facts(make, where):
    s = make()
    yield 'fresh', poll(s), list(options(s)), call(s.getpeername), call(s.recv, 1)
    yield 'fresh', call(s.shutdown, socket.SHUT_WR), call(s.listen)
    s = make()
    s.bind(where)
    yield 'bound', poll(s), call(s.bind, where)
    s.listen(0)
    yield 'listening', poll(s), call(s.getsockopt, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    c = make()
    c.setblocking(False)
    yield 'connect', call(c.connect, s.getsockname()), call(c.connect, s.getsockname())
    a = s.accept()[0]
    yield 'connected', poll(a), poll(c), list(options(a))
    yield 'data', call(a.send, b'abc'), call(c.recv, 2, socket.MSG_PEEK), poll(c), call(c.recv, 0)
    fcntl_in = array.array('i', [0])
    import fcntl
    fcntl.ioctl(c, 0x541b, fcntl_in)
    yield 'ioctl', fcntl_in[0], call(fcntl.ioctl, c, 0x7b9, bytes(4))
    c.shutdown(socket.SHUT_WR)
    yield 'half', poll(a), poll(c), call(a.recv, 1), bool(call(c.getpeername)), call(c.send, b'x')
    c.close()
    yield 'closed', poll(a), call(a.recv, 1), call(a.recv, 1)
    a.close()
    s.close()


if len(sys.argv) > 1:
    v = socket.socket(socket.AF_VSOCK)
    v.bind((1, 1234))
    v.listen(1)
    w = socket.socket(socket.AF_VSOCK)
    w.connect((1, 1234))
    poll(w)
    poll(v)
    v.accept()[0].close()

os.umask(0o77)
for fact in facts(lambda: socket.socket(socket.AF_UNIX), 'other.%d' % os.getpid()):
    print('unix', *fact)
for fact in facts(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), '\0other.%d' % os.getpid()):
    print('seqpacket', *fact)
for fact in facts(socket.socket, ('127.0.0.1', 0)):
    print('tcp', *fact)
a, b = socket.socketpair()
print('pair', call(a.getpeername), call(b.getsockname), len(a.getsockopt(1, socket.SO_PEERCRED, 12)))
b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
socket.send_fds(a, [b'x'], [0])
print('rights', sorted((t, len(d)) for l, t, d in b.recvmsg(9, 100)[1]))
print('refused', call(socket.socket(socket.AF_UNIX).connect, 'nowhere'), call(socket.socket().connect, ('127.0.0.1', 1)))
r, w = os.pipe()
os.close(w)
print('pipe', poll(r))
