/* SPDX-License-Identifier: MIT */
/* What the files of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define KIB	    1024u
#define MIB	    (1024 * KIB)
#define MAX_SIZE    MIB	  /* of a write or a message */
#define MAX_CONNS   10000 /* of one process */
#define MAX_PENDING 64	  /* not accepted yet: fewer than the backlog */
#define MAX_SAMPLES 10000

/* A row compares its first side to one or two others; a graph shows four. */
enum side {
	SIDE_SUBJECT,
	SIDE_BASE,
	SIDE_BASE_SNDBUF,
	N_SIDES = 4,
};

enum preload {
	PRELOAD_NONE,
	PRELOAD_EMPTY,
	PRELOAD_SHIM,
	PRELOAD_WRAPPER,
};

/* What can be compared: sockets of a family, under a preload. */
struct way {
	const char *name;
	const char *family;
	enum preload preload;
	/* With our size of buffers. */
	bool sndbuf;
	/* So many connections, whatever the row says. */
	unsigned int conns;
};

/*
 * A row is measured in rounds. For each round every side is a process of its
 * own, and they live at the same time and take turns of one slice.
 */
struct opts {
	const char *lib;
	const char *empty;
	/* socket_wrapper, if it is installed. */
	const char *wrapper;
	const char *dir;
	/* Write the data of the graphs there, instead of the table. */
	const char *plot;
	unsigned int rounds;
	unsigned int slices;
	unsigned int ms;
	/* So many descriptors a process may have. */
	unsigned int fds;
	bool json;
	bool selftest;
	/* Fail if a row is not as it must be. */
	bool check;
	/* In a kernel with a vsock of its own: against that. */
	bool kernel;
};

/* One slice: how much was done in how many seconds, or what it cost. */
struct figure {
	double n;
	double cost;
};

/* A side's process, where it has one. */
struct runner {
	pid_t pid;
	int to;
	FILE *from;
};

struct row {
	/* The heading above it, if it is the first below that. */
	const char *group;
	const char *name;
	const char *what;
	/* NULL: per second. */
	const char *unit;
	const struct way *ways[N_SIDES];
	/*
	 * One slice of one side; .n is 0 if it cannot be had here. NULL: a
	 * process for each side does it.
	 */
	struct figure (*slice)(const struct row *row, enum side side,
			       const struct opts *o, struct runner *r);
	/* What may be missing here. */
	const char *needs;
	/* A job of round.h, which those processes run, and its terms. */
	const char *job;
	int type;
	unsigned int size;
	unsigned int conns;
	/* So many descriptors it takes. */
	unsigned int fds;
	/* What the table shows: n / cost, or cost / n, times this, or 1. */
	double scale;
	/* The worst ratio that will do, if any, and the one hoped for. */
	double must;
	double aim;
	/*
	 * Slices that last so many times as long, and are as many times fewer:
	 * what the kernel does later falls into the slice that caused it.
	 */
	unsigned int longer;
	/* Less is better. */
	bool costs;
	/* One slice says it all. */
	bool exact;
	/* One slice of costs says it all: not the ratio, the difference. */
	bool difference;
	/* One of the rows of opts.kernel. */
	bool kernel;
};

extern const struct row rows[];
extern const size_t n_rows;
/* What the graphs show. */
extern const struct way *const plot_ways[N_SIDES];

/*
 * Measures and prints the rows that are named, or all. False: one of them falls
 * short of what it must be, or was not measured.
 */
bool table_run(const struct opts *o, char *const *names);
bool table_has(const char *name);
void table_names(FILE *f);

/* Draws nothing, but writes what is to be drawn into the directory o->plot. */
void plot_run(const struct opts *o);

/*
 * Slices of every side, in samples_of(); false if it cannot be measured here.
 * What the sides' processes print at their end goes to @out, if that is given,
 * each under the name of its way.
 */
bool measure(const struct row *row, const struct opts *o, unsigned int rounds,
	     unsigned int slices, FILE *out);
const struct figure *samples_of(enum side side);
/* As the table shows it. */
double shown(const struct row *row, struct figure f);
void sort(double *v, unsigned int n);
/* Of @n sorted values, the one below which the share @q lies. */
double quantile(const double *v, unsigned int n, double q);

const struct way *way_of(const struct row *row, enum side side,
			 const struct opts *o);
/* NULL: none, or it is not installed. */
const char *preload_of(const struct way *way, const struct opts *o);
void runner_start(struct runner *r, const struct row *row, enum side side,
		  const struct opts *o);
struct figure runner_slice(const struct row *row, enum side side,
			   const struct opts *o, struct runner *r);
/* Exits unless both ends found everything as it should be. */
void runner_stop(struct runner *r, const struct row *row, FILE *out);

struct figure start_instructions(const struct row *row, enum side side,
				 const struct opts *o, struct runner *r);
struct figure start_time(const struct row *row, enum side side,
			 const struct opts *o, struct runner *r);

/* A runner's own work: see round.c. */
struct round_opts {
	const char *job;
	const char *family;
	const char *dir;
	unsigned int port;
	unsigned int ms;
	unsigned int type;
	unsigned int size;
	unsigned int conns;
	bool sndbuf;
};

/*
 * For each byte from standard input does one slice and prints "<operations>
 * <seconds>". Returns 0, or 1 where something is broken or data was lost.
 */
int round_run(const struct round_opts *o);

double now(void);
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
