/* SPDX-License-Identifier: MIT */
/* The AF_UNIX names that carry vsock addresses: see name.h. */
#include "core/name.h"

#include "core/util.h"

#include <errno.h>
#include <string.h>

#define AUTO_MAGIC     "vsock1/"
#define AUTO_MAGIC_LEN 7
#define SUFFIX	       ".vsock"
#define SUFFIX_DGRAM   ".dgram"
#define SUFFIX_LEN     6
#define GATEWAY	       "gateway"
#define GATEWAY_SEQ    "gateway.seqpacket"
#define HEX	       "0123456789abcdef"
#define HEX_LEN	       16

static const struct name no_name = { .kind = NAME_NONE };

/* Moves *@s behind @c if it stands there. */
static bool skip(const char **s, const char *end, char c)
{
	if (*s == end || **s != c)
		return false;
	(*s)++;
	return true;
}

/* Anybody may spell a name: what no socket has is none. */
static bool plausible(const struct name *n)
{
	return n->cid != VMADDR_CID_HYPERVISOR && n->cid != VMADDR_CID_ANY &&
	       n->port != VMADDR_PORT_ANY;
}

static bool scan_hex(const char **s, const char *end, uint64_t *ret)
{
	const char *digit;

	*ret = 0;
	if (end - *s < HEX_LEN)
		return false;
	for (int i = 0; i < HEX_LEN; i++) {
		digit = memchr(HEX, *(*s)++, HEX_LEN);
		if (!digit)
			return false;
		*ret = *ret << 4 | (uint64_t)(digit - HEX);
	}
	return true;
}

/* @s..@end: "vsock1/<id>/<cid>/<port>/<dialled>[/<link>]" */
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
	    !addr_scan_u32(&s, end, &n.dialled))
		return no_name;
	if (s != end && (!skip(&s, end, '/') || !scan_hex(&s, end, &n.link) ||
			 s != end || !n.link))
		return no_name;
	return plausible(&n) ? n : no_name;
}

static bool is(const char *s, const char *end, const char *what)
{
	return (size_t)(end - s) == strlen(what) &&
	       memcmp(s, what, strlen(what)) == 0;
}

/* @s..@end: "<anything>/<cid>/<port>[@<bound>].vsock", .dgram, or a gateway */
static struct name decode_path(const char *s, const char *end)
{
	struct name n = { .kind = NAME_PATH, .bound = VMADDR_CID_ANY };
	const char *port = memrchr(s, '/', (size_t)(end - s));
	const char *cid = port ? memrchr(s, '/', (size_t)(port - s)) : NULL;

	if (!cid)
		return no_name;
	cid++;
	if (!addr_scan_u32(&cid, port, &n.cid) || cid != port || !plausible(&n))
		return no_name;
	port++;
	n.seqpacket = is(port, end, GATEWAY_SEQ);
	if (n.seqpacket || is(port, end, GATEWAY)) {
		n.kind = NAME_GATEWAY;
		return n;
	}
	if (!addr_scan_u32(&port, end, &n.port) || !plausible(&n))
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
	char *p = tail;

	*p++ = '/';
	p = addr_put_u32(p, n->cid);
	*p++ = '/';
	if (n->kind == NAME_GATEWAY) {
		p = put(p, n->seqpacket ? GATEWAY_SEQ : GATEWAY);
	} else {
		p = addr_put_u32(p, n->port);
		if (n->bound != VMADDR_CID_ANY) {
			*p++ = '@';
			p = addr_put_u32(p, n->bound);
		}
		p = put(p, n->dgram ? SUFFIX_DGRAM : SUFFIX);
	}
	*p = '\0';
	if (!util_join(buf, size, prefix, tail))
		return -ENAMETOOLONG;
	return (int)strlen(buf);
}

static char *put_hex(char *p, uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*p++ = HEX[v >> shift & 15];
	return p;
}

/* "vsock1/<id>/<cid>/<port>/" at @p; returns the end. */
static char *put_auto(char *p, uint64_t id, uint32_t cid, uint32_t port)
{
	p = put_hex(put(p, AUTO_MAGIC), id);
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

socklen_t name_link(struct sockaddr_un *un, socklen_t len, uint64_t link)
{
	char *p = (char *)un + len;

	*p++ = '/';
	return (socklen_t)(put_hex(p, link) - (char *)un);
}

int name_auto_prefix(char *buf, uint64_t id, uint32_t cid, uint32_t port)
{
	char *p = buf;

	*p++ = '@';
	p = put_auto(p, id, cid, port);
	*p = '\0';
	return (int)(p - buf);
}

uint32_t name_stranger(uint32_t own)
{
	return own > VMADDR_CID_HOST ? VMADDR_CID_HOST : VMADDR_CID_LOCAL;
}

void name_accepted(const struct name *own, const struct name *peer,
		   uint32_t dialled, struct sockaddr_vm *ret_local,
		   struct sockaddr_vm *ret_remote)
{
	bool same = peer->kind != NAME_NONE && peer->cid == own->cid;
	uint32_t cid = own->cid;

	if (own->bound != VMADDR_CID_ANY)
		cid = own->bound;
	else if (same)
		cid = dialled;
	*ret_local = addr_vm(cid, own->port);

	*ret_remote = addr_vm(peer->cid, peer->port);
	if (peer->kind == NAME_NONE) /* a plain AF_UNIX client */
		*ret_remote = addr_vm(name_stranger(own->cid), VMADDR_PORT_ANY);
	else if (same)
		ret_remote->svm_cid = VMADDR_CID_LOCAL;
	else if (peer->cid > VMADDR_CID_HOST && own->cid > VMADDR_CID_HOST)
		ret_remote->svm_flags = VMADDR_FLAG_TO_HOST;
}
