/* SPDX-License-Identifier: MIT */
/*
 * Lines that we write into a stranger's output: each by one write(2), so that
 * those of many writers do not mix. Async-signal-safe; errno stays. A line is
 * large for a signal handler's stack, so nothing here or in trace.c calls libc
 * while there is one: to look up a symbol takes 3 KiB more.
 */
#ifndef SAY_H
#define SAY_H

#include <stddef.h>
#include <stdint.h>

/* What does not fit is cut; there is always room for the newline. */
struct line {
	size_t n;
	char text[1024];
};

void line_put(struct line *l, const char *s);
/* Somebody else's text, cut and without control characters. */
void line_put_value(struct line *l, const char *s);
void line_put_number(struct line *l, int64_t v);
void line_put_hex(struct line *l, uint64_t v);

/* Descriptor 2 is about to become another file: we write to what it is now. */
void say_note_stderr(void);

/* To standard error, if that is still the file that it was at the start. */
void say(struct line *l);

/* Appended to the file. 0, or -errno if it cannot be opened. */
int say_to(const char *path, struct line *l);

/* "vsockshim: <name>=<value>: <text>" */
void say_bad(const char *name, const char *value, const char *text);

/* Some lines that are not ours, each with its end. */
void say_text(const char *text);

#endif
