/* SPDX-License-Identifier: MIT */
/*
 * vsock addresses: struct sockaddr_vm as bind(2) and connect(2) take it.
 * Pure: bytes in, bytes out.
 */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

/* Ports up to this one need CAP_NET_BIND_SERVICE (LAST_RESERVED_PORT). */
#define ADDR_LAST_RESERVED 1023u

struct vaddr {
	uint32_t cid;
	uint32_t port;
};

/*
 * Is it an address that bind(2) and connect(2) take? @addr has @len readable
 * bytes. 0, or -EINVAL for a short one, another family, or flags other than
 * VMADDR_FLAG_TO_HOST; svm_reserved1 and svm_zero may hold anything
 * (vsock_addr_validate()).
 */
int addr_check(const void *addr, size_t len);

/* {cid, port}, the rest zero. */
struct sockaddr_vm addr_vm(uint32_t cid, uint32_t port);

/*
 * Parses an unsigned decimal of 32 bits, without sign or leading zeros, that
 * begins at *@s; moves *@s behind it. False, and *@s unmoved, if there is none.
 */
bool addr_scan_u32(const char **s, const char *end, uint32_t *ret);

/*
 * Writes @v in decimal at @p, without a terminating NUL. Returns the end.
 * ADDR_U32_MAX bytes are enough.
 */
#define ADDR_U32_MAX 10
char *addr_put_u32(char *p, uint32_t v);

#endif
