# SPDX-License-Identifier: MIT
"""An enclave: gets a key from its parent, CID 3, and signs what it is sent."""
import hmac
import socket

ANY = socket.VMADDR_CID_ANY

with socket.socket(socket.AF_VSOCK) as parent:
    parent.connect((3, 8000))
    key = parent.makefile("rb").read()

with socket.socket(socket.AF_VSOCK) as listener:
    listener.bind((ANY, 5005))
    listener.listen()
    while True:
        client, (cid, port) = listener.accept()
        with client, client.makefile("rb") as data:
            print(f"signs for {cid}", flush=True)
            client.sendall(hmac.new(key, data.read(), "sha256").hexdigest().encode())
