#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command.

load helpers

# vsockshim ARGUMENT...: the command, under the guard.
vsockshim() {
	guard "$BUILD/vsockshim" "$@"
}

# usage_error ARGUMENT...: a usage error that says EXPECTED in its first line.
usage_error() {
	run -2 --separate-stderr vsockshim "$@"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == vsockshim:*"$expected"* ]]
}

@test "run becomes the command: one process, its own pid" {
	start vsockshim run -- sh -c 'echo $$' >pid
	wait "$pid"
	[ "$(cat pid)" = "$pid" ]
}

@test "run ends with the command's status, or its signal" {
	run -7 vsockshim run sh -c 'exit 7'
	start vsockshim run sh -c 'kill -USR1 $$'
	ends_with 138 # 128 + SIGUSR1
}

@test "run ends with 127 for a command that is not there, 126 for one that cannot run" {
	PATH=/usr/bin:/bin run -127 --separate-stderr vsockshim run no-such-command
	[ "$stderr" = "vsockshim: no-such-command: No such file or directory" ]
	run -126 --separate-stderr vsockshim run /
	[ "$stderr" = "vsockshim: /: Permission denied" ]
}

@test "run gives the command a vsock, in the directory and with the CID that it is told" {
	requires socat
	unset VSOCKSHIM_DIR
	mkdir -m 700 other
	start vsockshim run --cid 3 --dir "$PWD/other" -- socat VSOCK-LISTEN:1234 EXEC:'echo here'
	wait_listen 3:1234 "$PWD/other"
	run -0 vsockshim run --dir "$PWD/other" socat -u VSOCK-CONNECT:3:1234 -
	[ "$output" = here ]
}

@test "run starts the machine: its ports are closed, it is not absent" {
	try() {
		py CID=2 <<-END
			import errno, socket
			try: socket.socket(socket.AF_VSOCK).connect((3, 1234))
			except OSError as e: print(errno.errorcode[e.errno])
		END
	}
	[ "$(try)" = ENODEV ]
	vsockshim run --cid 3 true
	[ "$(try)" = ECONNRESET ]
}

@test "run sets absolute paths, whatever it was given" {
	requires socat
	mkdir -m 700 other
	ln -s "$BUILD/vsockshim" command
	for dir in other ./other/../other; do
		run -0 guard ./command run --dir "$dir" \
			sh -c 'echo "$LD_PRELOAD"; cd "$VSOCKSHIM_DIR" && pwd'
		[ "${lines[0]}" = "$LIB" ]
		[ "${lines[1]}" = "$PWD/other" ]
		run -0 guard ./command run --dir "$dir" sh -c 'echo "${VSOCKSHIM_DIR%%/*}"'
		[ -z "$output" ]
	done
	for dir in other/ .//./other/. "$PWD/.//other"; do
		run -0 guard ./command run --dir "$dir" sh -c 'echo "$VSOCKSHIM_DIR"'
		[ "$output" = "$PWD/other" ]
	done
	run -0 guard ./command run --dir . sh -c 'echo "$VSOCKSHIM_DIR"'
	[ "$output" = "$PWD" ]
	run -0 guard ./command run --dir //. sh -c 'echo "$VSOCKSHIM_DIR"'
	[ "$output" = / ]
}

@test "run finds its library from any working directory, also through PATH" {
	cd /
	PATH=$BUILD:$PATH run -0 guard vsockshim run sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$LIB" ]
}

@test "run leaves the environment alone that it was not told to change" {
	unset VSOCKSHIM_DIR
	run -0 vsockshim run env
	sort >got <<<"$output"
	same <(guard env | grep -v ^_= | sort) <(grep -v -e ^_= -e ^LD_PRELOAD= got)
	VSOCKSHIM_CID=8 VSOCKSHIM_DIR=/nowhere run -0 vsockshim run \
		sh -c 'echo $VSOCKSHIM_CID $VSOCKSHIM_DIR'
	[ "$output" = "8 /nowhere" ]
}

@test "run keeps what is in LD_PRELOAD already" {
	LD_PRELOAD=$BUILD/tests/libempty.so run -0 vsockshim run sh -c 'echo "$LD_PRELOAD"; cat /proc/self/maps'
	[[ ${lines[0]} =~ ^"$LIB"[:\ ]"$BUILD/tests/libempty.so"$ ]]
	[[ $output == *"/libempty.so"$'\n'* ]]
	[[ $output == *"/libvsockshim.so"$'\n'* ]]
}

@test "run inside run preloads the library once" {
	run -0 vsockshim run "$BUILD/vsockshim" run sh -c 'echo "$LD_PRELOAD"'
	[ "$output" = "$LIB" ]
}

@test "an option ends at -- and at the command" {
	run -0 vsockshim run echo --cid 7
	[ "$output" = "--cid 7" ]
	run -0 vsockshim run -- echo --dir
	[ "$output" = "--dir" ]
	run -0 vsockshim run --cid=5 -- sh -c 'echo $VSOCKSHIM_CID'
	[ "$output" = 5 ]
}

@test "bad usage ends with 2 and names the problem" {
	expected='command' usage_error
	expected='command' usage_error run
	expected='command' usage_error run --
	expected='nonsense' usage_error nonsense
	expected='--nonsense' usage_error --nonsense
	expected='--nonsense' usage_error run --nonsense true
	expected='--cid' usage_error run --cid
	expected='--dir' usage_error run --dir
	expected='--dir' usage_error run --dir '' true
}

@test "a CID that no machine can have is bad usage" {
	for cid in 0 -1 3x 4294967295 4294967296 ''; do
		expected="$cid" usage_error run --cid "$cid" true
		[[ ${stderr_lines[0]} == *CID* ]] || [[ ${stderr_lines[0]} == *--cid* ]]
	done
}

@test "a directory that cannot be is bad usage" {
	local commands=('ls' 'wait 3:1' 'bridge vhost --cid 3') command

	for command in "${commands[@]}"; do
		# shellcheck disable=SC2086 # words
		VSOCKSHIM_DIR=here expected='VSOCKSHIM_DIR=here: is not an absolute path; --dir ' usage_error $command
	done
	unset VSOCKSHIM_DIR
	for command in "${commands[@]}"; do
		# shellcheck disable=SC2086 # words
		XDG_RUNTIME_DIR=$(path_of 4090) expected='XDG_RUNTIME_DIR: is too long; --dir ' usage_error $command
	done
}

@test "--help and --version say what they should on standard output" {
	run -0 --separate-stderr vsockshim --help
	[[ $output == usage:\ vsockshim\ * && $output == *$'\n  run '* ]]
	[ -z "$stderr" ]
	run -0 --separate-stderr vsockshim run --help
	[[ $output == *"vsockshim run"* && $output == *--cid* && $output == *--dir* ]]
	for command in run bridge capture ls doctor migrate wait; do
		run -0 vsockshim $command --dir v --help
		[[ $output == usage:\ vsockshim\ $command\ * ]]
	done
	run -0 --separate-stderr vsockshim --version
	[[ $output =~ ^vsockshim\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ -z "$stderr" ]
}

@test "output that cannot be written is an error" {
	run -1 --separate-stderr guard sh -c '"$BUILD/vsockshim" --help >/dev/full'
	[[ $stderr == vsockshim:*"No space left on device"* ]]
}

@test "run tells the command its transport, if there is such a one" {
	run -0 "$BUILD/vsockshim" run --transport auto sh -c 'echo $VSOCKSHIM_TRANSPORT'
	[ "$output" = auto ]
	run -2 "$BUILD/vsockshim" run --transport tcp true
	[ "$output" = "vsockshim: --transport tcp: takes unix, vhost or auto" ]
}

@test "a directory that cannot be made absolute is bad usage" {
	mkdir gone
	run -2 sh -c "cd gone && rmdir ../gone && exec '$BUILD/vsockshim' ls --dir x"
	[ "$output" = "vsockshim: --dir x: No such file or directory" ]
	run -2 "$BUILD/vsockshim" ls --dir "$(printf '%04090d' 0)"
	[[ $output == *": is too long; takes a path of less than 4096 bytes" ]]
	run -2 "$BUILD/vsockshim" ls --none
}
