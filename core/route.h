/* SPDX-License-Identifier: MIT */
/*
 * Which CIDs a machine has and where a connect goes, as on a Linux kernel of
 * its kind. Pure.
 *
 *	CID 1	only the loopback transport (vsock_loopback)
 *	CID 2	a host: vhost_vsock and loopback
 *	N >= 3	a guest: virtio with CID N, and loopback
 */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "core/addr.h"

enum route {
	ROUTE_LOCAL,  /* this machine, by the loopback transport */
	ROUTE_PEER,   /* another machine */
	ROUTE_NODEV,  /* no transport leads there: ENODEV, nothing is bound */
	ROUTE_ABSENT, /* vhost_vsock takes it, and has no such guest: ENODEV */
	ROUTE_SILENT, /* a transport takes it and nobody answers: ETIMEDOUT */
};

/* May a socket on machine @own be bound to @cid (vsock_find_cid())? */
bool route_may_bind(uint32_t own, uint32_t cid);

/*
 * Where machine @own sends a connect to @cid with svm_flags @flags
 * (vsock_assign_transport()); the machine it ends at in *@ret.
 */
enum route route_connect(uint32_t own, uint32_t cid, uint8_t flags,
			 uint32_t *ret);

/*
 * What becomes of a connect to machine @to of which no directory exists: a
 * guest always has its host, a host knows its guests, and a guest cannot tell
 * that a sibling is missing.
 */
enum route route_absent(uint32_t own, uint32_t to);

/* The CID that machine @own's packets come from on @route. */
uint32_t route_source(uint32_t own, enum route route);

#endif
