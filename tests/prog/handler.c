/* SPDX-License-Identifier: MIT */
/*
 * handler: makes, binds, connects and closes sockets for two seconds, while a
 * signal handler, up to 500 times a second, does the same once in between.
 * POSIX lets it: all these calls are async-signal-safe. Prints whether both got
 * any work done.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static volatile sig_atomic_t in_main, in_handler, failed;

/* One exchange by a port that the system picks. */
static int exchange(void)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_LOCAL,
		.svm_port = VMADDR_PORT_ANY,
	};
	socklen_t len = sizeof(addr);
	int server = socket(AF_VSOCK, SOCK_STREAM, 0);
	int client = socket(AF_VSOCK, SOCK_STREAM, 0);
	int conn, rc;
	char c = 'x';

	if (bind(server, (struct sockaddr *)&addr, len) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&addr, &len))
		return -1;
	do
		rc = connect(client, (struct sockaddr *)&addr, len);
	while (rc && errno == EINTR);
	if (rc)
		return -1;
	do
		conn = accept(server, NULL, NULL);
	while (conn < 0 && errno == EINTR);
	if (write(client, &c, 1) != 1 || read(conn, &c, 1) != 1)
		return -1;
	close(conn);
	close(client);
	close(server);
	return 0;
}

static void on_alarm(int sig)
{
	static sig_atomic_t last = -1;
	int saved = errno;

	(void)sig;
	if (in_main == last) /* a slow machine would do nothing else */
		return;
	last = in_main;
	if (exchange())
		failed = 1;
	in_handler++;
	errno = saved;
}

int main(void)
{
	struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = SA_RESTART,
	};
	struct itimerval often = { { .tv_usec = 2000 }, { .tv_usec = 2000 } };
	time_t end = time(NULL) + 2;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (; time(NULL) < end || !in_main || !in_handler; in_main++)
		if (exchange())
			failed = 1;
	if (!in_main || !in_handler)
		puts("idle");
	else
		puts(failed ? "failed" : "ok");
	return 0;
}
