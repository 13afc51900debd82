/* SPDX-License-Identifier: MIT */
/* Where Linux itself loses or mixes messages. */
#define TYPE SOCK_SEQPACKET
#include "oracle.h"

static char out[CREDIT], in[2 * CREDIT];

static void fact_message(const char *id, int fd)
{
	ssize_t r = recv(fd, in, sizeof(in), MSG_DONTWAIT);

	if (r < 0)
		say(id, "recv() = %s", outcome(r, false));
	else
		say(id, "recv() = %zd, from %c to %c", r, r ? in[0] : ' ',
		    r ? in[r - 1] : ' ');
}

/* A message of which a part had room in the window. */
static void part(void)
{
	struct conn p = connection();

	memset(out, 'a', sizeof(out));
	MUST(send(p.c, out, 200000, 0));
	memset(out, 'b', sizeof(out));
	FACT("part", send(p.c, out, 100000, MSG_DONTWAIT));
	settle();
	FACT_MASK("part_mask", p.c);
	fact_message("part_first", p.a);
	settle();
	FACT_MASK("part_left_mask", p.a);
	fact_message("part_left", p.a);
	memset(out, 'c', sizeof(out));
	FACT("part_retry", send(p.c, out, 100000, MSG_DONTWAIT));
	settle();
	fact_message("part_second", p.a);
	fact_message("part_none", p.a);
	disconnect(p);
}

/* So many messages that their own weight is more than the buffer. */
static void many(void)
{
	struct conn p = connection();
	int n = 0;

	while (n < 2000 && send(p.c, "m", 1, MSG_DONTWAIT) == 1) {
		settle();
		n++;
	}
	say("many", "%d sent, then %s", n, strerrorname_np(errno));
	settle();
	FACT_MASK("many_mask", p.c);
	FACT_MASK("many_peer_mask", p.a);
	FACT_SO_ERROR("many_error", p.c);
	FACT_SO_ERROR("many_peer_error", p.a);
	for (n = 0; recv(p.a, in, sizeof(in), MSG_DONTWAIT) > 0; n++)
		;
	say("many_received", "%d", n);
	disconnect(p);
}

int main(void)
{
	oracle_start();
	part();
	many();
	return 0;
}
