/* SPDX-License-Identifier: MIT */
/*
 * vsockshim run: sets the environment and becomes the command, so that pid,
 * signals and exit status are the command's own.
 */
#include "cli/cli.h"

#include "cli/reach.h"
#include "core/rdv.h"
#include "core/util.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: vsockshim run [OPTIONS] [--] COMMAND [ARGUMENTS]\n\n"
	"Becomes COMMAND, with libvsockshim.so preloaded.\n\n"
	"  --cid N      the machine that it runs on: 1 (loopback only), 2 "
	"(the\n"
	"               host; default), 3 to 4294967294 (a guest)\n"
	"  --dir DIR    the rendezvous directory; machines in one directory "
	"meet\n"
	"  --transport unix|vhost|auto\n"
	"               how it reaches others: by paths (default), as the "
	"guest "
	"of this\n"
	"               kernel's own vsock, or as that if there is a device\n"
	"  -h, --help   this text\n\n"
	"The options set VSOCKSHIM_CID, VSOCKSHIM_DIR and VSOCKSHIM_TRANSPORT, "
	"which\n"
	"otherwise stay as they are. Exit status: COMMAND's; 2 for bad usage, "
	"126 if\n"
	"COMMAND cannot be run, 127 if it is not found.\n";

static int set_option(int option, const char *value)
{
	uint32_t cid;
	int r;

	switch (option) {
	case 'c':
		r = cli_cid(value, &cid);
		if (r == 0)
			setenv("VSOCKSHIM_CID", value, 1);
		return r;
	case 'd':
		return cli_set_dir(value);
	case 't':
		if (strcmp(value, "unix") != 0 && strcmp(value, "vhost") != 0 &&
		    strcmp(value, "auto") != 0)
			return cli_fail(EXIT_USAGE,
					"--transport %s: takes unix, vhost or "
					"auto",
					value);
		setenv("VSOCKSHIM_TRANSPORT", value, 1);
		return 0;
	default:
		return cli_other_option(option, help);
	}
}

/* In front, so that a program's own use of AF_VSOCK meets us first. */
static void set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	char *both;
	size_t n;

	if (!old || !*old) {
		setenv("LD_PRELOAD", library, 1);
		return;
	}
	if (strstr(old, library))
		return;
	n = strlen(library) + strlen(old) + 2;
	both = cli_grow(NULL, 0, n);
	(void)snprintf(both, n, "%s:%s", library, old);
	setenv("LD_PRELOAD", both, 1);
	free(both);
}

/*
 * From now on there is the machine, as a VM is there once it was started: who
 * connects finds a closed port. Of what is wrong with it the library complains,
 * if the command uses AF_VSOCK.
 */
static void start_machine(void)
{
	const char *cid = getenv("VSOCKSHIM_CID"), *why;
	struct machine m = { .sys = &sys_kernel, .cid = VMADDR_CID_HOST };
	char dir[PATH_MAX];

	m.dir = cli_dir(dir, sizeof(dir));
	if (m.dir && (!cid || (cli_scan_cid(&cid, &m.cid) && !*cid)))
		(void)rdv_open(&m, &why);
}

/* Better said here than found out by an errno. */
static void warn(const char *command)
{
	char path[PATH_MAX];
	const char *why;

	if (!reach_find(command, path, sizeof(path)))
		return;
	why = reach_objection(path);
	if (why)
		(void)cli_fail(0, "%s: %s; it has the kernel's vsock, if any",
			       path, why);
}

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cid", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		{ "transport", required_argument, NULL, 't' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	char library[PATH_MAX], name[] = "vsockshim";
	int c, r;

	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		r = set_option(c, optarg);
		if (r)
			return r;
	}
	if (optind == argc)
		return cli_fail(EXIT_USAGE, "run: no command given; see "
					    "vsockshim run --help");
	if (!reach_library(library, sizeof(library)))
		return cli_fail(
			EXIT_NOT_RUN,
			"cannot find libvsockshim.so beside the "
			"vsockshim command; `make install` puts it there");
	if (strpbrk(library, " :")) /* LD_PRELOAD would be split there */
		return cli_fail(EXIT_NOT_RUN,
				"%s: cannot be preloaded from a path with a "
				"space or a colon; install it elsewhere",
				library);
	set_preload(library);
	start_machine();
	warn(argv[optind]);
	execvp(argv[optind], argv + optind);
	r = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
	return cli_fail(r, "%s: %s", argv[optind], strerror(errno));
}
