/* SPDX-License-Identifier: MIT */
/*
 * vsockshim bridge: makes a machine of the directory the guest of a real
 * virtio-vsock device, until it is told to end.
 */
#include "cli/cli.h"

#include "bridge/bridge.h"
#include "bridge/wire.h"
#include "core/util.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE "/dev/vhost-vsock"
/* A device that broke the rules is opened again so late. */
#define AGAIN_MS 1000
/* How often one is asked for a CID in use, and how far apart. */
#define CID_TRIES 20
#define CID_MS	  50

static const char help[] =
	"usage: vsockshim bridge vhost --cid N [OPTIONS]\n\n"
	"Makes machine N the guest of this kernel's own vsock: programs under "
	"the shim\n"
	"with CID N reach the kernel's at CID 2, and are reached by them at "
	"CID "
	"N.\n\n"
	"  --cid N        the machine: 3 to 4294967294\n"
	"  --dir DIR      its rendezvous directory (default: VSOCKSHIM_DIR, as "
	"for any\n"
	"                 program)\n"
	"  --device PATH  the device (default: VSOCKSHIM_VHOST, else\n"
	"                 " DEVICE ")\n"
	"  --ready-fd FD  writes a newline to FD and closes it once it serves\n"
	"  --linger S     ends when no program has had a socket there for S "
	"seconds\n"
	"  --on-demand    as programs start it: keeps nothing of its caller's, "
	"but standard\n"
	"                 error until it serves, which an empty line there "
	"says; then\n"
	"                 VSOCKSHIM_LOG, if that is set\n"
	"  -h, --help     this text\n\n"
	"Ends on SIGTERM and SIGINT. Tells a service manager by NOTIFY_SOCKET. "
	"Exit\n"
	"status: 0 it was to end, 1 it cannot serve, 2 bad usage.\n";

struct options {
	const char *device;
	uint32_t cid;
	int ready;
	int linger_ms;
	bool on_demand;
};

static int set_option(struct options *o, int option, const char *value)
{
	const char *s = value, *end = value + strlen(value);
	uint32_t n;

	switch (option) {
	case 'c':
		if (!cli_scan_cid(&s, &o->cid) || *s ||
		    o->cid <= VMADDR_CID_HOST)
			return cli_fail(EXIT_USAGE,
					"--cid %s: takes 3 to 4294967294",
					value);
		return 0;
	case 'd':
		return cli_set_dir(value);
	case 'v':
		o->device = value;
		return 0;
	case 'r':
		if (!addr_scan_u32(&s, end, &n) || *s || n > INT_MAX ||
		    fcntl((int)n, F_GETFD) < 0)
			return cli_fail(EXIT_USAGE,
					"--ready-fd %s: takes an open "
					"descriptor",
					value);
		o->ready = (int)n;
		return 0;
	case 'l':
		if (!addr_scan_u32(&s, end, &n) || *s || n > 1000000)
			return cli_fail(
				EXIT_USAGE,
				"--linger %s: takes seconds, 0 to 1000000",
				value);
		o->linger_ms = (int)n * 1000;
		return 0;
	case 'b':
		o->on_demand = true;
		return 0;
	default:
		return cli_other_option(option, help);
	}
}

/* A line of sd_notify(3)'s protocol, if somebody wants to know. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(un.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(un.sun_path, path, n);
	if (*path == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (void *)&un,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

/* Of what our caller gave us nothing is kept but standard error, until he knows
 * how this begins, and the descriptor that tells him. */
static void leave_caller(struct options *o)
{
	sigset_t none;

	if (o->ready >= 0)
		o->ready = dup2(o->ready, STDERR_FILENO + 1);
	/* musl has no close_range(2) */
	syscall(SYS_close_range, STDERR_FILENO + (o->ready >= 0 ? 2 : 1), ~0U,
		0);
	setsid();
	(void)!chdir("/");
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* An empty line there, and nothing more: it serves. */
static void leave_stderr(void)
{
	const char *log = getenv("VSOCKSHIM_LOG");
	int fd = -1;

	(void)!write(STDERR_FILENO, "\n", 1);
	if (log && *log)
		fd = open(log,
			  O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY |
				  O_NONBLOCK | O_CLOEXEC,
			  0666);
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void ready(struct options *o)
{
	if (o->ready >= 0) {
		(void)!write(o->ready, "\n", 1);
		close(o->ready);
		o->ready = -1;
	}
	notify("READY=1");
	if (o->on_demand)
		leave_stderr();
}

/* A bridge that has just ended may have the CID for a moment still. */
static int open_device(const struct options *o, struct vhost *v, int stop)
{
	struct pollfd p = { .fd = stop, .events = POLLIN };
	const char *why = "";
	int r, tries = CID_TRIES;

	do
		r = vhost_open(v, o->device, o->cid, WIRE_BUFS, WIRE_SIZE,
			       &why);
	while (r == -EADDRINUSE && tries-- > 0 && poll(&p, 1, CID_MS) == 0);
	if (r < 0)
		cli_say("%s, CID %u: %s (%s)", o->device, o->cid, why,
			strerror(-r));
	return r;
}

/* The first device is open. */
static int serve(struct options *o, const struct bridge_config *config,
		 struct bridge *b, struct vhost *v)
{
	struct pollfd stop = { .fd = config->stop, .events = POLLIN };
	const char *lie, *why = NULL;
	int r;

	ready(o);
	cli_say("serving CID %u in %s by %s", o->cid, config->machine->dir,
		o->device);
	for (;;) {
		r = bridge_run(b, v);
		if (r != -EPROTO)
			break;
		lie = v->rings[VHOST_RX].lie ? v->rings[VHOST_RX].lie
					     : v->rings[VHOST_TX].lie;
		cli_say("%s: the device is stopped: it %s", o->device, lie);
		vhost_close(v);
		r = 0;
		if (poll(&stop, 1, AGAIN_MS) > 0)
			break;
		r = open_device(o, v, config->stop);
		if (r < 0)
			return r;
		cli_say("%s: opened again", o->device);
	}
	notify("STOPPING=1");
	if (r < 0)
		why = strerror(-r);
	else if (poll(&stop, 1, 0) == 0)
		why = "nobody has used it";
	cli_say("CID %u is served no more%s%s", o->cid, why ? ": " : "",
		why ? why : "");
	return r;
}

static int bridge(struct options *o, struct machine *m)
{
	struct bridge_config config = { .machine = m,
					.linger_ms = o->linger_ms,
					.say = cli_say };
	struct bridge *b;
	struct vhost v;
	const char *why;
	int r;

	if (o->on_demand)
		leave_caller(o);
	config.stop = cli_stop_signals();
	cli_raise_limits();
	r = rdv_open(m, &why);
	if (r < 0)
		return cli_fail(EXIT_FAILURE, "%s: %s", m->dir,
				why ? why : strerror(-r));
	if (rdv_gateway_lives(m))
		return cli_fail(EXIT_FAILURE,
				"%s: CID %u has a gateway already", m->dir,
				m->cid);
	if (open_device(o, &v, config.stop) < 0)
		return EXIT_FAILURE;
	r = bridge_new(&config, &b);
	if (r < 0) {
		cli_say("%s: no gateway for CID %u (%s)", m->dir, m->cid,
			strerror(-r));
	} else {
		r = serve(o, &config, b, &v);
		bridge_free(b);
	}
	vhost_close(&v);
	return r < 0 ? EXIT_FAILURE : 0;
}

int cmd_bridge(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cid", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		{ "device", required_argument, NULL, 'v' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "linger", required_argument, NULL, 'l' },
		{ "on-demand", no_argument, NULL, 'b' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .device = getenv("VSOCKSHIM_VHOST"),
			     .ready = -1,
			     .linger_ms = BRIDGE_FOREVER };
	struct machine m = { .sys = &sys_kernel };
	char dir[PATH_MAX], name[] = "vsockshim";
	int c, r;

	cli_leave_preload(argv);
	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		r = set_option(&o, c, optarg ? optarg : "");
		if (r)
			return r;
	}
	if (optind + 1 != argc || strcmp(argv[optind], "vhost") != 0)
		return cli_fail(EXIT_USAGE,
				"bridge: takes one kind, vhost; see "
				"vsockshim bridge --help");
	if (o.cid == 0)
		return cli_fail(EXIT_USAGE, "bridge: takes --cid; see "
					    "vsockshim bridge --help");
	if (!o.device)
		o.device = DEVICE;
	m.cid = o.cid;
	r = cli_need_dir(dir, sizeof(dir), &m.dir);
	return r ? r : bridge(&o, &m);
}
