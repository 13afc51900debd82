/* SPDX-License-Identifier: MIT */
/*
 * The data of the graphs: for each way to compare a block of two columns, and
 * the way's name above it.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_data(const struct opts *o, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", o->plot, name);
	f = fopen(path, "we");
	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void close_data(FILE *f)
{
	if (fclose(f) != 0)
		die("the data of the graphs: %s", strerror(errno));
}

static void run(const struct row *row, const struct opts *o,
		unsigned int rounds, unsigned int slices, FILE *out)
{
	fprintf(stderr, "bench: %s, %u B\n", row->name, row->size);
	if (!measure(row, o, rounds, slices, out))
		die("%s: no libsocket-wrapper here", row->name);
}

/* Writes of 1 B to 1 MiB: MiB/s. */
static void throughput(const struct opts *o)
{
	enum { SIZES = 11 };
	static double median[N_SIDES][SIZES], values[MAX_SAMPLES];
	unsigned int n = o->rounds * o->slices;
	FILE *f = open_data(o, "throughput");

	for (unsigned int i = 0; i < SIZES; i++) {
		struct row row = { .name = "throughput",
				   .job = "bulk",
				   .size = 1u << 2 * i,
				   .conns = 1 };

		row.scale = (double)row.size / MIB;
		memcpy(row.ways, plot_ways, sizeof(row.ways));
		run(&row, o, o->rounds, o->slices, NULL);
		for (unsigned int s = 0; s < N_SIDES; s++) {
			for (unsigned int k = 0; k < n; k++)
				values[k] = shown(&row, samples_of(s)[k]);
			sort(values, n);
			median[s][i] = quantile(values, n, 0.5);
		}
	}
	for (unsigned int s = 0; s < N_SIDES; s++) {
		fprintf(f, "\n\n\"%s\"\n", plot_ways[s]->name);
		for (unsigned int i = 0; i < SIZES; i++)
			fprintf(f, "%u %.9f\n", 1u << 2 * i, median[s][i]);
	}
	close_data(f);
}

/* What share of the round trips of 64 B takes how many microseconds. */
static void latency(const struct opts *o)
{
	struct row row = {
		.name = "latency", .job = "latency", .size = 64, .conns = 1
	};
	FILE *f = open_data(o, "latency");

	memcpy(row.ways, plot_ways, sizeof(row.ways));
	run(&row, o, 1, o->rounds * o->slices, f);
	close_data(f);
}

void plot_run(const struct opts *o)
{
	throughput(o);
	latency(o);
}
