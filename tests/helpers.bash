# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What every .bats file loads: a rendezvous directory for each test, programs
# under the guard with and without the preload, and waiting with a deadline.

bats_require_minimum_version 1.5.0

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
BUILD=$(cd "$ROOT" && realpath "${BUILD:-build}")
LIB=$BUILD/libvsockshim.so
PROG=${PROG:-$BUILD/tests/prog}
# The interpreter itself: version managers put shell scripts in its place.
PYTHON=/usr/bin/python3
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}
read -ra wrap <<<"${WRAP-}"
LC_ALL=C
export ROOT BUILD LIB PROG PYTHON BATS_TEST_TIMEOUT LC_ALL

# A sanitizer's runtime must come first in LD_PRELOAD.
if [ -z "${PRELOAD-}" ]; then
	PRELOAD=$(ldd "$LIB" | awk '/lib[at]san/ { printf "%s ", $3 }')$LIB
fi
export PRELOAD ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:verify_asan_link_order=0}

test_setup() {
	unset "${!VSOCKSHIM_@}" LD_PRELOAD
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -m 700 v
	export VSOCKSHIM_DIR=$BATS_TEST_TMPDIR/v
	pids=()
}

setup() {
	test_setup
}

teardown() {
	local log pid

	for pid in "${pids[@]}"; do
		# not a group yet if it has only just begun
		kill -KILL -- "-$pid" || kill -KILL "$pid" || true
		wait "$pid" || true
	done 2>/dev/null
	[ -n "${BATS_TEST_COMPLETED-}" ] && return
	for log in *.log; do
		[ -s "$log" ] && sed "s|^|$log: |" "$log"
	done
	return 0
}

# requires COMMAND...: skips the test where one is missing.
requires() {
	local cmd

	for cmd; do
		command -v "$cmd" >/dev/null || skip "$cmd is not installed"
	done
}

requires_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# guard COMMAND...: under a kernel that refuses vsock, without our library, and
# without bats' descriptor 3, for which bats would wait; by WRAP, as of tests/run. In
# the background it is the process that start names, else it has a deadline.
guard() {
	if [ -n "${in_background-}" ]; then
		exec setsid "$BUILD/tests/novsock" "${wrap[@]}" "$@"
	fi
	timeout -k 2 $((BATS_TEST_TIMEOUT * 2 / 3)) "$BUILD/tests/novsock" "${wrap[@]}" "$@" 3>&-
}

# shim [CID=N] [NAME=VALUE]... COMMAND...: the same, with our library.
shim() {
	if [[ $1 == CID=* ]]; then
		set -- "VSOCKSHIM_$1" "${@:2}"
	fi
	guard env LD_PRELOAD="$PRELOAD" "$@"
}

# py [CID=N] [NAME=VALUE]...: a Python program from standard input, preloaded.
py() {
	shim "$@" "$PYTHON" -u -
}

# start guard|shim|py ...: in the background as process $pid, in a process group
# that ends with the test.
start() {
	(
		exec 3>&-
		in_background=1
		"$@"
	) <&0 &
	pid=$!
	pids+=("$pid")
}

# ends_with STATUS: waits for what was started last.
ends_with() {
	local got=0

	wait "$pid" || got=$?
	[ "$got" = "$1" ]
}

# wait_for COMMAND...: until it succeeds, ten seconds at most, or more in proportion
# to a test's time.
wait_for() {
	local most=$((BATS_TEST_TIMEOUT > 60 ? BATS_TEST_TIMEOUT / 6 : 10))
	local tries=$((most * 50)) # no clock: a machine that stood still has its time

	until "$@"; do
		if ((tries-- == 0)); then
			echo "$most seconds in vain for: $*"
			return 1
		fi
		sleep 0.02
	done
}

# wait_listen CID:PORT [DIR]: until somebody listens there.
wait_listen() {
	"$BUILD/vsockshim" wait "$1" ${2:+--dir "$2"} --timeout $((BATS_TEST_TIMEOUT / 2))
}

# fails_without_preload COMMAND...: as on any kernel without vsock.
fails_without_preload() {
	run guard "$@"
	[ "$status" -ne 0 ]
	[[ $output == *"Address family not supported by protocol"* ]]
}

# path_of LENGTH: an absolute path, here, that is so long.
path_of() {
	local path=$PWD

	while ((${#path} < $1 - 250)); do
		path+=/$(printf '%0200d' 0)
	done
	printf "%s/%0$(($1 - ${#path} - 1))d" "$path" 0
}

# Whether the two files, or standard input and the file, are equal.
same() {
	diff -u "$@" >&2
}
