/* SPDX-License-Identifier: MIT */
/*
 * vsockshim run: sets the environment and becomes the command, so that pid,
 * signals and exit status are the command's own.
 */
#include "cli/cli.h"

#include "core/rdv.h"
#include "core/util.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char cmd_run_help[] =
	"usage: vsockshim run [OPTIONS] [--] COMMAND [ARGUMENTS]\n\n"
	"Becomes COMMAND, with libvsockshim.so preloaded.\n\n"
	"  --cid N      the machine that it runs on: 1 (loopback only), 2 "
	"(the\n"
	"               host; default), 3 to 4294967294 (a guest)\n"
	"  --dir DIR    the rendezvous directory; machines in one directory "
	"meet\n"
	"  --help       this text\n\n"
	"The options set VSOCKSHIM_CID and VSOCKSHIM_DIR, which otherwise stay "
	"as\n"
	"they are. Exit status: COMMAND's; 2 for bad usage, 126 if COMMAND "
	"cannot\n"
	"be run, 127 if it is not found.\n";

/* The library is beside the command: in the tree, or where it was installed. */
static bool find_library(char *path, size_t size)
{
	static const char *const places[] = { "/libvsockshim.so", LIBDIR_REL };
	char self[PATH_MAX], try[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (util_join(try, sizeof(try), self, places[i]) &&
		    access(try, R_OK) == 0 && realpath(try, path) &&
		    strlen(path) < size)
			return true;
	return false;
}

static int set_option(int option, const char *value)
{
	const char *s = value;
	uint32_t cid;

	switch (option) {
	case 'c':
		if (!cli_scan_cid(&s, &cid) || *s)
			return cli_fail(EXIT_USAGE,
					"--cid %s: takes 1, 2 or 3 to "
					"4294967294",
					value);
		setenv("VSOCKSHIM_CID", value, 1);
		return 0;
	case 'd':
		return cli_set_dir(value);
	default:
		return EXIT_USAGE; /* getopt has said why */
	}
}

/* In front, so that a program's own use of AF_VSOCK meets us first. */
static void set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	char *both;

	if (!old || !*old) {
		setenv("LD_PRELOAD", library, 1);
		return;
	}
	if (strstr(old, library))
		return;
	if (asprintf(&both, "%s:%s", library, old) < 0)
		abort();
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

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cid", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	char library[PATH_MAX], name[] = "vsockshim";
	int c, r;

	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
		r = set_option(c, optarg);
		if (r)
			return r;
	}
	if (optind == argc)
		return cli_fail(EXIT_USAGE, "run: no command given; see "
					    "vsockshim run --help");
	if (!find_library(library, sizeof(library)))
		return cli_fail(EXIT_NOT_RUN,
				"cannot find libvsockshim.so beside the "
				"vsockshim command");
	if (strpbrk(library, " :")) /* LD_PRELOAD would be split there */
		return cli_fail(EXIT_NOT_RUN,
				"%s: cannot be preloaded from a path with a "
				"space or a colon",
				library);
	set_preload(library);
	start_machine();
	execvp(argv[optind], argv + optind);
	r = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
	return cli_fail(r, "%s: %s", argv[optind], strerror(errno));
}
