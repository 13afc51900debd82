/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's command line, and what its parts have in common. Everything
 * runs on one CPU: across two, waking the other one costs ten times what is
 * measured here, and swings.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Children inherit it. */
static void pin(void)
{
	cpu_set_t all, one;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		die("sched_getaffinity: %s", strerror(errno));
	while (cpu > 0 && !CPU_ISSET(cpu, &all))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("sched_setaffinity: %s", strerror(errno));
}

static void make_dirs(const char *dir)
{
	static const char *const names[] = { "u", "u/2", "v" };
	char path[4096];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (mkdir(path, 0700) < 0)
			die("%s: %s", path, strerror(errno));
	}
	setenv("VSOCKSHIM_DIR", path, 1);
}

/* As many descriptors as there may be. */
static unsigned int raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("getrlimit: %s", strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("setrlimit: %s", strerror(errno));
	return limit.rlim_cur > UINT_MAX ? UINT_MAX
					 : (unsigned int)limit.rlim_cur;
}

/*
 * Elsewhere an AF_VSOCK socket could be that of a virtual machine: User-Mode
 * Linux has none, and tests/guest marks the kernels that it boots.
 */
static void must_be_guest(void)
{
	static const char *const signs[][2] = {
		{ "/proc/cpuinfo", "User Mode Linux" },
		{ "/proc/cmdline", "vsockshim.guest" },
	};
	char line[1024];

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		FILE *f = fopen(signs[i][0], "re");
		bool found = false;

		while (f && !found && fgets(line, sizeof(line), f))
			found = strstr(line, signs[i][1]);
		if (f)
			fclose(f);
		if (found)
			return;
	}
	die("this kernel's vsock may be somebody's");
}

static unsigned int parse_number(const char *s, unsigned int min,
				 unsigned int max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (end == s || *end || n < min || n > max)
		die("%s: not a number from %u to %u", s, min, max);
	return (unsigned int)n;
}

static _Noreturn void usage(int status)
{
	FILE *f = status ? stderr : stdout;

	fputs("usage: bench/run [--quick] [--check] [--json] [--selftest]\n"
	      "                 [--rounds N] [--slices N] [--ms N] [--kernel]\n"
	      "                 [ROW...]\n"
	      "       bench/run [...] --plot DIRECTORY\n"
	      "--check fails if a row falls short of what it must be, or was\n"
	      "not measured. --selftest compares the baselines to "
	      "themselves,\n"
	      "--kernel the shim to a kernel's own vsock, in User-Mode Linux;\n"
	      "--plot writes the data of the graphs. Rows, those of --kernel "
	      "last:",
	      f);
	table_names(f);
	exit(status);
}

/* Returns the index of the first ROW. */
static int parse(int argc, char **argv, struct opts *o,
		 struct round_opts *round)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'C' },
		{ "conns", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		{ "empty", required_argument, NULL, 'e' },
		{ "family", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "kernel", no_argument, NULL, 'k' },
		{ "lib", required_argument, NULL, 'l' },
		{ "ms", required_argument, NULL, 'm' },
		{ "plot", required_argument, NULL, 'P' },
		{ "port", required_argument, NULL, 'p' },
		{ "quick", no_argument, NULL, 'q' },
		{ "round", required_argument, NULL, 'r' },
		{ "rounds", required_argument, NULL, 'R' },
		{ "selftest", no_argument, NULL, 't' },
		{ "size", required_argument, NULL, 'S' },
		{ "slices", required_argument, NULL, 's' },
		{ "sndbuf", no_argument, NULL, 'b' },
		{ "type", required_argument, NULL, 'T' },
		{ "wrapper", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			round->sndbuf = true;
			break;
		case 'C':
			o->check = true;
			break;
		case 'c':
			round->conns = parse_number(optarg, 0, MAX_CONNS);
			break;
		case 'd':
			o->dir = optarg;
			break;
		case 'e':
			o->empty = optarg;
			break;
		case 'f':
			round->family = optarg;
			break;
		case 'h':
			usage(0);
		case 'j':
			o->json = true;
			break;
		case 'k':
			o->kernel = true;
			break;
		case 'l':
			o->lib = optarg;
			break;
		case 'm':
			o->ms = parse_number(optarg, 1, 1000);
			break;
		case 'P':
			o->plot = optarg;
			break;
		case 'p':
			round->port = parse_number(optarg, 1, 65535);
			break;
		case 'q':
			o->rounds = 2;
			o->slices = 5;
			break;
		case 'r':
			round->job = optarg;
			break;
		case 'R':
			o->rounds = parse_number(optarg, 1, 100);
			break;
		case 'S':
			round->size = parse_number(optarg, 0, MAX_SIZE);
			break;
		case 's':
			o->slices = parse_number(optarg, 1, MAX_SAMPLES / 100);
			break;
		case 'T':
			round->type = parse_number(optarg, 1, 16);
			break;
		case 't':
			o->selftest = true;
			break;
		case 'w':
			o->wrapper = optarg;
			break;
		default:
			usage(2);
		}
	}
	return optind;
}

int main(int argc, char **argv)
{
	struct opts o = { .rounds = 10, .slices = 20, .ms = 10 };
	struct round_opts round = { .family = "unix" };
	char **names = argv + parse(argc, argv, &o, &round);

	if (!o.dir)
		die("start it with bench/run");
	if (round.job) {
		round.dir = o.dir;
		round.ms = o.ms;
		return round_run(&round);
	}
	for (char **name = names; *name; name++) {
		if (!table_has(*name)) {
			fprintf(stderr, "bench: %s: no such row\n", *name);
			usage(2);
		}
	}
	if (o.kernel)
		must_be_guest();
	pin();
	o.fds = raise_limit();
	make_dirs(o.dir);
	signal(SIGPIPE, SIG_IGN);
	if (o.plot)
		plot_run(&o);
	else if (!table_run(&o, names) && o.check)
		return 1;
	return 0;
}
