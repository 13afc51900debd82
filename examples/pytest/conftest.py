# SPDX-License-Identifier: MIT
"""The fixture `vsock`: machines that nobody but one test sees."""
import os
import subprocess

import pytest


class Vsock:
    def __init__(self, directory):
        self.env = dict(os.environ, VSOCKSHIM_DIR=str(directory))
        self.started = []

    def start(self, cid, port, *command):
        """Starts a command on a machine; returns once it listens on the port."""
        self.started.append(
            subprocess.Popen(["vsockshim", "run", "--cid", str(cid), *command], env=self.env)
        )
        subprocess.run(["vsockshim", "wait", f"{cid}:{port}"], env=self.env, check=True)

    def run(self, cid, *command, **options):
        """What the command says, on a machine."""
        return subprocess.run(
            ["vsockshim", "run", "--cid", str(cid), *command],
            env=self.env, check=True, stdout=subprocess.PIPE, text=True, timeout=10, **options,
        ).stdout


@pytest.fixture
def vsock(tmp_path):
    machines = Vsock(tmp_path / "vsock")
    yield machines
    for process in machines.started:
        process.kill()
        process.wait()
