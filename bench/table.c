/* SPDX-License-Identifier: MIT */
/*
 * The rows, and how they are measured. Every figure is a ratio to the same
 * program on plain AF_UNIX in the same run. A machine's speed changes all the
 * time, with what others do on it: so slices are short, the sides take turns,
 * each slice of the subject is divided by its neighbour, and the median of
 * these ratios counts. A median does not see what is rare, say a stall in one
 * of a hundred slices: the ratio of the sums stands beside it.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

struct result {
	bool skipped;
	enum side base;
	unsigned int samples;
	double base_figure;
	double subject_figure;
	double ratio;
	double low;
	double high;
	double sums;
};

/* A new row is an entry here, and where it needs one, a job in round.c. */
static const struct row rows[] = {
	{
		.name = "connect",
		.what = "connect + accept + close",
		.unit = "/s",
		.slice = runner_slice,
		.job = "connect",
		.scale = 1,
		.longer = 3,
		.sndbuf = true,
		.must = 0.65,
		.aim = 0.75,
	},
	{
		.name = "pingpong",
		.what = "ping-pong, 64 B",
		.unit = "/s",
		.slice = runner_slice,
		.job = "pingpong",
		.scale = 1,
		.sndbuf = true,
		.must = 0.98,
	},
	{
		.name = "bulk",
		.what = "bulk, writes of 64 KiB",
		.unit = "MiB/s",
		.slice = runner_slice,
		.job = "bulk",
		.scale = BLOCK_SIZE / 1048576.0,
		.sndbuf = true,
		.must = 0.98,
	},
	{
		.name = "unix-connect",
		.what = "AF_UNIX preloaded: connect",
		.unit = "/s",
		.slice = runner_slice,
		.job = "connect",
		.scale = 1,
		.longer = 3,
		.preloaded_unix = true,
		.must = 0.99,
	},
	{
		.name = "unix-pingpong",
		.what = "AF_UNIX preloaded: ping-pong",
		.unit = "/s",
		.slice = runner_slice,
		.job = "pingpong",
		.scale = 1,
		.preloaded_unix = true,
		.must = 0.99,
	},
	{
		.name = "start",
		.what = "start of true: instructions",
		.unit = "",
		.slice = start_instructions,
		.needs = "valgrind",
		.scale = 1,
		.costs = true,
		.exact = true,
		.must = 1.05,
	},
	{
		.name = "start-time",
		.what = "start of true: time",
		.unit = "us",
		.slice = start_time,
		.scale = 1e6,
		.costs = true,
		.must = 1.05,
	},
};

static double shown(const struct row *row, struct figure f)
{
	return (row->costs ? f.cost / f.n : f.n / f.cost) * row->scale;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void sort(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), compare);
}

/* Of @n sorted values, the one below which the share @q lies. */
static double quantile(const double *v, unsigned int n, double q)
{
	double at = q * (n - 1);
	unsigned int i = (unsigned int)at;

	return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i];
}

static struct result against(const struct row *row, enum side base,
			     const struct figure *b, const struct figure *s,
			     unsigned int n)
{
	struct result r = { .base = base, .samples = n };
	struct figure b_sum = { 0, 0 };
	struct figure s_sum = { 0, 0 };
	static double bs[MAX_SAMPLES], ss[MAX_SAMPLES], ratios[MAX_SAMPLES];

	for (unsigned int i = 0; i < n; i++) {
		bs[i] = shown(row, b[i]);
		ss[i] = shown(row, s[i]);
		ratios[i] = ss[i] / bs[i];
		b_sum.n += b[i].n;
		b_sum.cost += b[i].cost;
		s_sum.n += s[i].n;
		s_sum.cost += s[i].cost;
	}
	sort(bs, n);
	sort(ss, n);
	sort(ratios, n);
	r.base_figure = quantile(bs, n, 0.5);
	r.subject_figure = quantile(ss, n, 0.5);
	r.ratio = quantile(ratios, n, 0.5);
	r.low = quantile(ratios, n, 0.25);
	r.high = quantile(ratios, n, 0.75);
	r.sums = shown(row, s_sum) / shown(row, b_sum);
	return r;
}

static struct figure samples[N_SIDES][MAX_SAMPLES];

/* The sides take turns, in every order; the first turn warms up. */
static bool run_round(const struct row *row, const struct opts *o,
		      unsigned int n_sides, unsigned int slices,
		      unsigned int first)
{
	struct runner runners[N_SIDES];

	for (unsigned int s = 0; row->job && s < n_sides; s++)
		runner_start(&runners[s], row, s, o);
	for (unsigned int s = 0; s < n_sides; s++)
		if (row->slice(row, s, o, &runners[s]).n <= 0)
			return false;
	for (unsigned int i = first; i < first + slices; i++) {
		for (unsigned int k = 0; k < n_sides; k++) {
			unsigned int turn = i & 1 ? n_sides - 1 - k : k;
			unsigned int s = (turn + i / 2) % n_sides;

			samples[s][i] = row->slice(row, s, o, &runners[s]);
		}
	}
	for (unsigned int s = 0; row->job && s < n_sides; s++)
		runner_stop(&runners[s], row);
	return true;
}

static struct result run_row(const struct row *row, const struct opts *o)
{
	unsigned int n_sides = row->sndbuf && !o->selftest ? 3 : 2;
	unsigned int rounds = row->exact ? 1 : o->rounds;
	unsigned int longer = row->longer ? row->longer : 1;
	unsigned int slices = row->exact ? 1 : (o->slices - 1) / longer + 1;
	struct opts mine = *o;
	struct result r, other;

	mine.ms *= longer;
	for (unsigned int i = 0; i < rounds; i++)
		if (!run_round(row, &mine, n_sides, slices, i * slices))
			return (struct result){ .skipped = true };
	r = against(row, SIDE_BASE, samples[SIDE_BASE], samples[SIDE_SUBJECT],
		    rounds * slices);
	if (n_sides == 2)
		return r;
	/* Which size of buffer is the faster one is not the question. */
	other = against(row, SIDE_BASE_SNDBUF, samples[SIDE_BASE_SNDBUF],
			samples[SIDE_SUBJECT], rounds * slices);
	return other.ratio < r.ratio ? other : r;
}

static bool reached(const struct row *row, const struct result *r)
{
	return row->costs ? r->ratio <= row->must : r->ratio >= row->must;
}

static void print_text(const struct row *row, const struct result *r)
{
	if (r->skipped) {
		printf("%-29s not measured: no %s here\n", row->what,
		       row->needs);
		return;
	}
	printf("%-29s %9.0f%c %8.0f %-5s %6.3f  %5.3f..%5.3f %6.3f  %s %.2f",
	       row->what, r->base_figure,
	       r->base == SIDE_BASE_SNDBUF ? '*' : ' ', r->subject_figure,
	       row->unit, r->ratio, r->low, r->high, r->sums,
	       row->costs ? "<=" : ">=", row->must);
	if (row->aim > 0)
		printf(" (aim %.2f)", row->aim);
	puts(reached(row, r) ? "" : "  short");
}

static void print_json(const struct row *row, const struct result *r)
{
	printf("{\"row\": \"%s\", \"what\": \"%s\", ", row->name, row->what);
	if (r->skipped) {
		printf("\"skipped\": \"no %s\"}", row->needs);
		return;
	}
	printf("\"unit\": \"%s\", \"baseline\": \"%s\", ", row->unit,
	       r->base == SIDE_BASE_SNDBUF ? "sndbuf" : "default");
	printf("\"base\": %.3f, \"subject\": %.3f, \"samples\": %u, ",
	       r->base_figure, r->subject_figure, r->samples);
	printf("\"ratio\": %.4f, \"q25\": %.4f, \"q75\": %.4f, \"sums\": "
	       "%.4f, ",
	       r->ratio, r->low, r->high, r->sums);
	printf("\"must\": %.2f, \"at_most\": %s, \"reached\": %s}", row->must,
	       row->costs ? "true" : "false",
	       reached(row, r) ? "true" : "false");
}

static bool wanted(const char *name, char *const *names)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

bool table_has(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return true;
	return false;
}

void table_names(FILE *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fprintf(f, " %s", rows[i].name);
	fputc('\n', f);
}

void table_run(const struct opts *o, char *const *names)
{
	const char *comma = "";

	if (o->json)
		printf("{\"selftest\": %s, \"rows\": [",
		       o->selftest ? "true" : "false");
	else
		printf("%-29s %9s  %8s %-5s %6s  %-12s %6s  %s\n", "row",
		       "baseline", "ours", "", "ratio", "middle half", "sums",
		       "must be");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result r;

		if (*names && !wanted(rows[i].name, names))
			continue;
		fflush(stdout);
		r = run_row(&rows[i], o);
		if (o->json) {
			printf("%s\n  ", comma);
			print_json(&rows[i], &r);
			comma = ",";
		} else {
			print_text(&rows[i], &r);
		}
	}
	puts(o->json ? "\n]}" : "baseline: AF_UNIX; * with our SO_SNDBUF");
}
