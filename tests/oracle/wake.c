/* SPDX-License-Identifier: MIT */
/* Calls that sleep while another thread or process, who has the same socket,
 * shuts it down or closes it. */
#include "oracle.h"

#include <pthread.h>

static char buf[2 * CREDIT], sink[2 * CREDIT];

/* Does the task sleep? Its state is after the name, which may have spaces. */
static bool asleep(const char *pid, int tid)
{
	char path[64], text[256] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		*text = '\0';
	fclose(f);
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

/* Runs the first in a child. The second comes when that sleeps. */
#define WHILE_CHILD_SLEEPS(statement, meanwhile)                               \
	BESIDE_CHILD(statement, {                                              \
		char pid__[16];                                                \
		snprintf(pid__, sizeof(pid__), "%d", (int)pid_);               \
		AWAIT(asleep(pid__, (int)pid_));                               \
		meanwhile;                                                     \
	})

static void others_shut_down(void)
{
	struct conn p = connection();

	WHILE_CHILD_SLEEPS(FACT("rd_recv", recv(p.a, buf, 8, 0)),
			   MUST(shutdown(p.a, SHUT_RD)));
	disconnect(p);
	p = connection();
	WHILE_CHILD_SLEEPS(FACT("rdwr_recv", recv(p.a, buf, 8, 0)),
			   MUST(shutdown(p.a, SHUT_RDWR)));
	disconnect(p);
	p = connection();
	WHILE_CHILD_SLEEPS(FACT("peer_wr_recv", recv(p.a, buf, 8, 0)),
			   MUST(shutdown(p.c, SHUT_WR)));
	disconnect(p);

	p = connection();
	MUST(send(p.c, buf, CREDIT, 0));
	WHILE_CHILD_SLEEPS(FACT("wr_send", send(p.c, buf, 1, MSG_NOSIGNAL)),
			   MUST(shutdown(p.c, SHUT_WR)));
	disconnect(p);
	p = connection();
	MUST(send(p.c, buf, CREDIT, 0));
	WHILE_CHILD_SLEEPS(
		FACT("peer_rd_send", send(p.c, buf, 1, MSG_NOSIGNAL)),
		MUST(shutdown(p.a, SHUT_RD)));
	disconnect(p);
}

/* A send that was half done says how far it came, and signals nothing. */
static void sent_in_part(void)
{
	struct conn p = connection();

	WHILE_CHILD_SLEEPS(
		{
			say("wr_part", "%d",
			    send(p.c, buf, CREDIT + 65536, 0) > CREDIT / 2);
			say("wr_part_sigpipe", "%d", (int)sigpipes);
		},
		MUST(shutdown(p.c, SHUT_WR)));
	disconnect(p);
	p = connection();
	WHILE_CHILD_SLEEPS(
		{
			close(p.a);
			say("closed_part", "%d",
			    send(p.c, buf, CREDIT + 65536, 0) > CREDIT / 2);
			say("closed_part_sigpipe", "%d", (int)sigpipes);
			sigpipes = 0;
			FACT("closed_part_then", send(p.c, buf, 1, 0));
			say("closed_part_then_sigpipe", "%d", (int)sigpipes);
		},
		close(p.a));
	close(p.c);
}

static void pollers(void)
{
	struct conn p = connection();
	struct pollfd q = { .fd = p.c, .events = POLLRDHUP };

#define FACT_WOKEN(id)                                                         \
	do {                                                                   \
		int r_ = poll(&q, 1, DEADLINE_MS);                             \
		say(id, "poll() = %d %s", r_,                                  \
		    mask_text((unsigned short)q.revents));                     \
	} while (0)
	WHILE_CHILD_SLEEPS(FACT_WOKEN("rd_poll"), MUST(shutdown(p.c, SHUT_RD)));
	q.events = 0;
	WHILE_CHILD_SLEEPS(FACT_WOKEN("wr_poll"), MUST(shutdown(p.c, SHUT_WR)));
	disconnect(p);
	p = connection();
	q = (struct pollfd){ .fd = p.a, .events = POLLRDHUP };
	WHILE_CHILD_SLEEPS(FACT_WOKEN("peer_wr_poll"),
			   MUST(shutdown(p.c, SHUT_WR)));
	disconnect(p);
}

/* shutdown() of a listener is refused, and nobody wakes. */
static void listening(void)
{
	int l = listener(ANY, 5000, 8);

	WHILE_CHILD_SLEEPS((void)FACT_FD("accept", accept(l, NULL, NULL)), {
		MUST_FAIL(shutdown(l, SHUT_RDWR));
		close(client(1, 5000));
	});
	close(l);
}

static int shared;
static volatile int sleeper;

static void *receives(void *unused)
{
	sleeper = gettid();
	FACT("closed_recv", recv(shared, sink, 8, 0));
	return unused;
}

static void *accepts(void *unused)
{
	sleeper = gettid();
	FACT_FD("closed_accept", accept(shared, NULL, NULL));
	return unused;
}

static void *begin(pthread_t *thread, void *(*what)(void *))
{
	sleeper = 0;
	if (pthread_create(thread, NULL, what, NULL))
		exit(3);
	AWAIT(sleeper && asleep("self", sleeper));
	return NULL;
}

/* A call that sleeps keeps its socket, whatever becomes of the descriptor. */
static void closed_by_thread(void)
{
	struct conn p = connection();
	pthread_t thread;
	int c, l;

	shared = p.a;
	begin(&thread, receives);
	FACT("close", close(p.a));
	FACT_MASK("closed_peer_mask", p.c);
	MUST(send(p.c, "abc", 3, 0));
	pthread_join(thread, NULL);
	FACT_MASK_AT("closed_peer_mask_then", p.c, POLLRDHUP);
	close(p.c);

	shared = l = listener(ANY, 5000, 8);
	begin(&thread, accepts);
	FACT("close_listener", close(l));
	FACT_FRESH("closed_accept_bind", bind(fresh, vm(ANY, 5000), 16));
	c = vsock();
	MUST(connect(c, vm(1, 5000), 16));
	pthread_join(thread, NULL);
	close(c);
	FACT_FRESH("closed_accept_then", connect(fresh, vm(1, 5000), 16));
	FACT_FRESH("closed_accept_free", bind(fresh, vm(ANY, 5000), 16));
}

int main(void)
{
	oracle_start();
	others_shut_down();
	if (TYPE == SOCK_STREAM)
		sent_in_part();
	pollers();
	listening();
	closed_by_thread();
	return 0;
}
