/* SPDX-License-Identifier: MIT */
/* bridge/vhost: paths that are no vhost-vsock device. */
#include "bridge/vhost.h"

#include "tests/unit/tap.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static void fails(const char *path, int err, const char *want)
{
	int r, before = open_fds();
	const char *why = "";
	struct vhost v;

	r = vhost_open(&v, path, 3, 8, 100, &why);
	ok(r == -err && strcmp(why, want) == 0 && v.fd == -1 && !v.mem,
	   "%s: %s", path, want);
	ok(open_fds() == before, "and nothing stays open");
}

int main(void)
{
	fails("/nonexistent/device", ENOENT,
	      "there is no such device; modprobe vhost_vsock makes "
	      "/dev/vhost-vsock");
	fails("/dev/null", ENODEV, "is not a vhost-vsock device");
	fails("/", EISDIR, "cannot be opened");
	return done();
}
