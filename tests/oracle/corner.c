/* SPDX-License-Identifier: MIT */
/* Corners of calls whose other answers are asked for elsewhere. */
#include "oracle.h"

#include <sys/epoll.h>

static char buf[2 * CREDIT];

static struct conn wanting(int value)
{
	struct conn p = connection();

	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	return p;
}

/* The option is the socket's, whoever sets it. */
static void lowat_of_a_child(void)
{
	struct conn p = connection();
	int value = 10;

	IN_CHILD(MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value,
				 sizeof(value))));
	MUST(send(p.c, "abcde", 5, 0));
	settle();
	FACT_MASK("child_lowat", p.a);
	MUST(send(p.c, "fghij", 5, 0));
	settle();
	FACT_MASK("child_lowat_reached", p.a);
	disconnect(p);
}

/* A lower mark wakes nobody who waits in an epoll already. */
static void lowered(void)
{
	struct conn p = wanting(10);
	struct epoll_event e = { .events = EPOLLIN };
	int ep = (int)MUST(epoll_create1(0)), value = 5;

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p.a, &e));
	MUST(send(p.c, "abcde", 5, 0));
	settle();
	FACT("lower_before", epoll_wait(ep, &e, 1, 0));
	MUST(setsockopt(p.a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)));
	FACT_MASK("lower_mask", p.a);
	FACT("lower_epoll", epoll_wait(ep, &e, 1, 0));
	close(ep);
	disconnect(p);
}

/* What came before a page that cannot be read is sent, by packets of 64 KiB. */
static void torn(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 128 * 1024;
	struct conn p = connection();
	char *area = mmap(NULL, size + page, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		exit(3);
	MUST(mprotect(area + size, page, PROT_NONE));
	FACT("torn_70000", send(p.c, area + size - 70000, 70010, 0));
	await_bytes(p.a, 65536);
	FACT("torn_70000_recv", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT("torn_65535", send(p.c, area + size - 65535, 65540, 0));
	FACT("torn_65535_recv", recv(p.a, buf, sizeof(buf), MSG_DONTWAIT));
	FACT("torn_enough", send(p.c, area + size - 70000, 70000, 0));
	disconnect(p);
	MUST(munmap(area, size + page));
}

int main(void)
{
	oracle_start();
	lowat_of_a_child();
	lowered();
	if (TYPE == SOCK_STREAM)
		torn();
	return 0;
}
