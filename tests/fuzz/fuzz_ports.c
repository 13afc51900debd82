/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: core/ports on a `ports` file that another user of the directory
 * has written. The input is its first bytes, the rest are zeros, and how long
 * it is; then ports are taken from it. Whatever it holds: no port that is
 * handed out is a reserved one or VMADDR_PORT_ANY, and nothing waits.
 */
#include "core/addr.h"
#include "core/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file = -1;
static struct sys sys;
static void *mapped;
static size_t mapped_size;

static void must(bool good)
{
	if (!good)
		abort();
}

static int open_file(const char *path, int flags, mode_t mode)
{
	(void)path;
	(void)flags;
	(void)mode;
	lseek(file, 0, SEEK_SET);
	return dup(file);
}

static int map_file(int fd, size_t len, void **ret_addr)
{
	int r = sys_kernel.map(fd, len, ret_addr);

	mapped = *ret_addr;
	mapped_size = len;
	return r;
}

static void unmap(void)
{
	must(munmap(mapped, mapped_size) == 0);
}

static bool anybody(const struct stat *st, const void *arg)
{
	(void)st;
	(void)arg;
	return true;
}

static void use(struct ports *p)
{
	uint32_t port;

	(void)ports_id(p);
	for (int i = 0; i < PORTS_TRIES; i++) {
		port = ports_next(p);
		must(port > ADDR_LAST_RESERVED && port != VMADDR_PORT_ANY);
		(void)ports_issued(p, port);
		ports_mark(p, port);
		must(ports_marked(p, port));
		ports_unmark(p, port);
		ports_set_dialled(p, port, i % 2, 2);
		must(ports_dialled(p, port, i % 2, 3, 1) == 2);
	}
	ports_give_back(p, port);
	(void)ports_dialled(p, 0, false, 3, 1);
	ports_open_gateway(p, false);
	must(ports_gateway(p));
	ports_close_gateway(p, ports_gateway(p));
	must(!ports_gateway(p));
	ports_add_link(p, ports_link(port));
	must(ports_has_link(p, ports_link(port)) && ports_had_links(p));
	ports_drop_link(p, ports_link(port));
	must(!ports_has_link(p, ports_link(port)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[100000]; /* is longer than the file has to be */
	struct ports *p;
	size_t n;
	int r;

	if (size < 2)
		return 0;
	n = data[0] % 2 ? sizeof(whole) : (size_t)data[1] * 16;
	data += 2;
	size -= 2;
	if (file < 0)
		file = memfd_create("ports", 0);
	must(file >= 0 && ftruncate(file, 0) == 0);
	memcpy(whole, data, size < sizeof(whole) ? size : sizeof(whole));
	must(pwrite(file, whole, n, 0) == (ssize_t)n);
	memset(whole, 0, size < sizeof(whole) ? size : sizeof(whole));
	sys = sys_kernel;
	sys.open = open_file;
	sys.map = map_file;
	r = ports_read(&sys, "", &p);
	must(r == 0 || r == -EPROTO);
	if (r == 0)
		use(p);
	unmap();
	r = ports_map(&sys, "", 0600, anybody, NULL, &p);
	must(r == 0 || r == -EPROTO);
	if (r == 0)
		use(p);
	unmap();
	return 0;
}
