/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: core/name, core/addr, and the link of a migration in core/rdv.
 * The input is the name of another's socket, as the kernel returns it; a number
 * as an environment holds it; and what a link in a machine's place says. What
 * is taken for one of ours is spelled as we would spell it.
 */
#include "core/name.h"
#include "core/rdv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* The last two components of a path. */
static const char *tail(const char *path)
{
	const char *port = strrchr(path, '/');

	return memrchr(path, '/', (size_t)(port - path));
}

static void path_is_ours(const char *path, const struct name *n)
{
	char buf[NAME_PATH_MAX + 1];

	/* "/3/5@4294967295.vsock" is no spelling of ours, and harmless. */
	if (n->kind == NAME_PATH && n->bound == VMADDR_CID_ANY &&
	    strchr(tail(path), '@'))
		return;
	must(name_path(buf, sizeof(buf), "", n) > 0);
	must(strcmp(buf, tail(path)) == 0);
}

/* But for the number of a machine's directory, which is whatever it says. */
static void auto_is_ours(const struct sockaddr_un *un, size_t n,
			 const struct name *name)
{
	struct sockaddr_un again;
	size_t len = name_auto(&again, 0, name->cid, name->port, name->dialled);
	const char *end = un->sun_path + n, *rest;

	rest = memchr(un->sun_path + 8, '/', n - 8);
	must(rest);
	if (name->link)
		len = name_link(&again, (socklen_t)len, name->link);
	len -= offsetof(struct sockaddr_un, sun_path) + 8 + 16;
	must((size_t)(end - rest) == len &&
	     memcmp(rest, again.sun_path + 8 + 16, len) == 0);
}

static void is_spelled(const struct sockaddr_un *un, size_t n)
{
	char path[sizeof(un->sun_path) + 1] = "";
	const struct name stranger = { .kind = NAME_NONE };
	const struct name own = {
		.kind = NAME_PATH, .cid = 3, .port = 1, .bound = VMADDR_CID_ANY
	};
	struct sockaddr_vm local, remote;
	struct name name;

	name = name_decode(
		un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	if (name.kind == NAME_NONE)
		return;
	if (n > sizeof(un->sun_path))
		n = sizeof(un->sun_path);
	if (name.kind == NAME_AUTO) {
		auto_is_ours(un, n, &name);
	} else {
		memcpy(path, un->sun_path, n);
		path_is_ours(path, &name);
	}
	name_accepted(&own, &name, 3, &local, &remote);
	must(local.svm_port == 1 && remote.svm_port == name.port);
	name_accepted(&name, &stranger, name.cid, &local, &remote);
	must(local.svm_port == name.port && remote.svm_port == VMADDR_PORT_ANY);
}

static void is_a_number(const char *s, size_t n)
{
	const char *p = s;
	uint32_t v = 0;
	char spelled[ADDR_U32_MAX];

	if (!addr_scan_u32(&p, s + n, &v)) {
		must(p == s);
		return;
	}
	n = (size_t)(addr_put_u32(spelled, v) - spelled);
	must((size_t)(p - s) == n && memcmp(s, spelled, n) == 0);
}

static const uint8_t *link_text;
static size_t link_size;

static int is_link(const char *path, struct stat *st)
{
	(void)path;
	*st = (struct stat){ .st_mode = S_IFLNK };
	return 0;
}

static ssize_t read_link(const char *path, char *buf, size_t n)
{
	(void)path;
	n = n < link_size ? n : link_size;
	memcpy(buf, link_text, n);
	return (ssize_t)n;
}

static void is_a_move(const uint8_t *data, size_t size)
{
	const struct sys sys = { .lstat = is_link, .readlink = read_link };
	const struct machine m = { .sys = &sys, .dir = "/v" };
	const size_t head = sizeof(RDV_MOVED) - 1;
	char spelled[sizeof(RDV_MOVED) + ADDR_U32_MAX] = RDV_MOVED;
	uint32_t cid;

	link_text = data;
	link_size = size;
	cid = rdv_now(&m, 3);
	if (cid == 3)
		return;
	must(addr_put_u32(spelled + head, cid) == spelled + size &&
	     memcmp(data, spelled, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	struct sockaddr_un *un;

	is_a_number((const char *)data, size);
	is_a_move(data, size);
	/* The kernel counts one more for a path without a NUL. */
	if (size > sizeof(un->sun_path))
		size = sizeof(un->sun_path) + 1;
	un = malloc(head + size); /* of exactly that size */
	must(un);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, data, size);
	is_spelled(un, size);
	free(un);
	(void)addr_check(data, size);
	return 0;
}
