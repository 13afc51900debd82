/* SPDX-License-Identifier: MIT */
/* The AF_UNIX names that carry vsock addresses: see name.h. */
#include "core/name.h"

#include <errno.h>
#include <string.h>

#define AUTO_MAGIC     "vsock1/"
#define AUTO_MAGIC_LEN 7
#define SUFFIX	       ".vsock"
#define SUFFIX_DGRAM   ".dgram"
#define SUFFIX_LEN     6

static const struct name no_name = { .kind = NAME_NONE };

/* Moves *@s behind @c if it stands there. */
static bool skip(const char **s, const char *end, char c)
{
	if (*s == end || **s != c)
		return false;
	(*s)++;
	return true;
}

/* @s..@end: "vsock1/<id>/<cid>/<port>/<dialled>" */
static struct name decode_auto(const char *s, const char *end)
{
	struct name n = { .kind = NAME_AUTO };

	if (end - s < AUTO_MAGIC_LEN ||
	    memcmp(s, AUTO_MAGIC, AUTO_MAGIC_LEN) != 0)
		return no_name;
	s += AUTO_MAGIC_LEN;
	s = memchr(s, '/', (size_t)(end - s));
	if (!s)
		return no_name;
	s++;
	if (!addr_scan_u32(&s, end, &n.cid) || !skip(&s, end, '/') ||
	    !addr_scan_u32(&s, end, &n.port) || !skip(&s, end, '/') ||
	    !addr_scan_u32(&s, end, &n.dialled) || s != end)
		return no_name;
	return n;
}

/* @s..@end: "<anything>/<cid>/<port>[@<bound>].vsock", or .dgram */
static struct name decode_path(const char *s, const char *end)
{
	struct name n = { .kind = NAME_PATH, .bound = VMADDR_CID_ANY };
	const char *port = memrchr(s, '/', (size_t)(end - s));
	const char *cid = port ? memrchr(s, '/', (size_t)(port - s)) : NULL;

	if (!cid)
		return no_name;
	cid++;
	if (!addr_scan_u32(&cid, port, &n.cid) || cid != port)
		return no_name;
	port++;
	if (!addr_scan_u32(&port, end, &n.port))
		return no_name;
	if (skip(&port, end, '@') && !addr_scan_u32(&port, end, &n.bound))
		return no_name;
	if (end - port != SUFFIX_LEN)
		return no_name;
	n.dgram = memcmp(port, SUFFIX_DGRAM, SUFFIX_LEN) == 0;
	return n.dgram || memcmp(port, SUFFIX, SUFFIX_LEN) == 0 ? n : no_name;
}

struct name name_decode(const struct sockaddr_un *un, socklen_t len)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	const char *s = un->sun_path;
	size_t n;

	if (len <= head || un->sun_family != AF_UNIX)
		return no_name;
	n = len - head;
	/* A path of 108 bytes comes back with its NUL outside of sun_path. */
	if (n > sizeof(un->sun_path))
		n = sizeof(un->sun_path);
	if (*s == '\0')
		return decode_auto(s + 1, s + n);
	return decode_path(s, s + strnlen(s, n));
}

static char *put(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

int name_path(char *buf, size_t size, const char *prefix, const struct name *n)
{
	char tail[NAME_PATH_MAX];
	size_t head = strlen(prefix);
	char *p = tail;

	*p++ = '/';
	p = addr_put_u32(p, n->cid);
	*p++ = '/';
	p = addr_put_u32(p, n->port);
	if (n->bound != VMADDR_CID_ANY) {
		*p++ = '@';
		p = addr_put_u32(p, n->bound);
	}
	p = put(p, n->dgram ? SUFFIX_DGRAM : SUFFIX);
	*p++ = '\0';
	if (head + (size_t)(p - tail) > size)
		return -ENAMETOOLONG;
	memcpy(buf, prefix, head);
	memcpy(buf + head, tail, (size_t)(p - tail));
	return (int)(head + (size_t)(p - tail) - 1);
}

/* "vsock1/<id>/<cid>/<port>/" at @p; returns the end. */
static char *put_auto(char *p, uint64_t id, uint32_t cid, uint32_t port)
{
	p = put(p, AUTO_MAGIC);
	for (int shift = 60; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[id >> shift & 15];
	*p++ = '/';
	p = addr_put_u32(p, cid);
	*p++ = '/';
	p = addr_put_u32(p, port);
	*p++ = '/';
	return p;
}

socklen_t name_auto(struct sockaddr_un *un, uint64_t id, uint32_t cid,
		    uint32_t port, uint32_t dialled)
{
	char *p = un->sun_path;

	un->sun_family = AF_UNIX;
	*p++ = '\0';
	p = put_auto(p, id, cid, port);
	p = addr_put_u32(p, dialled);
	return (socklen_t)(p - (char *)un);
}

int name_auto_prefix(char *buf, uint64_t id, uint32_t cid, uint32_t port)
{
	char *p = buf;

	*p++ = '@';
	p = put_auto(p, id, cid, port);
	*p = '\0';
	return (int)(p - buf);
}
