#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the oracle says of its own lists: a row is for one answer, and as long as it is
# needed.

load helpers

# compare ROW: of one program, with that row before those of tests/oracle/differences.
compare() {
	printf 'Window: a test\n\t%s\n' "$1" >list
	DIFFERENCES=$PWD/list run guard "$ROOT/tests/oracle/run" shim portwait
}

@test "oracle: what the lists have is no difference, and is counted" {
	compare 'portwait.unread: bind(fresh, vm(ANY, 5001), 16) = 0'
	[ "$status" = 0 ]
	[[ $output == *"1 differ as listed: Window"*" 0 differ"*"ok - "* ]]
	[[ $output == *" differ as listed: The port of a client that has closed"* ]]
	compare 'portwait.unread: bind(fresh, vm(ANY, {5000..5001}), 16) = {0..7}'
	[ "$status" = 0 ]
}

@test "oracle: another answer than the listed one is a difference" {
	for answer in '-1 EINVAL' 1 '{1..7}' 00; do
		compare "portwait.unread: bind(fresh, vm(ANY, 5001), 16) = $answer"
		[ "$status" = 1 ]
		[[ $output == *"list: portwait.unread: "*" 1 differ"*"not ok - "* ]]
	done
}

@test "oracle: a row that is not needed is a difference" {
	compare 'portwait.both_closed: bind(fresh, vm(ANY, 5001), 16) = 0'
	[ "$status" = 1 ]
	[[ $output == *"differs no more, though listed: portwait.both_closed"* ]]
	compare 'portwait.none_such: 0'
	[ "$status" = 1 ]
	[[ $output == *"listed, but no fact: portwait.none_such"* ]]
	compare 'window.none_such: 0' # of another program
	[ "$status" = 0 ]
}
