/* SPDX-License-Identifier: MIT */
/* O_ASYNC: has SIGIO come? */
#include "oracle.h"

static volatile sig_atomic_t sigios;

static void on_sigio(int sig UNUSED)
{
	sigios++;
}

static void async(int fd)
{
	MUST(fcntl(fd, F_SETOWN, getpid()));
	MUST(fcntl(fd, F_SETFL, MUST(fcntl(fd, F_GETFL)) | O_ASYNC));
	sigios = 0;
}

/* Did it come, since it was asked last? */
static void fact_sigio(const char *id)
{
	settle();
	say(id, "%s", sigios ? "SIGIO" : "nothing");
	sigios = 0;
}
