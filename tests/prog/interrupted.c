/* SPDX-License-Identifier: MIT */
/*
 * interrupted CID PORT: a blocking connect to a machine that never answers,
 * with a signal after 200 ms whose handler is SA_RESTART, then once more
 * without. Prints what each of them said and how many milliseconds it took.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <linux/vm_sockets.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long since @start it took. */
static void try(int fd, const struct sockaddr_vm *addr, long start)
{
	int rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));

	printf("%s %ld\n", rc ? strerrorname_np(errno) : "ok",
	       milliseconds() - start);
}

int main(int argc, char **argv)
{
	struct sigaction action = {
		.sa_handler = on_alarm,
		.sa_flags = SA_RESTART,
	};
	/* one may come before the call */
	struct itimerval often = { { .tv_usec = 200000 },
				   { .tv_usec = 200000 } };
	struct itimerval never = { 0 };
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	long start;

	if (argc < 3 || fd < 0) {
		perror("socket");
		return 1;
	}
	addr.svm_cid = (unsigned)strtoul(argv[1], NULL, 10);
	addr.svm_port = (unsigned)strtoul(argv[2], NULL, 10);
	sigaction(SIGALRM, &action, NULL);
	start = milliseconds();
	setitimer(ITIMER_REAL, &often, NULL);
	try(fd, &addr, start);
	setitimer(ITIMER_REAL, &never, NULL);
	puts(alarms ? "signals" : "no signal");
	try(fd, &addr, milliseconds());
	return 0;
}
