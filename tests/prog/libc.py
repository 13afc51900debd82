# SPDX-License-Identifier: MIT
"""libc's own calls, for tests to exec: where Python has none, or by another name."""
import ctypes
import errno
import time

libc = ctypes.CDLL(None, use_errno=True)


class Iov(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]


class Msg(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint),
                ('iov', ctypes.POINTER(Iov)), ('iovlen', ctypes.c_size_t),
                ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t),
                ('flags', ctypes.c_int)]


class Mmsg(ctypes.Structure):
    _fields_ = [('msg', Msg), ('len', ctypes.c_uint)]


def iov(buf):
    return Iov(ctypes.addressof(buf), ctypes.sizeof(buf))


def mmsg(buf):
    return Mmsg(Msg(iov=ctypes.pointer(iov(buf)), iovlen=1))


def call(name, *args):
    """What it returns, or the name of its errno."""
    r = getattr(libc, name)(*args)
    return errno.errorcode[ctypes.get_errno()] if r < 0 else r


def until_asleep(thread):
    """Until it waits in the kernel: each of some looks in a row finds it asleep."""
    looks = 0
    while looks < 5:
        time.sleep(.01)
        with open(f'/proc/self/task/{thread.native_id}/stat') as f:
            looks = looks + 1 if f.read().rsplit(') ')[1][0] == 'S' else 0
