/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: core/hello, as a gateway and a client get it, and what a bridge
 * makes of it. The input is the head of a connection, which comes in two parts:
 * what was said of the first holds for the whole.
 */
#include "bridge/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* It is not read, so that what an AF_UNIX socket gets is the only copy. */
static void to_a_bridge(const uint8_t *data, size_t size, bool seqpacket)
{
	struct hello h, seen;
	struct local l;
	int fds[2], r;

	must(socketpair(AF_UNIX, seqpacket ? SOCK_SEQPACKET : SOCK_STREAM, 0,
			fds) == 0);
	must(write(fds[1], data, size) == (ssize_t)size);
	local_init(&l, fds[0], seqpacket);
	r = local_hello(&l, &h);
	if (r == 0) {
		must(hello_parse(data, size, &seen) == 0 &&
		     memcmp(&h, &seen, sizeof(h)) == 0);
		must((h.type == SOCK_SEQPACKET) == seqpacket &&
		     l.hello == h.size);
		must(seqpacket || h.size <= size);
		must(local_window(&l, h.window) <= LOCAL_WINDOW_MAX);
		must(local_connected(&l) == 0 && l.hello == 0);
	}
	close(fds[1]);
	local_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello h;
	int first, r = hello_parse(data, size, &h);

	for (size_t n = 0; n < size && n <= sizeof(h); n++) {
		first = hello_parse(data, n, &h);
		must(first == -EAGAIN || (first == r && first != 0) ||
		     (first == 0 && r == 0));
	}
	must(r != -EAGAIN || size < sizeof(h));
	if (r == 0)
		must(h.size >= sizeof(h) && h.size <= HELLO_MAX);
	(void)hello_refused(data, size);
	if (size && size < 4096) {
		to_a_bridge(data, size, false);
		to_a_bridge(data, size, true);
	}
	return 0;
}
