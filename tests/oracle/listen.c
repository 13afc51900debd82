/* SPDX-License-Identifier: MIT */
/* listen(): in which states, and how many connections it admits. */
#include "oracle.h"

static void states(void)
{
	int file = (int)MUST(open("/dev/null", O_RDWR)), s, c;
	struct conn p;

	FACT("badf", listen(-1, 1));
	FACT("notsock", listen(file, 1));
	FACT_FRESH("unbound", listen(fresh, 1));
	s = bound(ANY, 5000);
	FACT("bound", listen(s, 1));
	FACT("twice", listen(s, 1));
	close(s);

	p = connection();
	FACT("connected", listen(p.c, 1));
	FACT("accepted", listen(p.a, 1));
	MUST(shutdown(p.c, SHUT_RDWR));
	FACT("after_shutdown", listen(p.c, 1));
	disconnect(p);

	/* A refused socket is bound, and may serve. */
	s = vsock();
	FACT("refused_connect", connect(s, vm(1, 5999), 16));
	FACT("after_refused", listen(s, 1));
	FACT_ADDR("after_refused_name", getsockname(s, ADDR));
	c = vsock();
	FACT("after_refused_client", connect(c, vm(1, port_of(s)), 16));
	close(c);
	close(s);

	s = vsock();
	FACT("nodev_connect", connect(s, vm(99, 5999), 16));
	FACT("after_nodev", listen(s, 1));
	close(s);

	s = vsock();
	set_nonblock(s, true);
	FACT("nonblock_connect", connect(s, vm(1, 5999), 16));
	AWAIT_MASK(s, POLLERR);
	FACT("after_nonblock_refused", listen(s, 1));
	close(s);
}

static void backlogs(void)
{
	int s = listener(ANY, 5000, 0), c[20], i, a, failed = 0;

	for (i = 0; i < 4; i++)
		c[i] = vsock();
	FACT("backlog_0_first", connect(c[0], vm(1, 5000), 16));
	FACT("backlog_0_second", connect(c[1], vm(1, 5000), 16));
	FACT("backlog_0_second_again", connect(c[1], vm(1, 5000), 16));
	set_nonblock(c[2], true);
	FACT("backlog_0_nonblock", connect(c[2], vm(1, 5000), 16));
	FACT_MASK_AT("backlog_0_nonblock_mask", c[2], POLLERR);
	FACT_SO_ERROR("backlog_0_nonblock_error", c[2]);
	FACT_SO_ERROR("backlog_0_nonblock_error_again", c[2]);
	c[4] = vsock();
	MUST_FAIL(connect(c[4], vm(1, 5000), 16));
	FACT("backlog_0_refused_listens", listen(c[4], 1));
	close(c[4]);
	FACT("raise", listen(s, 1));
	FACT("raised", connect(c[3], vm(1, 5000), 16));
	a = FACT_FD_ADDR("first_served", accept(s, ADDR));
	say("first_served_port", "%d", got.vm.svm_port == port_of(c[0]));
	FACT("room_again", connect(c[1], vm(1, 5000), 16));
	close(a);
	a = FACT_FD_ADDR("second_served", accept(s, ADDR));
	say("second_served_port", "%d", got.vm.svm_port == port_of(c[3]));
	close(a);
	a = FACT_FD_ADDR("third_served", accept(s, ADDR));
	say("third_served_port", "%d", got.vm.svm_port == port_of(c[1]));
	close(a);
	set_nonblock(s, true);
	FACT("none_left", accept(s, NULL, NULL));
	for (i = 0; i < 4; i++)
		close(c[i]);
	close(s);

	s = listener(ANY, 5000, 1);
	for (i = 0; i < 3; i++)
		c[i] = vsock();
	FACT("backlog_1_first", connect(c[0], vm(1, 5000), 16));
	FACT("backlog_1_second", connect(c[1], vm(1, 5000), 16));
	FACT("backlog_1_third", connect(c[2], vm(1, 5000), 16));
	FACT("lower", listen(s, 0));
	a = FACT_FD("lower_accept", accept(s, NULL, NULL));
	FACT("lower_keeps_queue", connect(c[2], vm(1, 5000), 16));
	close(a);
	for (i = 0; i < 3; i++)
		close(c[i]);
	close(s);

	s = bound(ANY, 5000);
	FACT("backlog_negative", listen(s, -1));
	for (i = 0; i < 20; i++) {
		c[i] = vsock();
		failed += connect(c[i], vm(1, 5000), 16) != 0;
	}
	say("backlog_negative_refuses", "%d of 20", failed);
	for (i = 0; i < 20; i++)
		close(c[i]);
	close(s);

	s = bound(ANY, 5000);
	FACT("backlog_max", listen(s, INT_MAX));
	c[0] = vsock();
	FACT("backlog_max_connect", connect(c[0], vm(1, 5000), 16));
	close(c[0]);
	close(s);
}

/* More than net.core.somaxconn is as much. */
static void most(void)
{
	FILE *f = fopen("/proc/sys/net/core/somaxconn", "r");
	int s = bound(ANY, 5000), c, max, n = 0;

	if (!f || fscanf(f, "%d", &max) != 1)
		exit(3);
	fclose(f);
	MUST(listen(s, INT_MAX));
	for (;;) {
		c = vsock();
		if (connect(c, vm(1, 5000), 16) < 0)
			break;
		close(c);
		n++;
	}
	say("somaxconn", "%s after net.core.somaxconn + %d",
	    strerrorname_np(errno), n - max);
	close(c);
	close(s);
}

/* A client that gave up still sits in the queue. */
static void gone_clients(void)
{
	int s = listener(ANY, 5000, 0), c = client(1, 5000), d = vsock();

	close(c);
	FACT("gone_client_holds_place", connect(d, vm(1, 5000), 16));
	close(d);
	close(s);
}

int main(void)
{
	oracle_start();
	states();
	backlogs();
	most();
	gone_clients();
	return 0;
}
