/* SPDX-License-Identifier: MIT */
/*
 * vsockshim capture: writes what goes over a directory's connections to a
 * pcapng file, until it is told to end.
 */
#include "cli/cli.h"

#include "bridge/pcapng.h"
#include "bridge/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: vsockshim capture -w FILE [--cid N] [--dir DIR]\n\n"
	"Writes what goes over the connections of a directory to FILE, for "
	"Wireshark and\n"
	"tshark: connects, their answers, data, shutdowns and resets.\n\n"
	"  -w FILE        the file, pcapng; - is standard output\n"
	"  --cid N        only what programs of machine N connect to\n"
	"  --dir DIR      the rendezvous directory (default: VSOCKSHIM_DIR, as "
	"for any\n"
	"                 program)\n"
	"  -h, --help     this text\n\n"
	"Ends on SIGTERM and SIGINT, and with it the connections that it "
	"captures. Exit\n"
	"status: 0 it was to end, 1 it cannot capture or write, 2 bad "
	"usage.\n";

/* Where it goes. One for the process: the relay has no argument for it. */
static struct {
	const char *name;
	int fd, stop;
	bool is_file;
	uint64_t packets;
} out;

/* A pipe is waited for, in pieces that do not block: we may be told to end. */
static ssize_t write_piece(const struct iovec *iov)
{
	struct pollfd p[2] = { { .fd = out.fd, .events = POLLOUT },
			       { .fd = out.stop, .events = POLLIN } };
	size_t n = iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF;

	if (poll(p, 2, -1) > 0 && !p[0].revents) {
		errno = ECANCELED;
		return -1;
	}
	return write(out.fd, iov->iov_base, n);
}

/* A file takes a block at once, so that it is valid whenever we are killed. */
static int write_all(struct iovec *iov, int n)
{
	ssize_t r;

	while (n) {
		r = out.is_file ? writev(out.fd, iov, n) : write_piece(iov);
		if (r < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (r < 0)
			continue;
		for (; n && (size_t)r >= iov->iov_len; iov++, n--)
			r -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (char *)iov->iov_base + r;
			iov->iov_len -= (size_t)r;
		}
	}
	return 0;
}

static int tell(const struct packet *p, const void *payload)
{
	struct pcapng_packet room;
	struct timespec ts;
	struct iovec iov[3];
	int r;

	clock_gettime(CLOCK_REALTIME, &ts);
	pcapng_packet(&room, p, payload,
		      (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec,
		      iov);
	r = write_all(iov, 3);
	out.packets += r == 0;
	return r;
}

static int open_output(const char *name)
{
	struct stat st;

	out.name = name;
	out.fd = STDOUT_FILENO;
	if (strcmp(name, "-") == 0)
		out.name = "standard output";
	else
		out.fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (out.fd < 0 || fstat(out.fd, &st) < 0)
		return cli_fail(EXIT_FAILURE, "%s: %s", name, strerror(errno));
	if (isatty(out.fd))
		return cli_fail(EXIT_USAGE, "-w %s: is a terminal", name);
	out.is_file = S_ISREG(st.st_mode);
	return 0;
}

/* What the file had is lost only now. */
static int begin_output(void)
{
	uint8_t begin[PCAPNG_BEGIN_MAX];
	struct iovec iov = { begin, 0 };
	int r = 0;

	if (out.is_file && out.fd != STDOUT_FILENO && ftruncate(out.fd, 0) < 0)
		r = -errno;
	iov.iov_len = pcapng_begin(begin, "vsockshim " VERSION);
	if (r == 0)
		r = write_all(&iov, 1);
	if (r < 0)
		return cli_fail(EXIT_FAILURE, "%s: %s", out.name, strerror(-r));
	return 0;
}

static int capture(const char *name, const char *dir, uint32_t cid)
{
	struct relay_config config = {
		.dir = dir, .cid = cid, .tell = tell, .say = cli_say
	};
	struct relay *relay;
	int r;

	r = open_output(name); /* of a FIFO waits: signals end us there */
	if (r)
		return r;
	out.stop = config.stop = cli_stop_signals();
	cli_raise_limits();
	if (relay_new(&config, &relay) < 0)
		return EXIT_FAILURE;
	r = begin_output();
	if (r) {
		relay_free(relay);
		return r;
	}
	cli_say("capturing %s", dir);
	r = relay_run(relay);
	if (r < 0 && r != -ECANCELED)
		cli_say("%s: %s", out.name, strerror(-r));
	cli_say("%llu packets of %llu connections",
		(unsigned long long)out.packets,
		(unsigned long long)relay_connections(relay));
	relay_free(relay);
	return r < 0 && r != -ECANCELED ? EXIT_FAILURE : 0;
}

int cmd_capture(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cid", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	char room[PATH_MAX], self[] = "vsockshim";
	const char *name = NULL, *dir;
	uint32_t cid = 0;
	int c, r;

	cli_leave_preload(argv);
	argv[0] = self; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "hw:", options, NULL)) >= 0) {
		switch (c) {
		case 'w':
			name = optarg;
			break;
		case 'c':
			r = cli_cid(optarg, &cid);
			if (r)
				return r;
			break;
		case 'd':
			r = cli_set_dir(optarg);
			if (r)
				return r;
			break;
		default:
			return cli_other_option(c, help);
		}
	}
	if (!name || optind != argc)
		return cli_fail(EXIT_USAGE,
				"capture: takes -w FILE and nothing else; see "
				"vsockshim capture --help");
	r = cli_need_dir(room, sizeof(room), &dir);
	return r ? r : capture(name, dir, cid);
}
