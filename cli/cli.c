/* SPDX-License-Identifier: MIT */
/* What the subcommands of `vsockshim` share: see cli.h. */
#include "cli/cli.h"

#include "core/addr.h"
#include "core/rdv.h"
#include "core/util.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(int status, const char *format, ...)
{
	va_list ap;

	fputs("vsockshim: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

bool cli_scan_cid(const char **s, uint32_t *ret)
{
	return addr_scan_u32(s, *s + strlen(*s), ret) &&
	       *ret != VMADDR_CID_HYPERVISOR && *ret != VMADDR_CID_ANY;
}

const char *cli_dir(char *buf, size_t size)
{
	const char *dir = getenv("VSOCKSHIM_DIR");

	if (dir)
		return dir;
	return rdv_default_dir(buf, size, getenv("XDG_RUNTIME_DIR"), geteuid())
		       ? buf
		       : NULL;
}

int cli_set_dir(const char *dir)
{
	char path[PATH_MAX], cwd[PATH_MAX], here[PATH_MAX];

	if (*dir == '\0')
		return cli_fail(EXIT_USAGE, "--dir: is empty");
	if (*dir != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return cli_fail(EXIT_USAGE, "--dir %s: %s", dir,
					strerror(errno));
		if (!util_join(here, sizeof(here), cwd, "/") ||
		    !util_join(path, sizeof(path), here, dir))
			return cli_fail(EXIT_USAGE, "--dir %s: is too long",
					dir);
		dir = path;
	}
	setenv("VSOCKSHIM_DIR", dir, 1);
	return 0;
}
