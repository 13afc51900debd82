/* SPDX-License-Identifier: MIT */
/*
 * The process of one side in one round: this program once more, with or
 * without the preload.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 5000

static bool preloaded(enum side side, const struct opts *o)
{
	return side == SIDE_SUBJECT && !o->selftest;
}

/* In the child: never returns. */
static void become(const struct row *row, enum side side, const struct opts *o)
{
	bool vsock = preloaded(side, o) && !row->preloaded_unix;
	char ms[16];
	char port[16];
	const char *argv[] = {
		"bench",
		"--round",
		row->job,
		"--family",
		vsock ? "vsock" : "unix",
		"--ms",
		ms,
		"--port",
		port,
		"--dir",
		o->dir,
		side == SIDE_BASE_SNDBUF ? "--sndbuf" : NULL,
		NULL,
	};

	snprintf(ms, sizeof(ms), "%u", o->ms);
	snprintf(port, sizeof(port), "%u", FIRST_PORT + side);
	if (preloaded(side, o))
		setenv("LD_PRELOAD", o->lib, 1);
	execv("/proc/self/exe", (char *const *)argv);
	die("/proc/self/exe: %s", strerror(errno));
}

void runner_start(struct runner *r, const struct row *row, enum side side,
		  const struct opts *o)
{
	int to[2];
	int from[2];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	r->pid = fork();
	if (r->pid < 0)
		die("fork: %s", strerror(errno));
	if (r->pid == 0) {
		if (dup2(to[0], STDIN_FILENO) < 0 ||
		    dup2(from[1], STDOUT_FILENO) < 0)
			die("dup2: %s", strerror(errno));
		become(row, side, o);
	}
	close(to[0]);
	close(from[1]);
	r->to = to[1];
	r->from = fdopen(from[0], "r");
	if (!r->from)
		die("fdopen: %s", strerror(errno));
}

struct figure runner_slice(const struct row *row, enum side side,
			   const struct opts *o, struct runner *r)
{
	struct figure f;
	char line[128];

	(void)side;
	(void)o;
	if (write(r->to, "", 1) != 1 || !fgets(line, sizeof(line), r->from) ||
	    sscanf(line, "%lf %lf", &f.n, &f.cost) != 2 || f.n <= 0)
		die("%s: broken", row->name);
	return f;
}

void runner_stop(struct runner *r, const struct row *row)
{
	int status;

	close(r->to);
	fclose(r->from);
	if (waitpid(r->pid, &status, 0) != r->pid || status)
		die("%s: broken at its end", row->name);
}
