/* SPDX-License-Identifier: MIT */
/* The start of `true` under the preload, against that of an empty library. */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *preload(const struct row *row, enum side side,
			   const struct opts *o)
{
	return preload_of(way_of(row, side, o), o);
}

struct figure start_instructions(const struct row *row, enum side side,
				 const struct opts *o, struct runner *r)
{
	static const char *const command =
		"command -v valgrind >/dev/null || exit 0\n"
		"LD_PRELOAD='%s' exec valgrind --tool=callgrind "
		"--callgrind-out-file=/dev/null true 2>&1";
	static const char label[] = "Collected : ";
	struct figure f = { .n = 0 };
	char line[4096];
	FILE *pipe;

	(void)r;
	if ((size_t)snprintf(line, sizeof(line), command,
			     preload(row, side, o)) >= sizeof(line))
		die("%s: too long", preload(row, side, o));
	pipe = popen(line, "re");
	if (!pipe)
		die("popen: %s", strerror(errno));
	while (fgets(line, sizeof(line), pipe)) {
		const char *s = strstr(line, label);

		if (!s)
			continue;
		f.n = 1;
		f.cost = strtod(s + strlen(label), NULL);
	}
	if (pclose(pipe) != 0)
		die("callgrind failed");
	return f;
}

struct figure start_time(const struct row *row, enum side side,
			 const struct opts *o, struct runner *r)
{
	static char name[] = "true";
	static char *const argv[] = { name, NULL };
	char env[4096];
	char *const envp[] = { env, NULL };
	struct figure f = { .n = 0 };
	double start = now();

	(void)r;
	if ((size_t)snprintf(env, sizeof(env), "LD_PRELOAD=%s",
			     preload(row, side, o)) >= sizeof(env))
		die("%s: too long", preload(row, side, o));
	do {
		int status;
		pid_t pid;
		int e = posix_spawnp(&pid, name, NULL, NULL, argv, envp);

		if (e)
			die("true: %s", strerror(e));
		if (waitpid(pid, &status, 0) < 0 || status)
			die("true: failed");
		f.n++;
		f.cost = now() - start;
	} while (f.cost < o->ms * 0.001);
	return f;
}
