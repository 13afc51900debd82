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

/* The bulk row's unit: one write. */
#define BLOCK_SIZE  65536
#define MAX_SAMPLES 10000

/* What a row compares: its subject to one or two baselines. */
enum side {
	SIDE_SUBJECT,
	SIDE_BASE,
	SIDE_BASE_SNDBUF,
	N_SIDES,
};

/*
 * A row is measured in rounds. For each round every side is a process of its
 * own, and they live at the same time and take turns of one slice.
 */
struct opts {
	const char *lib;
	const char *empty;
	const char *dir;
	unsigned int rounds;
	unsigned int slices;
	unsigned int ms;
	bool json;
	bool selftest;
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
	const char *name;
	const char *what;
	const char *unit;
	/* One slice of one side; .n is 0 if it cannot be had here. */
	struct figure (*slice)(const struct row *row, enum side side,
			       const struct opts *o, struct runner *r);
	/* What may be missing here. */
	const char *needs;
	/* A job of round.c, which the sides' processes run. */
	const char *job;
	/* What the table shows: n / cost, or cost / n, times this. */
	double scale;
	/* The worst ratio that will do, and the one that is hoped for. */
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
	/* There is a second baseline: AF_UNIX with our size of buffers. */
	bool sndbuf;
	/* The subject is AF_UNIX too, under the preload. */
	bool preloaded_unix;
};

/* Measures and prints the rows that are named, or all. */
void table_run(const struct opts *o, char *const *names);
bool table_has(const char *name);
void table_names(FILE *f);

void runner_start(struct runner *r, const struct row *row, enum side side,
		  const struct opts *o);
struct figure runner_slice(const struct row *row, enum side side,
			   const struct opts *o, struct runner *r);
/* Exits unless both ends found everything as it should be. */
void runner_stop(struct runner *r, const struct row *row);

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
