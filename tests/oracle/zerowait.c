/* SPDX-License-Identifier: MIT */
/* When a MSG_ZEROCOPY is completed, and who is told. */
#include "oracle.h"

#include <linux/errqueue.h>

static char buf[64];

/* Is anything on the error queue? */
static void fact_done(const char *id, int fd)
{
	say(id, "%s", mask_of(fd) & POLLERR ? "completed" : "not completed");
}

static struct conn wanting(void)
{
	struct conn p = connection();

	setsockopt(p.c, SOL_SOCKET, SO_ZEROCOPY, &(int){ 1 }, sizeof(int));
	return p;
}

int main(void)
{
	struct conn p;

	oracle_start();
	p = wanting();
	MUST(send(p.c, "abcdef", 6, MSG_ZEROCOPY));
	fact_done("sent", p.c);
	settle();
	fact_done("arrived", p.c);
	recv(p.a, buf, 6, MSG_PEEK);
	settle();
	fact_done("peeked", p.c);
	MUST(recv(p.a, buf, 3, 0));
	settle();
	fact_done("half_read", p.c); /* of a message, all */
	recv(p.a, buf, 3, MSG_DONTWAIT);
	settle();
	fact_done("read", p.c);
	FACT("queue", recv(p.c, buf, 1, MSG_ERRQUEUE));
	disconnect(p);

	p = wanting();
	MUST(send(p.c, "abc", 3, MSG_ZEROCOPY));
	MUST(shutdown(p.a, SHUT_RD));
	AWAIT(send(p.c, "x", 1, MSG_NOSIGNAL) < 0);
	fact_done("peer_shut_rd", p.c);
	close(p.a);
	settle();
	fact_done("peer_closed", p.c);
	close(p.c);

	/* Those who share the socket share its queue. */
	p = wanting();
	IN_CHILD(MUST(send(p.c, "abc", 3, MSG_ZEROCOPY)));
	settle();
	MUST(recv(p.a, buf, sizeof(buf), 0));
	settle();
	fact_done("child_sent", p.c);
	FACT("child_sent_queue", recv(p.c, buf, 1, MSG_ERRQUEUE));
	disconnect(p);
	return 0;
}
