#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The recipes of examples/README.md, as they stand there, where the kernel has no vsock.

load helpers

# A user's bats knows nothing of ours. (With a timeout, a test of 1.8.2 that is short
# may leave the sleep that would have ended it, and bats waits for that.)
setup() {
	test_setup
	as_user=(env -u BATS_TEST_TIMEOUT TMPDIR="$BATS_TEST_TMPDIR")
}

# recipe HEADING [NAME=VALUE...]: does what is shown under it.
recipe() {
	cp -r "$ROOT/examples" .
	unset VSOCKSHIM_DIR
	(cd examples && guard "${as_user[@]}" PATH="$BUILD:/usr/bin:$PATH" "${@:2}" \
		"$ROOT/tests/console" README.md "$1")
}

# in_containers HEADING: where docker is tests/tools/docker, and what it makes in /run
# and /usr/local is seen by nobody else.
in_containers() {
	requires_root
	unset VSOCKSHIM_DIR
	"$ROOT/tools/clone" "$PWD/clone"
	mkdir bin state
	ln -s "$ROOT/tests/tools/docker" bin
	# shellcheck disable=SC2016 # for the shell there
	guard "${as_user[@]}" PATH="$PWD/bin:$PATH" DOCKER_STATE="$PWD/state" \
		unshare --mount --pid --fork --kill-child --mount-proc bash -euc 'mount -t tmpfs run /run
		mount -t tmpfs local /usr/local
		cd clone/examples
		for heading; do
			"$ROOT/tests/console" README.md "$heading"
		done' bash "$@"
}

@test "examples: every recipe is tested here" {
	sed -n 's/^## //p' "$ROOT/examples/README.md" | while read -r heading; do
		grep -qE "(recipe|in_containers) .*'$heading'" "$BATS_TEST_FILENAME"
	done
}

@test "examples: a C program" {
	recipe 'A C program'
}

@test "examples: a Rust program" {
	recipe 'A Rust program'
}

@test "examples: tests with bats" {
	recipe 'Tests with bats'
}

@test "examples: tests with pytest" {
	recipe 'Tests with pytest'
}

# The second takes the first one's image.
@test "examples: containers that forbid AF_VSOCK, one and two" {
	in_containers 'In a container that forbids AF_VSOCK' 'Two containers'
	[ -S clone/examples/vsock/3/1234.vsock ] # where they met
}

@test "examples: the container's job of GitHub Actions runs what the recipe shows" {
	same <(sed -n 's/^      - run: //p' "$ROOT/examples/github-actions.yml") \
		<(sed -n 's/^\$ //p' "$ROOT/examples/README.md" |
			grep -E '^docker (build|run --rm vsock-tests$)')
}

@test "examples: an enclave and its parent" {
	recipe 'An enclave and its parent'
}

@test "examples: socket activation" {
	recipe 'Socket activation'
}

# unit FILE NAME: what it sets to that.
unit() {
	sed -n "s/^$2=//p" "$ROOT/examples/$1"
}

# In place of systemd itself, systemd-socket-activate does what the units say.
@test "examples: socket activation by the units" {
	local at=$PWD/v port

	cp "$ROOT"/examples/upper* .
	guard systemd-analyze verify ./upper.socket
	[[ $(unit upper.socket ListenStream) == /run/vsockshim/* ]]
	port=$at/$(unit upper.socket ListenStream | sed 's|^/run/vsockshim/||')
	[ "$(unit upper.socket Accept) $(unit upper@.service StandardInput)" = "yes socket" ]
	# shellcheck disable=SC2046 # words
	start guard systemd-socket-activate --accept --inetd -l "$port" $(unit upper@.service ExecStart)
	wait_listen 3:1234 "$at"
	run -0 shim VSOCKSHIM_DIR="$at" socat -t9 - VSOCK-CONNECT:3:1234 <<<hello
	[ "$output" = HELLO ]
}
