/* SPDX-License-Identifier: MIT */
/*
 * What the oracle programs about two machines share: a host, CID 2, and its
 * guest, CID 3. Each program runs on both, as "TOPIC host" and "TOPIC guest",
 * and both go through it in step: what stands behind AT(side) is done there,
 * while the other side waits. Whose turn it is goes by a connection of its own,
 * so it comes after all that the sockets sent to the other machine before; the
 * guest's facts go by it too, and the host prints them all.
 *
 * CID 4 is nobody's. Port 5998 is this file's.
 */
#ifndef PAIR_H
#define PAIR_H

/* Emulated machines are slow to answer. */
#define PATIENCE_MS 60000
#include "../oracle.h"

enum side { HOST, GUEST };

static enum side me, doing;
static int line = -1;

static UNUSED void pair_broken(const char *what)
{
	printf("%s.broken: %s\n", program_invocation_short_name, what);
	exit(3);
}

/* One line without its end; what is too long for us is cut. */
static UNUSED void hear(char *text, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		if (recv(line, &c, 1, 0) != 1)
			pair_broken("the other side ended");
		if (c == '\n')
			break;
		if (n + 1 < size)
			text[n++] = c;
	}
	text[n] = '\0';
}

static UNUSED bool turn(enum side side)
{
	char text[1024];

	if (side == doing)
		return me == side;
	if (me == doing) {
		fflush(stdout);
		MUST(send(line, ".\n", 2, MSG_NOSIGNAL));
	} else {
		for (hear(text, sizeof(text)); strcmp(text, ".") != 0;
		     hear(text, sizeof(text)))
			puts(text);
	}
	doing = side;
	return me == side;
}

/* The statement that follows is for one side. */
#define AT(side) if (turn(side))

/* Until what the side has sent was answered. */
static UNUSED void round_trip(enum side side)
{
	turn(!side);
	turn(side);
}

static UNUSED void pair_start(int argc, char **argv)
{
	char name[64];
	int l;

	if (argc != 2)
		exit(2);
	me = strcmp(argv[1], "guest") == 0 ? GUEST : HOST;
	doing = HOST;
	oracle_start();
	alarm(300); /* an emulated machine in an emulated machine */
	line = stream();
	if (me == GUEST) {
		while (connect(line, vm(2, 5998), 16) < 0)
			nap(); /* until the alarm */
		MUST(dup2(line, STDOUT_FILENO));
		puts(program_invocation_short_name);
		return;
	}
	l = line;
	MUST(bind(l, vm(ANY, 5998), 16));
	MUST(listen(l, 1));
	line = (int)MUST(accept(l, NULL, NULL));
	close(l);
	hear(name, sizeof(name));
	if (strcmp(name, program_invocation_short_name) != 0)
		pair_broken("the guest runs another program");
}

/* The guest has said all when the host leaves this. */
static UNUSED int pair_end(void)
{
	turn(GUEST);
	turn(HOST);
	return 0;
}

/* --- ids -------------------------------------------------------------------
 */

static char prefix[64];

/* What the ids of the facts that follow begin with. */
static UNUSED void about(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static void about(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
}

/* "PREFIX_NAME"; good until three more were made. */
static UNUSED const char *id(const char *name)
{
	static char ring[4][128];
	static unsigned int next;
	char *text = ring[next++ % 4];

	snprintf(text, sizeof(ring[0]), "%s_%s", prefix, name);
	return text;
}

/* --- the same from both sides ----------------------------------------------
 */

/* Who connects, and who is reached. */
static enum side from = GUEST, to = HOST;

/* "up" is from the guest to the host. */
#define BOTH_WAYS(call)                                                        \
	do {                                                                   \
		from = GUEST, to = HOST;                                       \
		call("up");                                                    \
		from = HOST, to = GUEST;                                       \
		call("down");                                                  \
	} while (0)

static UNUSED unsigned int cid_of(enum side side)
{
	return side == HOST ? 2 : 3;
}

static UNUSED const char *name_of(enum side side)
{
	return side == HOST ? "host" : "guest";
}

static UNUSED struct sockaddr *to_host(struct sockaddr *a)
{
	((struct sockaddr_vm *)a)->svm_flags = VMADDR_FLAG_TO_HOST;
	return a;
}

/* An address of the machine that is reached. */
static UNUSED struct sockaddr *there(unsigned int port)
{
	return vm(cid_of(to), port);
}

/* The own end of a connection between the two: the client's, or the accepted
 * one. */
static int end = -1;

static UNUSED void connect_both(void)
{
	int l = -1;

	AT (to)
		l = listener(ANY, 5000, 1);
	AT (from)
		end = client(cid_of(to), 5000);
	AT (to) {
		end = (int)MUST(accept(l, NULL, NULL));
		close(l);
	}
}

static UNUSED void close_both(void)
{
	AT (from)
		close(end);
	AT (to)
		close(end);
}

/* All that can be read at once, and how it ends. */
static UNUSED void fact_read(const char *name, int fd)
{
	char text[256] = "", data[64];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "\"%.*s\", ", (int)n, data);
	say(name, "recv gives %sthen %s", text,
	    n < 0 ? strerrorname_np(errno) : "0");
}

#endif
