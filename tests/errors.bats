#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The table of errors in vsockshim(7) is what happens.

load helpers

# The rows of the table: call, condition and errno, with tabs.
table() {
	sed -n '/^\.TS/,/^\.TE/p' "$ROOT/man/vsockshim.7" | grep -P '^[a-z]+\t.+\tE[A-Z]+$'
}

@test "each error comes when vsockshim(7) says so, and its table has them all" {
	{
		shim CID=2 "$PROG/errors" host
		shim CID=3 "$PROG/errors" guest
		shim VSOCKSHIM_DIR=v "$PROG/errors" no-vsock 2>/dev/null
		shim VSOCKSHIM_DGRAM=off "$PROG/errors" no-dgram
	} >got
	same <(table | sort) <(sort got)
}

@test "every errno of vsock(7) and of macOS's vsock(4) is in the table" {
	for errno in EACCES EADDRINUSE EADDRNOTAVAIL EAGAIN EFAULT EINPROGRESS EINVAL \
		ENODEV ENOPROTOOPT ENOTCONN EOPNOTSUPP EPROTONOSUPPORT ESOCKTNOSUPPORT ETIMEDOUT; do
		table | grep -q "$errno\$"
	done
}
