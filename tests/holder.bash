# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sockets for those who list them (ls.bats, ss.bats).

# holder CID: a program from standard input, that holds what it makes, and says
# what its sockets are called.
holder() {
	{
		cat <<-END
			import os, socket, time
			ANY = socket.VMADDR_CID_ANY
			def vsock(*address, type=socket.SOCK_STREAM):
			    s = socket.socket(socket.AF_VSOCK, type)
			    if address:
			        s.bind(address)
			    return s
			told = open('told', 'a')
			def word(v):
			    return '*' if v == ANY else str(v)
			def tell(s):
			    ends = [s.getsockname(), s.getpeername()]
			    print(*(word(c) + ':' + word(p) for c, p in ends), file=told, flush=True)
		END
		cat
		cat <<-END
			open('ready', 'w').close()
			time.sleep(1000)
		END
	} >"holder$1.py"
	start shim CID="$1" "$PYTHON" -u "holder$1.py"
	wait_for test -e ready
	rm ready
}

# both_ends: for such a program on machine 3, a listener and connections within it.
both_ends() {
	cat <<-END
		s = vsock(ANY, 1234)
		s.listen()
		ends = []
		for address in (1, 1234), (3, 1234):
		    for c in vsock(), vsock(ANY, 2000 + len(ends)):
		        c.connect(address)
		        ends += [c, s.accept()[0]]
		        tell(ends[-2])
		        tell(ends[-1])
	END
}
