/* SPDX-License-Identifier: MIT */
/* core/addr: what bind(2) and connect(2) take, and decimals. */
#include "core/addr.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

static bool scans(const char *s, uint32_t want, const char *rest)
{
	const char *p = s;
	uint32_t v = 0;

	return addr_scan_u32(&p, s + strlen(s), &v) && v == want &&
	       strcmp(p, rest) == 0;
}

static bool scans_not(const char *s)
{
	const char *p = s;
	uint32_t v;

	return !addr_scan_u32(&p, s + strlen(s), &v) && p == s;
}

int main(void)
{
	struct sockaddr_vm vm = addr_vm(3, 1234);
	char buf[ADDR_U32_MAX];

	ok(addr_check(&vm, sizeof(vm)) == 0, "a plain address is taken");
	ok(addr_check(&vm, sizeof(vm) - 1) == -EINVAL, "a short one is not");
	vm.svm_flags = VMADDR_FLAG_TO_HOST;
	ok(addr_check(&vm, sizeof(vm)) == 0, "TO_HOST is a flag");
	vm.svm_flags = 2;
	ok(addr_check(&vm, sizeof(vm)) == -EINVAL, "there is no other");
	vm = addr_vm(3, 1234);
	memset(vm.svm_zero, 0xff, sizeof(vm.svm_zero));
	vm.svm_reserved1 = 0xffff;
	ok(addr_check(&vm, sizeof(vm)) == 0,
	   "reserved bytes are not looked at");
	vm.svm_family = AF_UNIX;
	ok(addr_check(&vm, sizeof(vm)) == -EINVAL, "another family is refused");

	ok(scans("0", 0, "") && scans("7x", 7, "x") &&
		   scans("4294967295/", UINT32_MAX, "/"),
	   "decimals of 32 bits are scanned");
	ok(scans_not("") && scans_not("-1") && scans_not("+1") &&
		   scans_not(" 1") && scans_not("01") && scans_not("x"),
	   "signs, spaces and leading zeros are not");
	ok(scans_not("4294967296") && scans_not("99999999999999999999999"),
	   "more than 32 bits are not");

	ok(addr_put_u32(buf, 0) == buf + 1 && buf[0] == '0', "0 is put");
	ok(addr_put_u32(buf, UINT32_MAX) == buf + 10 &&
		   memcmp(buf, "4294967295", 10) == 0,
	   "the largest is put");
	return done();
}
