# SPDX-License-Identifier: MIT
"""ways.py CID DIAL...: meets servers on machine CID by each number DIAL by which it
may be called, and prints what both sides see. Nothing that it prints depends on how
long an answer takes."""
import ctypes
import errno
import os
import select
import socket
import struct
import sys

ANY = socket.VMADDR_CID_ANY


def answer(s, what):
    if what == "names":
        peer = s.getpeername()
        s.send(repr((peer[0], s.getsockname())).encode() + b" %d" % peer[1])
    elif what == "echo":
        while True:
            m, _, flags, _ = s.recvmsg(300000)
            if not m:
                break
            s.sendmsg([m], [], flags & socket.MSG_EOR)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
    elif what == "bye":
        s.send(b"bye")
    elif what == "unread":
        s.send(b"unread")
        s.recv(1)
    elif what == "deaf":
        s.shutdown(socket.SHUT_RD)
        s.send(b"deaf")
        while True:
            select.select([], [], [])


def serve(cid, bound, port):
    """In a process of its own, whose first use of vsock this is."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.environ["VSOCKSHIM_CID"] = str(cid)
        listener = socket.socket(socket.AF_VSOCK, TYPE)
        listener.bind((bound, port))
        listener.listen()
        os.write(w, b"ready")
        while True:
            s, peer = listener.accept()
            assert peer == s.getpeername()
            answer(s, s.recv(6).decode().strip())
            s.close()
    os.close(w)
    assert os.read(r, 5) == b"ready"
    return pid


def error(call, *args):
    try:
        r = call(*args)
        return "ok" if r is None else r
    except OSError as e:
        return errno.errorcode[e.errno]


def patience(cid, bound=ANY):
    """Seconds for a connect from @bound: few where nobody will ever answer."""
    mine = int(os.environ["VSOCKSHIM_CID"])
    source = 1 if mine == 1 or cid in (1, mine) else mine
    there = cid in (1, 2, mine) or os.path.isdir(f"{os.environ['VSOCKSHIM_DIR']}/{cid}")
    return 20 if there and bound in (ANY, source) else .02


def vsock(timeout=20):
    s = socket.socket(socket.AF_VSOCK, TYPE)
    tv = struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
    ctypes.CDLL(None).setsockopt(s.fileno(), socket.AF_VSOCK, 6, tv, len(tv))
    return s


def dial(cid, what):
    s = vsock()
    s.connect((cid, 1234))
    s.send(what.ljust(6))
    return s


def names(s, port):
    s.send(b"names ")
    peer, seen = s.recv(99).decode().rsplit(" ", 1)
    print(peer, int(seen) == s.getsockname()[1], s.getpeername(), s.recv(9))


def connects(cid):
    for port in 1234, 1235, 99999:
        s = vsock(patience(cid))
        r = error(s.connect, (cid, port))
        print(cid, port, r, s.getsockname()[0])
        if r != "ok":
            r = error(s.connect, (cid, 1234))
            print("again", r, error(s.getpeername)[:1])
        if r == "ok":
            names(s, port)
    for bound in ANY, 1, int(os.environ["VSOCKSHIM_CID"]):
        s = vsock(patience(cid, bound))
        s.bind((bound, 7000))
        print("bound", bound, error(s.connect, (cid, 99999)), s.getsockname())
        r = error(s.connect, (cid, 1234))
        print("again", r, s.getsockname())
        if r == "ok":
            names(s, 7000)
    s = vsock(patience(cid))
    s.setblocking(False)
    r = error(s.connect, (cid, 1234))
    if r == "EINPROGRESS":
        select.select([], [s], [])
    print("non-blocking", r, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def talks(cid):
    s = dial(cid, b"echo")
    for n in 1, 2, 100, 65536, 65537, 200000:
        for eor in 0, socket.MSG_EOR:
            s.sendmsg([bytes([n & 255]) * n], [], eor)
            got, pieces, flags = 0, 0, 0
            while got < n:
                m, _, f, _ = s.recvmsg(300000)
                assert m and m.strip(bytes([n & 255])) == b""
                got += len(m)
                pieces += 1
                flags |= f
            print(n, flags, pieces if TYPE == socket.SOCK_SEQPACKET else "")
    s.shutdown(socket.SHUT_WR)
    print(s.recv(9), error(s.send, b"x"))
    s = dial(cid, b"bye")
    print(s.recv(9), s.recv(9))
    p = select.poll()
    p.register(s, select.POLLIN | select.POLLRDHUP)
    print([hex(e) for _, e in p.poll()])
    s = dial(cid, b"unread")
    print(s.recv(9))
    s.send(b"x" * 1000)
    print(s.recv(9), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    s = dial(cid, b"deaf")
    print(s.recv(9))
    while error(s.send, b"x") != "EPIPE":
        pass


for TYPE in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
    there = int(sys.argv[1])
    # children first: they are on other machines
    servers = [serve(there, ANY, 1234), serve(there, 1, 1235)]
    pid = os.fork()
    if pid == 0:
        for number in sys.argv[2:]:
            connects(int(number))
        first = int(sys.argv[2])
        if error(vsock(patience(first)).connect, (first, 1234)) == "ok":
            talks(first)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    for server in servers:
        os.kill(server, 9)
        os.waitpid(server, 0)
    assert status == 0
