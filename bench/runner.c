/* SPDX-License-Identifier: MIT */
/*
 * The process of one side in one round: this program once more, with or
 * without a preload.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 5000

const struct way *way_of(const struct row *row, enum side side,
			 const struct opts *o)
{
	return row->ways[o->selftest ? SIDE_BASE : side];
}

const char *preload_of(const struct way *way, const struct opts *o)
{
	switch (way->preload) {
	case PRELOAD_EMPTY:
		return o->empty;
	case PRELOAD_SHIM:
		return o->lib;
	case PRELOAD_WRAPPER:
		return o->wrapper;
	default:
		return NULL;
	}
}

/* In the child: never returns. */
static void become(const struct row *row, enum side side, const struct opts *o)
{
	const struct way *way = way_of(row, side, o);
	const char *preload = preload_of(way, o);
	char numbers[5][16];
	const char *argv[] = {
		"bench",    "--round",	 row->job,
		"--family", way->family, "--ms",
		numbers[0], "--port",	 numbers[1],
		"--type",   numbers[2],	 "--size",
		numbers[3], "--conns",	 numbers[4],
		"--dir",    o->dir,	 way->sndbuf ? "--sndbuf" : NULL,
		NULL,
	};
	const unsigned int values[] = {
		o->ms,
		FIRST_PORT + side,
		row->type ? (unsigned int)row->type : SOCK_STREAM,
		row->size,
		way->conns ? way->conns : row->conns,
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%u", values[i]);
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	if (way->preload == PRELOAD_WRAPPER)
		setenv("SOCKET_WRAPPER_DIR", o->dir, 1);
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

/* Where nothing refuses the kernel's own vsock: is it the shim's that is used?
 */
static void must_meet(enum side side, const struct opts *o)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/v/2/%u.vsock", o->dir,
		 FIRST_PORT + side);
	if (access(path, F_OK) < 0)
		die("%s: not the shim's socket: %s", path, strerror(errno));
}

struct figure runner_slice(const struct row *row, enum side side,
			   const struct opts *o, struct runner *r)
{
	struct figure f;
	char line[128];

	if (write(r->to, "", 1) != 1 || !fgets(line, sizeof(line), r->from) ||
	    sscanf(line, "%lf %lf", &f.n, &f.cost) != 2 || f.n <= 0)
		die("%s: broken", row->name);
	if (o->kernel && way_of(row, side, o)->preload == PRELOAD_SHIM)
		must_meet(side, o);
	return f;
}

void runner_stop(struct runner *r, const struct row *row, FILE *out)
{
	char line[128];
	int status;

	close(r->to);
	while (fgets(line, sizeof(line), r->from))
		if (out)
			fputs(line, out);
	fclose(r->from);
	if (waitpid(r->pid, &status, 0) != r->pid || status)
		die("%s: broken at its end", row->name);
}
