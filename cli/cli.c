/* SPDX-License-Identifier: MIT */
/* What the subcommands of `vsockshim` share: see cli.h. */
#include "cli/cli.h"

#include "core/addr.h"
#include "core/rdv.h"
#include "core/util.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
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

void cli_say(const char *format, ...)
{
	char line[512] = "vsockshim: ";
	size_t head = strlen(line);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line + head, sizeof(line) - head - 1, format, ap);
	va_end(ap);
	head = strlen(line);
	line[head++] = '\n';
	(void)!write(STDERR_FILENO, line, head);
}

void cli_leave_preload(char **argv)
{
	if (!getenv("LD_PRELOAD"))
		return;
	unsetenv("LD_PRELOAD");
	execv("/proc/self/exe", argv - 1); /* "vsockshim", subcommand, ... */
}

int cli_stop_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void cli_raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

int cli_flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return cli_fail(EXIT_FAILURE, "standard output: %s", strerror(errno));
}

bool cli_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

bool cli_scan_cid(const char **s, uint32_t *ret)
{
	return addr_scan_u32(s, *s + strlen(*s), ret) &&
	       *ret != VMADDR_CID_HYPERVISOR && *ret != VMADDR_CID_ANY;
}

int cli_other_option(int option, const char *help)
{
	if (option != 'h')
		return EXIT_USAGE;
	fputs(help, stdout);
	exit(cli_flushed());
}

int cli_cid(const char *value, uint32_t *ret)
{
	const char *s = value;

	if (cli_scan_cid(&s, ret) && !*s)
		return 0;
	return cli_fail(EXIT_USAGE, "--cid %s: takes 1, 2 or 3 to 4294967294",
			value);
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

int cli_need_dir(char *buf, size_t size, const char **ret)
{
	*ret = cli_dir(buf, size);
	if (!*ret)
		return cli_fail(EXIT_USAGE, "XDG_RUNTIME_DIR: is too long; "
					    "--dir says which directory");
	if (**ret != '/')
		return cli_fail(EXIT_USAGE,
				"VSOCKSHIM_DIR=%s: is not an absolute path; "
				"--dir takes any",
				*ret);
	return 0;
}

/* Leaves an absolute path without "//" and "/.", as all are to spell it. */
static void tidy(char *path)
{
	char *to = path;
	size_t n;

	for (const char *s = path; *s; s += n) {
		n = 1 + strcspn(s + 1, "/");
		if (n == 1 || (n == 2 && s[1] == '.'))
			continue;
		memmove(to, s, n);
		to += n;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

int cli_set_dir(const char *dir)
{
	char path[PATH_MAX], here[PATH_MAX] = "";

	if (*dir == '\0')
		return cli_fail(EXIT_USAGE,
				"--dir: is empty; takes a directory");
	if (*dir != '/' && !getcwd(here, sizeof(here)))
		return cli_fail(EXIT_USAGE, "--dir %s: %s", dir,
				strerror(errno));
	if (snprintf(path, sizeof(path), "%s/%s", here, dir) >= PATH_MAX)
		return cli_fail(EXIT_USAGE,
				"--dir %s: is too long; takes a path of less "
				"than 4096 bytes",
				dir);
	tidy(path);
	setenv("VSOCKSHIM_DIR", path, 1);
	return 0;
}

void *cli_grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1)) /* there is room up to the next power of two */
		return array;
	array = reallocarray(array, n ? n * 2 : 1, size);
	if (!array)
		exit(cli_fail(EXIT_FAILURE, "%s", strerror(errno)));
	return array;
}
