#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# As many descriptors as there can be. Where root may not set the limit, it is less
# than 1,048,576: tests/old-kernels has kernels in which he may, and says by FULL=1 that
# no less will do.

load helpers

# As many descriptors as a process may have, $most: root may say how many.
all_descriptors() {
	ulimit -n "$(</proc/sys/fs/nr_open)" 2>/dev/null || true
	most=$(ulimit -Hn)
	if [ "$most" = unlimited ] || [ "$most" -gt 1048576 ]; then
		most=1048576
	fi
	[ -z "${FULL-}" ] || [ "$most" = 1048576 ]
}

# calls FILE: how often each system call was made, but for those of a pause.
calls() {
	sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$1" | grep -vx 'read\|write\|restart_syscall' | sort | uniq -c
}

@test "10,000 connections at once, or as many as may be, are right, the last takes the calls of the first" {
	all_descriptors
	count=$((most < 20100 ? (most - 100) / 2 : 10000))
	mkfifo go
	exec 8<>go
	start shim "$PROG/resources" many "$count" <go >out 8>&-
	for when in first last; do
		wait_for grep -qx "$when" out
		strace -qq -o "$when" -p "$pid" 2>err.log 3>&- 8>&- &
		tracer=$!
		wait_for test -s "$when" # the read(2) that was interrupted
		echo >&8
		wait_for grep -qx "$when done" out
		kill "$tracer"
		wait "$tracer" || true
		echo >&8
	done
	exec 8>&-
	ends_with 0
	tail -n 3 out >got
	same got - <<-END
		right $((count + 200))
		open $((count * 2))
		left 0
	END
	calls first >first.calls
	calls last >last.calls
	# a port that may be somebody's is looked at: a few calls more, now and then
	run -0 join -j 2 -a 1 -a 2 first.calls last.calls
	awk 'NF != 3 || ($2 - $3) ^ 2 > 25 { print; status = 1 } END { exit status }' <<<"$output"
	grep -qE ' 20[0-5] close$' first.calls
	[ "$(ls v/2)" = ports ]
}

@test "the highest number that a descriptor can have is as good as any" {
	all_descriptors
	shim "$PROG/resources" numbers "$most" >got
	same got - <<-END
		dup2 1
		getpeername 0
		family 40
		poll 1
		read 1
		shutdown 0
		write EPIPE
		connect ECONNRESET
		connect 0
	END
}
