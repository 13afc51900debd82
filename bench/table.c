/* SPDX-License-Identifier: MIT */
/*
 * How rows are measured and printed. Nearly every figure is a ratio to the same
 * program on plain AF_UNIX in the same run. A machine's speed changes all the
 * time, with what others do on it: so slices are short, the sides take turns,
 * each slice of the subject is divided by its neighbour, and the median of
 * these ratios counts. A median does not see what is rare, say a stall in one
 * of a hundred slices: the ratio of the sums stands beside it. On a machine
 * that others use, too, look at the ratio of the fastest tenths: they disturb
 * it least.
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
	/* Or the difference, where that counts. */
	double ratio;
	double low;
	double high;
	double fast;
	double sums;
};

static bool costs(const struct row *row)
{
	return row->costs || row->difference;
}

static bool one_slice(const struct row *row)
{
	return row->exact || row->difference;
}

double shown(const struct row *row, struct figure f)
{
	double scale = row->scale > 0 ? row->scale : 1;

	return (costs(row) ? f.cost / f.n : f.n / f.cost) * scale;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

void sort(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), compare);
}

double quantile(const double *v, unsigned int n, double q)
{
	double at = q * (n - 1);
	unsigned int i = (unsigned int)at;

	return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i];
}

static struct figure samples[N_SIDES][MAX_SAMPLES];

const struct figure *samples_of(enum side side)
{
	return samples[side];
}

static struct result against(const struct row *row, enum side base,
			     unsigned int n)
{
	struct result r = { .base = base, .samples = n };
	const struct figure *b = samples[base];
	const struct figure *s = samples[SIDE_SUBJECT];
	double fastest = costs(row) ? 0.1 : 0.9;
	struct figure b_sum = { 0, 0 };
	struct figure s_sum = { 0, 0 };
	static double bs[MAX_SAMPLES], ss[MAX_SAMPLES], ratios[MAX_SAMPLES];

	for (unsigned int i = 0; i < n; i++) {
		bs[i] = shown(row, b[i]);
		ss[i] = shown(row, s[i]);
		ratios[i] = row->difference ? ss[i] - bs[i] : ss[i] / bs[i];
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
	r.fast = quantile(ss, n, fastest) / quantile(bs, n, fastest);
	r.sums = shown(row, s_sum) / shown(row, b_sum);
	return r;
}

static unsigned int n_sides(const struct row *row, const struct opts *o)
{
	unsigned int n = 0;

	while (n < N_SIDES && row->ways[n])
		n++;
	return o->selftest ? 2 : n;
}

static struct figure slice(const struct row *row, enum side side,
			   const struct opts *o, struct runner *r)
{
	return row->slice ? row->slice(row, side, o, r)
			  : runner_slice(row, side, o, r);
}

/* The sides take turns, in every order; the first turn warms up. */
static bool run_round(const struct row *row, const struct opts *o,
		      unsigned int slices, unsigned int first, FILE *out)
{
	struct runner runners[N_SIDES];
	unsigned int sides = n_sides(row, o);

	for (unsigned int s = 0; row->job && s < sides; s++)
		runner_start(&runners[s], row, s, o);
	for (unsigned int s = 0; !one_slice(row) && s < sides; s++)
		(void)slice(row, s, o, &runners[s]);
	for (unsigned int i = first; i < first + slices; i++) {
		for (unsigned int k = 0; k < sides; k++) {
			unsigned int turn = i & 1 ? sides - 1 - k : k;
			unsigned int s = (turn + i / 2) % sides;

			samples[s][i] = slice(row, s, o, &runners[s]);
			if (samples[s][i].n <= 0)
				return false;
		}
	}
	for (unsigned int s = 0; row->job && s < sides; s++) {
		if (out)
			fprintf(out, "\n\n\"%s\"\n", way_of(row, s, o)->name);
		runner_stop(&runners[s], row, out);
	}
	return true;
}

bool measure(const struct row *row, const struct opts *o, unsigned int rounds,
	     unsigned int slices, FILE *out)
{
	for (unsigned int s = 0; s < n_sides(row, o); s++) {
		const struct way *way = way_of(row, s, o);

		if (way->preload != PRELOAD_NONE && !preload_of(way, o))
			return false;
	}
	for (unsigned int i = 0; i < rounds; i++)
		if (!run_round(row, o, slices, i * slices, out))
			return false;
	return true;
}

static struct result run_row(const struct row *row, const struct opts *o)
{
	unsigned int rounds = row->exact ? 1 : o->rounds;
	unsigned int longer = row->longer ? row->longer : 1;
	unsigned int slices = one_slice(row) ? 1 : (o->slices - 1) / longer + 1;
	struct opts mine = *o;
	struct result r, other;

	mine.ms *= longer;
	if (row->fds > o->fds || !measure(row, &mine, rounds, slices, NULL))
		return (struct result){ .skipped = true };
	r = against(row, SIDE_BASE, rounds * slices);
	if (n_sides(row, o) == 2)
		return r;
	/* Which size of buffer is the faster one is not the question. */
	other = against(row, SIDE_BASE_SNDBUF, rounds * slices);
	return other.ratio < r.ratio ? other : r;
}

static bool reached(const struct row *row, const struct result *r)
{
	return costs(row) ? r->ratio <= row->must : r->ratio >= row->must;
}

/* Whoever must reach nothing is good enough. */
static bool good(const struct row *row, const struct result *r)
{
	return !(row->must > 0) || (!r->skipped && reached(row, r));
}

static void print_must(const struct row *row, const struct result *r)
{
	if (row->must > 0 && row->difference)
		printf("  <= %+.0f", row->must);
	else if (row->must > 0)
		printf("  %s %.2f", costs(row) ? "<=" : ">=", row->must);
	if (row->aim > 0)
		printf(" (aim %.2f)", row->aim);
	puts(good(row, r) ? "" : "  short");
}

static void print_text(const struct row *row, const struct result *r)
{
	printf("  %-29s ", row->what);
	if (r->skipped) {
		printf("not measured: no %s here\n", row->needs);
		return;
	}
	printf("%9.0f%c %8.0f %-5s ", r->base_figure,
	       row->ways[r->base]->sndbuf ? '*' : ' ', r->subject_figure,
	       row->unit ? row->unit : "/s");
	if (row->difference)
		printf("%+6.0f %29s", r->ratio, "");
	else if (row->exact)
		printf("%6.3f %29s", r->ratio, "");
	else
		printf("%6.3f  %5.3f..%5.3f %6.3f %6.3f ", r->ratio, r->low,
		       r->high, r->fast, r->sums);
	print_must(row, r);
}

static void print_json(const struct row *row, const struct result *r)
{
	printf("{\"row\": \"%s\", \"what\": \"%s\", ", row->name, row->what);
	if (r->skipped) {
		printf("\"skipped\": \"no %s\"}", row->needs);
		return;
	}
	printf("\"unit\": \"%s\", \"subject_is\": \"%s\", \"base_is\": "
	       "\"%s\", ",
	       row->unit ? row->unit : "/s", row->ways[SIDE_SUBJECT]->name,
	       row->ways[r->base]->name);
	printf("\"base\": %.3f, \"subject\": %.3f, \"samples\": %u, ",
	       r->base_figure, r->subject_figure, r->samples);
	if (row->difference)
		printf("\"difference\": %.4f", r->ratio);
	else
		printf("\"ratio\": %.4f, \"q25\": %.4f, \"q75\": %.4f, "
		       "\"fast\": %.4f, \"sums\": %.4f",
		       r->ratio, r->low, r->high, r->fast, r->sums);
	if (row->must > 0)
		printf(", \"must\": %.2f, \"at_most\": %s, \"reached\": %s",
		       row->must, costs(row) ? "true" : "false",
		       reached(row, r) ? "true" : "false");
	putchar('}');
}

static bool wanted(const struct row *row, const struct opts *o,
		   char *const *names)
{
	if (row->kernel != o->kernel)
		return false;
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, row->name))
			return true;
	return false;
}

bool table_has(const char *name)
{
	for (size_t i = 0; i < n_rows; i++)
		if (!strcmp(rows[i].name, name))
			return true;
	return false;
}

void table_names(FILE *f)
{
	for (size_t i = 0; i < n_rows; i++)
		fprintf(f, " %s", rows[i].name);
	fputc('\n', f);
}

static bool table_json(const struct opts *o, char *const *names)
{
	const char *comma = "";
	bool all_good = true;

	printf("{\"selftest\": %s, \"rows\": [",
	       o->selftest ? "true" : "false");
	for (const struct row *row = rows; row < rows + n_rows; row++) {
		struct result r;

		if (!wanted(row, o, names))
			continue;
		r = run_row(row, o);
		printf("%s\n  ", comma);
		print_json(row, &r);
		all_good &= good(row, &r);
		comma = ",";
	}
	puts("\n]}");
	return all_good;
}

static bool table_text(const struct opts *o, char *const *names)
{
	const char *group = NULL, *printed = NULL;
	bool all_good = true;

	printf("%-31s %9s  %8s %-5s %6s  %-12s %6s %6s   %s\n", "", "baseline",
	       "measured", "", "ratio", "middle half", "fast", "sums",
	       "must be");
	for (const struct row *row = rows; row < rows + n_rows; row++) {
		struct result r;

		if (row->group)
			group = row->group;
		if (!wanted(row, o, names))
			continue;
		if (group != printed)
			puts(group);
		printed = group;
		fflush(stdout);
		r = run_row(row, o);
		print_text(row, &r);
		all_good &= good(row, &r);
	}
	if (!o->kernel)
		puts("* AF_UNIX with our SO_SNDBUF: where that is faster, and "
		     "of bulk on 64 connections");
	return all_good;
}

bool table_run(const struct opts *o, char *const *names)
{
	return o->json ? table_json(o, names) : table_text(o, names);
}
