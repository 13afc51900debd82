/* SPDX-License-Identifier: MIT */
/*
 * The AF_UNIX names that carry vsock addresses. Pure: no system calls.
 *
 *	<dir>/<cid>/<port>.vsock	bound to {VMADDR_CID_ANY, port} there
 *	<dir>/<cid>/<port>@<own>.vsock	bound to one CID of that machine only
 *	<dir>/<cid>/<port>[@<own>].dgram	the same for SOCK_DGRAM, whose
 *						port space is another
 *	<dir>/<cid>/gateway[.seqpacket]		the way out of that machine, if
 *						a bridge serves it
 *	\0vsock1/<id>/<cid>/<port>/<dialled>	a client that connect(2) bound
 *						by itself
 *	\0vsock1/<id>/<cid>/<port>/<dialled>/<link>
 *						a bridge's, for a client of
 *						another machine (ports.h)
 *
 * A path is recognised by its last two components, never by its prefix: the
 * directory may be reached by two paths. `1` is the format, <id> the 64-bit
 * number of the machine's directory, in hexadecimal; so is <link>, never 0.
 */
#ifndef CORE_NAME_H
#define CORE_NAME_H

#include "core/addr.h"

#include <sys/un.h>

enum name_kind {
	NAME_NONE, /* no name, or none of ours */
	NAME_PATH, /* bound by bind(2); accepted sockets show their listener's
		    */
	NAME_AUTO, /* bound by connect(2) */
	NAME_GATEWAY,
};

struct name {
	enum name_kind kind;
	uint32_t cid; /* the machine that it is on */
	uint32_t port;
	uint32_t bound;	  /* PATH: the CID it is bound to, or VMADDR_CID_ANY */
	uint32_t dialled; /* AUTO: the CID that connect(2) was given */
	uint64_t link;	  /* AUTO: a bridge's number for it; else 0 */
	bool dgram;	  /* PATH: a SOCK_DGRAM */
	bool seqpacket;	  /* GATEWAY: for SOCK_SEQPACKET, not SOCK_STREAM */
};

/* The longest "/<cid>/<port>@<own>.vsock", with its NUL. */
#define NAME_PATH_MAX (1 + 10 + 1 + 10 + 1 + 10 + 6 + 1)

/* What the @len bytes of a sockaddr_un, as the kernel returned them, say. */
struct name name_decode(const struct sockaddr_un *un, socklen_t len);

/*
 * Writes the path of @n, a NAME_PATH or NAME_GATEWAY, below @prefix with its
 * NUL into the @size bytes at @buf. Returns its length, or -ENAMETOOLONG.
 */
int name_path(char *buf, size_t size, const char *prefix, const struct name *n);

/* Writes an auto-bound client's name; returns the address length. */
socklen_t name_auto(struct sockaddr_un *un, uint64_t id, uint32_t cid,
		    uint32_t port, uint32_t dialled);

/* Puts @link behind that, which has @len bytes. */
socklen_t name_link(struct sockaddr_un *un, socklen_t len, uint64_t link);

/* One line of /proc/net/unix shows an auto-bound client's name behind this. */
#define NAME_AUTO_PREFIX_MAX (1 + 7 + 16 + 1 + 10 + 1 + 10 + 1 + 1)
int name_auto_prefix(char *buf, uint64_t id, uint32_t cid, uint32_t port);

/* The CID by which machine @own sees who has no vsock address. */
uint32_t name_stranger(uint32_t own);

/*
 * The two ends of a socket that accept(2) made, from the names of it and of its
 * peer. @dialled: what a client on the same machine dialled.
 */
void name_accepted(const struct name *own, const struct name *peer,
		   uint32_t dialled, struct sockaddr_vm *ret_local,
		   struct sockaddr_vm *ret_remote);

#endif
