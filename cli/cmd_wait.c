/* SPDX-License-Identifier: MIT */
/*
 * vsockshim wait: ends when somebody listens on a port of a machine. Looks
 * again and again, as listen(2) leaves no trace that one could sleep on.
 */
#include "cli/cli.h"

#include "core/rdv.h"
#include "core/util.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EXIT_TIMEOUT	1
#define DEFAULT_TIMEOUT "10"
#define INTERVAL_NS	(5L * 1000 * 1000)

static const char help[] =
	"usage: vsockshim wait [OPTIONS] CID:PORT\n\n"
	"Returns when a program listens on PORT of machine CID (its "
	"VSOCKSHIM_CID),\n"
	"without connecting to it.\n\n"
	"  --timeout S  give up after S seconds (default " DEFAULT_TIMEOUT
	"), which may have a\n"
	"               fraction; 0 looks once\n"
	"  --dir DIR    the rendezvous directory (default: VSOCKSHIM_DIR, as "
	"for any\n"
	"               program)\n"
	"  -h, --help   this text\n\n"
	"Exit status: 0 somebody listens, 1 nobody did in time, 2 bad usage.\n";

struct target {
	struct machine machine;
	uint32_t port;
	const char *timeout; /* in seconds, as it was given */
};

static bool scan_timeout(const char *s, double *ret)
{
	char *end;

	if (strspn(s, "0123456789.") != strlen(s))
		return false;
	*ret = strtod(s, &end);
	return end != s && *end == '\0' && *ret < 1e9;
}

/* CID:PORT */
static bool scan_target(const char *s, struct target *t)
{
	return cli_scan_cid(&s, &t->machine.cid) && *s++ == ':' &&
	       addr_scan_u32(&s, s + strlen(s), &t->port) && *s == '\0' &&
	       t->port != VMADDR_PORT_ANY;
}

/* What is missing for somebody to listen there. */
static const char *missing(const struct machine *m, int r)
{
	char path[PATH_MAX], cid[1 + ADDR_U32_MAX + 1] = "/";
	struct stat st;

	switch (r) {
	case -ENOENT:
		*addr_put_u32(cid + 1, m->cid) = '\0';
		if (m->sys->stat(m->dir, &st) < 0)
			return "there is no such directory";
		if (util_join(path, sizeof(path), m->dir, cid) &&
		    m->sys->stat(path, &st) < 0)
			return "there is no such machine";
		return "nothing is bound to that port";
	case -ECONNREFUSED:
		return "what is bound to that port does not listen";
	case -ENOTSOCK:
		return "what is there is no socket";
	default:
		return strerror(-r);
	}
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int wait_for(const struct target *t, double seconds)
{
	const struct machine *m = &t->machine;
	int64_t left, end = now() + (int64_t)(seconds * 1e9);
	struct timespec pause = { 0 };
	int r;

	while ((r = rdv_listens(m, t->port)) < 0) {
		left = end - now();
		if (left <= 0)
			return cli_fail(EXIT_TIMEOUT,
					"nobody listens at %u:%u in %s after "
					"%s s: %s",
					m->cid, t->port, m->dir, t->timeout,
					missing(m, r));
		pause.tv_nsec = left < INTERVAL_NS ? (long)left : INTERVAL_NS;
		m->sys->sleep(&pause);
	}
	return 0;
}

int cmd_wait(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "dir", required_argument, NULL, 'd' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	struct target t = { .machine = { .sys = &sys_kernel },
			    .timeout = DEFAULT_TIMEOUT };
	char dir[PATH_MAX], name[] = "vsockshim";
	double seconds;
	int c, r;

	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		if (c == 't') {
			t.timeout = optarg;
		} else if (c == 'd') {
			r = cli_set_dir(optarg);
			if (r)
				return r;
		} else {
			return cli_other_option(c, help);
		}
	}
	if (!scan_timeout(t.timeout, &seconds))
		return cli_fail(EXIT_USAGE, "--timeout %s: takes seconds",
				t.timeout);
	if (optind + 1 != argc)
		return cli_fail(EXIT_USAGE, "wait: takes one CID:PORT; see "
					    "vsockshim wait --help");
	if (!scan_target(argv[optind], &t))
		return cli_fail(EXIT_USAGE,
				"%s: takes CID:PORT, a machine's CID (1 to "
				"4294967294) and a port (0 to 4294967294)",
				argv[optind]);
	r = cli_need_dir(dir, sizeof(dir), &t.machine.dir);
	return r ? r : wait_for(&t, seconds);
}
