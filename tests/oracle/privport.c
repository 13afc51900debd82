/* SPDX-License-Identifier: MIT */
/* What takes rights: ports below 1024, and a socket's network namespace. To be
 * run as root. */
#include "oracle.h"

#include <sched.h>

#include <linux/sockios.h>

#define NOBODY 65534

static void privileged(void)
{
	int s = vsock();

	FACT("root_0", bind(s, vm(ANY, 0), 16));
	FACT_ADDR("root_0_name", getsockname(s, ADDR));
	FACT("root_0_again", bind(s, vm(ANY, 5000), 16));
	FACT("root_0_listen", listen(s, 1));
	close(s);
	FACT_FRESH("root_1", bind(fresh, vm(ANY, 1), 16));
	FACT_FRESH("root_1023_own", bind(fresh, vm(1, 1023), 16));
	s = vsock();
	FACT_FD("root_namespace", ioctl(s, SIOCGSKNS));
}

static void root_elsewhere(int open_one)
{
	FACT("userns", unshare(CLONE_NEWUSER));
	FACT_FRESH("userns_1023", bind(fresh, vm(ANY, 1023), 16));
	FACT("userns_namespace", ioctl(open_one, SIOCGSKNS));
}

static void unprivileged(int open_one)
{
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
	FACT_FRESH("nobody_0", bind(fresh, vm(ANY, 0), 16));
	FACT_FRESH("nobody_80", bind(fresh, vm(ANY, 80), 16));
	FACT_FRESH("nobody_80_own", bind(fresh, vm(1, 80), 16));
	FACT_FRESH("nobody_1023", bind(fresh, vm(ANY, 1023), 16));
	/* The order of errors: machine, then right, then clash. */
	FACT_FRESH("nobody_foreign_cid", bind(fresh, vm(99, 80), 16));
	FACT_FRESH("nobody_busy", bind(fresh, vm(ANY, 22), 16));
	FACT_FRESH("nobody_len_15", bind(fresh, vm(ANY, 80), 15));
	/* A socket made and bound before is as before. */
	FACT("nobody_inherited_bind", bind(open_one, vm(ANY, 80), 16));
	FACT_ADDR("nobody_inherited_name", getsockname(open_one, ADDR));
}

int main(void)
{
	int s;

	oracle_start();
	privileged();
	s = bound(ANY, 22);
	IN_CHILD(root_elsewhere(s));
	IN_CHILD(unprivileged(s));
	return 0;
}
