/* SPDX-License-Identifier: MIT */
/* What the environment says: see conf.h. */
#include "conf.h"

#include "core/util.h"
#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum state { UNREAD, READ, GOOD, BAD };

static struct machine machine;
static char dir[PATH_MAX];
static struct stat start_stderr;
static int state;

void conf_complain(const char *name, const char *value, const char *text)
{
	const char *parts[] = { "vsockshim: ", name, "=", value,
				": ",	       text, "\n" };
	char line[512];
	size_t n = 0, m;
	struct stat st;

	if (sys_kernel.fstat(STDERR_FILENO, &st) < 0 ||
	    st.st_dev != start_stderr.st_dev ||
	    st.st_ino != start_stderr.st_ino)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		m = strnlen(parts[i], sizeof(line) - 1 - n);
		memcpy(line + n, parts[i], m);
		n += m;
	}
	line[n - 1] = '\n'; /* also of a line that was cut */
	sys_kernel.write(STDERR_FILENO, line, n);
}

static bool read_cid(uint32_t *ret)
{
	const char *s = secure_getenv("VSOCKSHIM_CID");
	const char *p = s;

	*ret = VMADDR_CID_HOST;
	if (!s)
		return true;
	if (addr_scan_u32(&p, s + strlen(s), ret) && !*p &&
	    *ret != VMADDR_CID_HYPERVISOR && *ret != VMADDR_CID_ANY)
		return true;
	conf_complain("VSOCKSHIM_CID", s,
		      "not a machine's CID: takes 1 (loopback only), 2 (the "
		      "host) or 3 to 4294967294 (a guest)");
	return false;
}

/* Without VSOCKSHIM_DIR: the effective user's own directory. */
static bool default_dir(void)
{
	const char *run = secure_getenv("XDG_RUNTIME_DIR");
	char tmp[sizeof("/tmp/vsockshim-") + ADDR_U32_MAX] = "/tmp/vsockshim-";

	if (run && *run == '/')
		return util_join(dir, sizeof(dir), run, "/vsockshim");
	*addr_put_u32(tmp + strlen(tmp), sys_kernel.geteuid()) = '\0';
	return util_join(dir, sizeof(dir), tmp, "");
}

static bool read_dir(void)
{
	const char *s = secure_getenv("VSOCKSHIM_DIR");

	if (!s ? default_dir() : util_join(dir, sizeof(dir), s, ""))
		return true;
	conf_complain("VSOCKSHIM_DIR", s ? s : "", "is too long");
	return false;
}

/*
 * A directory that is not to be used, or that cannot be, fails every socket;
 * what may pass, or concerns only bind(2), is for the calls that meet it.
 */
static bool usable(int r)
{
	switch (r) {
	case 0:
	case -EACCES: /* dropped privileges: what it has still works */
	case -EROFS:
	case -ENOSPC:
	case -EDQUOT:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* To open the machine may take a while: not under the lock. Who is first to
 * come back with it makes it known. */
static void open_machine(void)
{
	struct machine fresh = machine;
	const char *why;
	sigset_t old;
	int r = rdv_open(&fresh, &why);
	bool first;

	pool_lock(&old);
	first = state == READ;
	if (first) {
		machine = fresh;
		__atomic_store_n(&state, usable(r) ? GOOD : BAD,
				 __ATOMIC_RELEASE);
	}
	pool_unlock(&old);
	if (first && !usable(r))
		conf_complain("VSOCKSHIM_DIR", dir,
			      why ? why : strerrordesc_np(-r));
}

static enum state read_all(void)
{
	sys_kernel.fstat(STDERR_FILENO, &start_stderr);
	machine = (struct machine){ .sys = &sys_kernel, .dir = dir };
	return read_cid(&machine.cid) && read_dir() ? READ : BAD;
}

struct machine *conf_machine(void)
{
	int s = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
	sigset_t old;

	if (s == UNREAD) {
		pool_lock(&old);
		s = state;
		if (s == UNREAD) {
			s = read_all();
			__atomic_store_n(&state, s, __ATOMIC_RELEASE);
		}
		pool_unlock(&old);
	}
	if (s == READ) {
		open_machine();
		s = __atomic_load_n(&state, __ATOMIC_ACQUIRE);
	}
	return s == GOOD ? &machine : NULL;
}

bool conf_dgram(void)
{
	const char *s = secure_getenv("VSOCKSHIM_DGRAM");

	return !s || strcmp(s, "off") != 0;
}
