# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts share that tests/guest/run runs in its guest: machine 3 of the
# directory v has a bridge, and programs talk between there and the kernel's vsock.

export VSOCKSHIM_DIR=$PWD/v
lib=/bin/libvsockshim.so

# bridge CID [OPTION...]: a bridge, ready, as process $bridge.
bridge() {
	mkdir -p -m 700 v
	[ -p ready ] || mkfifo ready
	vsockshim bridge vhost --cid "$1" --ready-fd 9 "${@:2}" 9>ready 2>>bridge.log &
	bridge=$!
	read -r <ready || { cat bridge.log; return 1; }
}

# shim COMMAND...: becomes it, on machine 3, where it gets no vsock of the kernel.
shim() {
	VSOCKSHIM_CID=3 exec novsock env LD_PRELOAD=$lib "$@"
}

# host COMMAND...: becomes it, on the kernel's vsock.
host() {
	exec "$@"
}

# on shim|host COMMAND...: runs it there.
on() {
	("$@")
}

# serve shim|host COMMAND...: in the background as process $server, which listens
# when this returns; it says so.
serve() {
	: >server.log # not another's
	("$@") >server.log 2>&1 &
	server=$!
	says_so listening
}

# says_so WORD [LOG]: the server has said that; or who wrote that log.
says_so() {
	local tries=0 log=${2-server.log}

	until grep -q "$1" "$log"; do
		if { [ "$log" = server.log ] && ! kill -0 "$server"; } || ((++tries > 500)); then
			cat "$log"
			return 1
		fi
		sleep 0.02
	done
}

# served: the server ends well.
served() {
	wait "$server" || { cat server.log; return 1; }
}

# ends: the bridge, when it is told to, with nothing left behind and nothing to
# complain of.
ends() {
	kill "$bridge"
	wait "$bridge" || { echo "bridge: status $?"; return 1; }
	! grep -v ': serving CID \|: CID 3 is served no more$' bridge.log &&
		! ls v/*/gateway* 2>&1
}

dial() { # shim|host: the CID by which that is called
	[ "$1" = shim ] && echo 3 || echo 2
}

other() {
	[ "$1" = shim ] && echo host || echo shim
}
