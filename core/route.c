/* SPDX-License-Identifier: MIT */
/* Which CIDs a machine has and where a connect goes: see route.h. */
#include "core/route.h"

static bool is_guest(uint32_t cid)
{
	return cid > VMADDR_CID_HOST && cid != VMADDR_CID_ANY;
}

bool route_may_bind(uint32_t own, uint32_t cid)
{
	return cid == VMADDR_CID_ANY || cid == VMADDR_CID_LOCAL || cid == own;
}

enum route route_connect(uint32_t own, uint32_t cid, uint8_t flags,
			 uint32_t *ret)
{
	*ret = own;
	if (cid == VMADDR_CID_LOCAL || cid == own)
		return ROUTE_LOCAL;
	/* Without a way to a host, CID 2 is this machine. */
	if (cid == VMADDR_CID_HOST && !is_guest(own))
		return ROUTE_LOCAL;
	*ret = cid;
	if (is_guest(own))
		return cid == VMADDR_CID_HOST || is_guest(cid) ? ROUTE_PEER
							       : ROUTE_SILENT;
	if (own != VMADDR_CID_HOST || cid <= VMADDR_CID_HOST ||
	    flags & VMADDR_FLAG_TO_HOST)
		return ROUTE_NODEV;
	return is_guest(cid) ? ROUTE_PEER : ROUTE_ABSENT;
}

enum route route_absent(uint32_t own, uint32_t to)
{
	if (!is_guest(own))
		return ROUTE_ABSENT;
	return to == VMADDR_CID_HOST ? ROUTE_PEER : ROUTE_SILENT;
}

uint32_t route_source(uint32_t own, enum route route)
{
	return route == ROUTE_LOCAL ? VMADDR_CID_LOCAL : own;
}
