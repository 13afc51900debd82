/* SPDX-License-Identifier: MIT */
/* close(), and what the peer sees of every way to end a connection. */
#include "oracle.h"

static char buf[64];

#define TELL(what, call)                                                       \
	do {                                                                   \
		char name_[64];                                                \
		snprintf(name_, sizeof(name_), "%s_%s", id, what);             \
		FACT(name_, call);                                             \
	} while (0)

/* All that can be asked of the end that is left. */
static void survivor(const char *id, int left)
{
	char name[64];

	AWAIT_MASK(left, POLLRDHUP);
	snprintf(name, sizeof(name), "%s_mask", id);
	FACT_MASK(name, left);
	snprintf(name, sizeof(name), "%s_error", id);
	FACT_SO_ERROR(name, left);
	TELL("send", send(left, "x", 1, MSG_NOSIGNAL));
	TELL("recv", recv(left, buf, sizeof(buf), 0));
	TELL("recv_again", recv(left, buf, sizeof(buf), 0));
	TELL("send_after", send(left, "x", 1, MSG_NOSIGNAL));
	snprintf(name, sizeof(name), "%s_error_after", id);
	FACT_SO_ERROR(name, left);
	snprintf(name, sizeof(name), "%s_peer", id);
	FACT_ADDR(name, getpeername(left, ADDR));
	TELL("connect", connect(left, vm(1, 5999), 16));
	TELL("shutdown", shutdown(left, SHUT_RDWR));
	TELL("close", close(left));
}

static void plainly(void)
{
	struct conn p = connection();

	FACT("close", close(p.c));
	FACT("close_again", close(p.c));
	survivor("client_closes", p.a);
	p = connection();
	close(p.a);
	survivor("accepted_closes", p.c);

	p = connection();
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	survivor("client_sends_closes", p.a);
	p = connection();
	MUST(send(p.a, "abc", 3, 0));
	close(p.a);
	survivor("accepted_sends_closes", p.c);
}

/* Unread data at the closing end are nobody's error. */
static void unread(void)
{
	struct conn p = connection();

	MUST(send(p.a, "lost", 4, 0));
	await_bytes(p.c, 4);
	close(p.c);
	survivor("client_unread", p.a);
	p = connection();
	MUST(send(p.c, "lost", 4, 0));
	await_bytes(p.a, 4);
	close(p.a);
	survivor("accepted_unread", p.c);

	p = connection();
	MUST(send(p.c, "lost", 4, 0));
	MUST(send(p.a, "abc", 3, 0));
	await_bytes(p.a, 4);
	close(p.a);
	survivor("both_unread", p.c);
}

static void killed_peer(const char *id, bool with_unread)
{
	struct conn p = connection();
	int ready[2];
	pid_t pid;

	MUST(pipe(ready));
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		close(p.c);
		if (with_unread)
			await_bytes(p.a, 4);
		MUST(write(ready[1], "", 1));
		for (;;)
			pause();
	}
	close(p.a);
	if (with_unread)
		MUST(send(p.c, "lost", 4, 0));
	MUST(read(ready[0], buf, 1));
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
	survivor(id, p.c);
}

static void listeners(void)
{
	int l = listener(ANY, 5000, 8), c = client(1, 5000),
	    d = client(1, 5000);

	MUST(send(d, "lost", 4, 0));
	close(l);
	survivor("listener_closed", c);
	survivor("listener_closed_sent", d);
	FACT_FRESH("listener_gone_connect", connect(fresh, vm(1, 5000), 16));

	/* A client that is refused after all by the end of its listener. */
	l = listener(ANY, 5000, 8);
	c = (int)MUST(socket(AF_VSOCK, TYPE | SOCK_NONBLOCK, 0));
	FACT("listener_closed_nonblock", connect(c, vm(1, 5000), 16));
	AWAIT_MASK(c, POLLOUT);
	close(l);
	set_nonblock(c, false);
	survivor("listener_closed_nonblock", c);
}

static void lingering(void)
{
	struct conn p = connection();
	struct linger on = { 1, 5 }, now = { 1, 0 };
	long began;

	MUST(setsockopt(p.c, SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
	began = now_ms();
	close(p.c);
	say("linger_waits", "%d", now_ms() - began > 2000);
	survivor("linger", p.a);

	/* What is sent is out, read or not. (Older kernels wait for the peer.)
	 */
	p = connection();
	on.l_linger = 1;
	MUST(setsockopt(p.c, SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	began = now_ms();
	close(p.c);
	say("linger_unread_waits", "%d", now_ms() - began > 900);
	survivor("linger_unread", p.a);

	/* Who exits does not linger. */
	p = connection();
	on.l_linger = 5;
	MUST(setsockopt(p.c, SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
	MUST(send(p.c, "abc", 3, 0));
	settle();
	began = now_ms();
	BESIDE_CHILD(close(p.a), close(p.c));
	say("linger_exit_waits", "%d", now_ms() - began > 2000);
	survivor("linger_exit", p.a);

	p = connection();
	MUST(setsockopt(p.c, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	MUST(send(p.c, "abc", 3, 0));
	close(p.c);
	survivor("linger_0", p.a);
}

/* Those who sleep in a call are woken. (Should the end come first, the answer
 * is the same.) */
static void sleepers(void)
{
	struct conn p = connection();
	static char big[CREDIT];

	BESIDE_CHILD(
		{
			close(p.c);
			FACT("sleeping_recv", recv(p.a, buf, sizeof(buf), 0));
		},
		{
			close(p.a);
			usleep(20000);
			close(p.c);
		});

	p = connection();
	MUST(send(p.a, big, sizeof(big), 0));
	BESIDE_CHILD(
		{
			close(p.c);
			FACT("sleeping_send", send(p.a, "x", 1, MSG_NOSIGNAL));
		},
		{
			close(p.a);
			usleep(20000);
			close(p.c);
		});
}

int main(void)
{
	oracle_start();
	plainly();
	unread();
	killed_peer("killed", false);
	killed_peer("killed_unread", true);
	listeners();
	lingering();
	sleepers();
	return 0;
}
