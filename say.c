/* SPDX-License-Identifier: MIT */
/* Lines that we write: see say.h. */
#include "say.h"

#include "core/addr.h"
#include "core/sys.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define VALUE_MAX 600 /* of a value no more is shown, so that the rest fits */

static struct stat start_stderr;

void line_put(struct line *l, const char *s)
{
	for (; *s && l->n < sizeof(l->text) - 1; s++)
		l->text[l->n++] = *s;
}

void line_put_value(struct line *l, const char *s)
{
	for (int i = 0; *s && i < VALUE_MAX; i++, s++)
		line_put(l,
			 *s >= ' ' && *s != '\x7f' ? (char[]){ *s, 0 } : "?");
	if (*s)
		line_put(l, "...");
}

static void put_digits(struct line *l, uint64_t v, unsigned int base)
{
	char digits[20 + 1], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = "0123456789abcdef"[v % base];
	while (v /= base);
	line_put(l, p);
}

void line_put_number(struct line *l, int64_t v)
{
	if (v < 0)
		line_put(l, "-");
	put_digits(l, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

void line_put_hex(struct line *l, uint64_t v)
{
	line_put(l, "0x");
	put_digits(l, v, 16);
}

/* In a sigset_t's first word. */
#define BIT(sig) (1ul << ((sig)-1))

static bool has(const sigset_t *set, int sig)
{
	unsigned long first;

	memcpy(&first, set, sizeof(first));
	return first & BIT(sig);
}

/* A pipe that nobody reads is no reason to end the program, nor is a limit to
 * the size of files. */
static void write_line(int fd, struct line *l)
{
	static const sigset_t fatal = { { BIT(SIGPIPE) | BIT(SIGXFSZ) } };
	const struct timespec now = { 0 };
	sigset_t pending, old;
	ssize_t r;

	l->text[l->n++] = '\n';
	sys_kernel.sigpending(&pending);
	sys_kernel.procmask(SIG_BLOCK, &fatal, &old);
	do
		r = sys_kernel.write(fd, l->text, l->n);
	while (r == -EINTR);
	if ((r == -EPIPE && !has(&pending, SIGPIPE)) ||
	    (r == -EFBIG && !has(&pending, SIGXFSZ)))
		sys_kernel.sigtimedwait(&fatal, &now);
	sys_kernel.procmask(SIG_SETMASK, &old, NULL);
}

void say_note_stderr(void)
{
	static bool noted;

	if (!__atomic_exchange_n(&noted, true, __ATOMIC_RELAXED))
		sys_kernel.fstat(STDERR_FILENO, &start_stderr);
}

void say(struct line *l)
{
	struct stat st;

	if (sys_kernel.fstat(STDERR_FILENO, &st) == 0 &&
	    st.st_dev == start_stderr.st_dev &&
	    st.st_ino == start_stderr.st_ino)
		write_line(STDERR_FILENO, l);
}

int say_to(const char *path, struct line *l)
{
	/* O_NONBLOCK: it may be a pipe that nobody reads */
	int fd = sys_kernel.open(path,
				 O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY |
					 O_NONBLOCK | O_CLOEXEC,
				 0666);

	if (fd < 0)
		return fd;
	write_line(fd, l);
	sys_kernel.close(fd);
	return 0;
}

void say_bad(const char *name, const char *value, const char *text)
{
	struct line l;

	l.n = 0;
	line_put(&l, "vsockshim: ");
	line_put(&l, name);
	line_put(&l, "=");
	line_put_value(&l, value ? value : "");
	line_put(&l, ": ");
	line_put(&l, text);
	say(&l);
}

void say_text(const char *text)
{
	struct line l;

	l.n = 0;
	line_put(&l, text);
	if (l.n && l.text[l.n - 1] == '\n')
		l.n--;
	say(&l);
}
