/* SPDX-License-Identifier: MIT */
/* TAP for unit tests: ok(condition, "what is true"), and done() at the end. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_n, tap_failed;

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool good, const char *format, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_n);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	tap_failed += !good;
	return good;
}

static inline int done(void)
{
	printf("1..%d\n", tap_n);
	return tap_failed != 0;
}

#endif
