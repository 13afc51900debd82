/* SPDX-License-Identifier: MIT */
/* vsock addresses: see addr.h. */
#include "core/addr.h"

#include <errno.h>
#include <string.h>

int addr_check(const void *addr, size_t len)
{
	struct sockaddr_vm vm;

	if (len < sizeof(vm))
		return -EINVAL;
	memcpy(&vm, addr, sizeof(vm));
	if (vm.svm_family != AF_VSOCK ||
	    (vm.svm_flags & ~VMADDR_FLAG_TO_HOST) != 0)
		return -EINVAL;
	return 0;
}

struct sockaddr_vm addr_vm(uint32_t cid, uint32_t port)
{
	return (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
}

bool addr_scan_u32(const char **s, const char *end, uint32_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	while (p < end && *p >= '0' && *p <= '9' && v <= UINT32_MAX)
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (p == *s || v > UINT32_MAX || (**s == '0' && p - *s > 1))
		return false;
	*s = p;
	*ret = (uint32_t)v;
	return true;
}

char *addr_put_u32(char *p, uint32_t v)
{
	char digits[ADDR_U32_MAX];
	int n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}
