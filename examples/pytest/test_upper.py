# SPDX-License-Identifier: MIT
"""Tests of ../upper, which knows nothing of vsockshim."""
from pathlib import Path

UPPER = Path(__file__).parent.parent / "upper"


def ask(vsock, text):
    return vsock.run(2, "socat", "-t9", "-", "VSOCK-CONNECT:3:1234", input=text)


def test_answers(vsock):
    vsock.start(3, 1234, UPPER, "1234")
    assert ask(vsock, "hello") == "HELLO"


def test_has_machines_of_its_own(vsock):
    vsock.start(3, 1234, "socat", "-t9", "VSOCK-LISTEN:1234", "EXEC:rev")
    assert ask(vsock, "hello\n") == "olleh\n"
