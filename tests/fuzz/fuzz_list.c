/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what `vsockshim ls` reads of others: a netlink message, where a
 * link of /proc/PID/fd leads, and the name that a program gave itself. The
 * names of sockets are fuzz_name's.
 */
#include "cli/diag.c"
#include "cli/holders.c"

#include <sys/prctl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void message(const uint8_t *data, size_t size)
{
	struct diags socks = { 0 };
	struct list l = { .socks = &socks };
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	must(write(fds[1], data, size) == (ssize_t)size);
	(void)take(&l, fds[0]);
	for (size_t i = 0; i < socks.n; i++)
		must(socks.all[i].len <= sizeof(socks.all[i].un));
	close(fds[0]);
	close(fds[1]);
	free(socks.all);
	free(l.waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[40] = "", name[16], again[40];
	uint32_t inode;

	if (size > 32768)
		return 0;
	message(data, size);
	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	if (scan_socket(text, &inode)) {
		(void)snprintf(again, sizeof(again), "socket:[%u]", inode);
		must(strcmp(text, again) == 0);
	}
	must(prctl(PR_SET_NAME, text) == 0);
	read_name(getpid(), name);
	must(strlen(name) < sizeof(name));
	for (const char *s = name; *s; s++)
		must(*s >= ' ' && *s <= '~');
	return 0;
}
