#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# vsockshim wait: returns when somebody listens, and disturbs nobody.

load helpers

# vsockshim ARGUMENT...: the command, under the guard.
vsockshim() {
	guard "$BUILD/vsockshim" "$@"
}

# socket CID TYPE ADDRESS STATEMENT: machine CID has a socket `s` of the type,
# bound to the address, does what the statement says, and stays until the test
# ends.
socket() {
	start py CID="$1" <<-END
		import socket, time
		s = socket.socket(socket.AF_VSOCK, socket.SOCK_$2)
		s.bind($3)
		$4
		open('ready', 'w').close()
		time.sleep(60)
	END
	wait_for test -e ready
	rm ready
}

# nobody CID:PORT WHY: nobody listens there, and it says why.
nobody() {
	run -1 --separate-stderr vsockshim wait "$1" --timeout 0
	[ -z "$output" ]
	[ "$stderr" = "vsockshim: nobody listens at $1 in $PWD/v after 0 s: $2" ]
}

@test "wait returns when somebody listens, to whichever CID he is bound" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	socket 3 STREAM '(3, 1235)' 's.listen()'
	socket 3 STREAM '(1, 1236)' 's.listen()'
	socket 4294967294 SEQPACKET '(socket.VMADDR_CID_ANY, 4294967294)' 's.listen()'
	for target in 3:1234 3:1235 3:1236 4294967294:4294967294; do
		run -0 --separate-stderr vsockshim wait "$target" --timeout 0
		[ -z "$output$stderr" ]
	done
	nobody 3:1233 'nothing is bound to that port'
	nobody 2:1234 'there is no such machine'
}

@test "wait makes no connection" {
	py <<-END
		import socket, subprocess
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1234))
		s.listen(0)
		s.setblocking(False)
		for _ in range(3):
		    subprocess.run(['$BUILD/vsockshim', 'wait', '2:1234', '--timeout', '0'], check=True)
		try:
		    s.accept()
		    raise SystemExit('a connection')
		except BlockingIOError:
		    pass
	END
}

@test "wait does not return for a socket that is bound and does not listen" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' ''
	nobody 3:1234 'what is bound to that port does not listen'
}

@test "wait does not return for a listener that was killed" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	run -0 vsockshim wait 3:1234 --timeout 0
	kill -KILL "$pid"
	ends_with 137
	[ -S v/3/1234.vsock ]
	nobody 3:1234 'what is bound to that port does not listen'
}

@test "wait returns for a listener whose backlog is full" {
	py <<-END
		import socket, subprocess
		s = socket.socket(socket.AF_VSOCK)
		s.bind((1, 1234))
		s.listen(0)
		clients = [socket.socket(socket.AF_VSOCK) for _ in range(2)]
		clients[0].connect((1, 1234))
		try:
		    clients[1].connect((1, 1234))
		    raise SystemExit('not full')
		except ConnectionResetError:
		    pass
		subprocess.run(['$BUILD/vsockshim', 'wait', '2:1234', '--timeout', '0'], check=True)
	END
}

@test "wait returns for a datagram socket that is bound" {
	mkdir -m 700 v/3
	"$PYTHON" - <<-END
		import socket, subprocess
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind('v/3/1234.dgram')
		subprocess.run(['$BUILD/vsockshim', 'wait', '3:1234', '--timeout', '0'], check=True)
	END
}

@test "wait waits for the directory, the machine, the socket and its listen" {
	export VSOCKSHIM_DIR=$PWD/later
	start vsockshim wait 3:1234 --timeout 100
	local waiter=$pid
	socket 4 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1235)' 's.listen()'
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' "open('ready', 'w').close()
while not __import__('os').path.exists('go'): time.sleep(.01)
s.listen()"
	kill -0 "$waiter"
	touch go
	pid=$waiter
	ends_with 0
}

@test "wait gives up when its time is over, and not before" {
	for timeout in 0.3 .3; do
		local start=${EPOCHREALTIME/./}
		run -1 vsockshim wait 3:1234 --timeout $timeout
		local took=$((${EPOCHREALTIME/./} - start))
		((took >= 300000 && took < 30000000))
	done
	[[ $output == *"after .3 s: "* ]]
}

@test "wait makes nothing" {
	VSOCKSHIM_DIR=$PWD/none run -1 vsockshim wait 3:1234 --timeout 0
	[ ! -e none ]
	nobody 3:1234 'there is no such machine'
	[ -z "$(ls v)" ]
}

@test "wait finds its directory as any program does, or is told" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	mv v vsockshim
	unset VSOCKSHIM_DIR
	XDG_RUNTIME_DIR=$PWD run -0 vsockshim wait 3:1234 --timeout 0
	VSOCKSHIM_DIR=$PWD/vsockshim run -0 vsockshim wait 3:1234 --timeout 0
	run -0 vsockshim wait --dir vsockshim 3:1234 --timeout 0
	VSOCKSHIM_DIR=/nowhere run -0 vsockshim wait --timeout=0 --dir="$PWD/vsockshim" 3:1234
}

@test "wait sees a listener in a directory of a path of any length" {
	local dir
	dir=$(path_of 4095)
	(umask 077 && mkdir -p "$dir")
	VSOCKSHIM_DIR=$dir socket 3 STREAM '(3, 1234)' 's.listen()'
	VSOCKSHIM_DIR=$dir run -0 vsockshim wait 3:1234 --timeout 0
	VSOCKSHIM_DIR=$dir run -1 vsockshim wait 3:1235 --timeout 0
}

@test "wait sees a listener in another network namespace" {
	requires_root
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	run -0 guard unshare --net "$BUILD/vsockshim" wait 3:1234 --timeout 0
}

@test "wait is not led to another socket by a symbolic link" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	ln -s 1234.vsock v/3/1235.vsock
	nobody 3:1235 'what is there is no socket'
}

@test "wait works with the preload, as in a suite that has it in its environment" {
	socket 3 STREAM '(socket.VMADDR_CID_ANY, 1234)' 's.listen()'
	run -0 --separate-stderr shim CID=2 "$BUILD/vsockshim" wait 3:1234 --timeout 0
	[ -z "$output$stderr" ]
}

@test "bad usage of wait ends with 2 and names the problem" {
	for bad in 3 3: :3 3:x x:3 0:3 3:-1 4294967295:3 3:4294967295 03:3 3:03 '3:1 ' 3:1:1 ''; do
		run -2 --separate-stderr vsockshim wait "$bad"
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == "vsockshim: $bad: takes CID:PORT"* ]]
	done
	for bad in x -1 '' . 1e3 inf nan 0x1 1s 1.2.3 9999999999; do
		run -2 --separate-stderr vsockshim wait 3:1 --timeout "$bad"
		[[ ${stderr_lines[0]} == "vsockshim: --timeout $bad: takes"* ]]
	done
	run -2 --separate-stderr vsockshim wait
	[[ ${stderr_lines[0]} == "vsockshim: "*CID:PORT* ]]
	run -2 --separate-stderr vsockshim wait 3:1 3:2
	[[ ${stderr_lines[0]} == "vsockshim: "*CID:PORT* ]]
	run -2 --separate-stderr vsockshim wait 3:1 --nonsense
	[[ ${stderr_lines[0]} == "vsockshim: "*--nonsense* ]]
	run -2 --separate-stderr vsockshim wait 3:1 --dir ''
	[[ ${stderr_lines[0]} == "vsockshim: "*--dir* ]]
	VSOCKSHIM_DIR=v run -2 --separate-stderr vsockshim wait 3:1
	[[ ${stderr_lines[0]} == "vsockshim: VSOCKSHIM_DIR=v: "*absolute* ]]
}

@test "wait says what is wrong with a directory that leads to itself" {
	ln -s loop loop
	run -1 "$BUILD/vsockshim" wait --timeout 0 --dir loop 3:1234
	[[ $output == *": Too many levels of symbolic links" ]]
}
