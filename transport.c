/* SPDX-License-Identifier: MIT */
/*
 * VSOCKSHIM_TRANSPORT: see transport.h.
 *
 * Theory of operation. The bridge is the command beside the library, `vsockshim
 * bridge vhost --on-demand`. A process without an exit signal makes the one
 * that becomes the bridge, and ends: so the program gets no SIGCHLD and finds
 * nothing by wait(2). Both share our memory until then, as one of
 * posix_spawn(3) does. The bridge's standard error is a pipe until it serves,
 * which an empty line says. Who comes at the same time, thread or process,
 * waits for the machine's claim and finds the gateway there.
 */
#include "transport.h"

#include "conf.h"
#include "core/util.h"
#include "next.h"
#include "pending.h"
#include "say.h"
#include "trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define WAIT_NS	   UINT64_C(5000000000) /* until the bridge serves */
#define AGAIN_NS   UINT64_C(1000000000) /* after it could not be started */
#define LINGER	   "5" /* seconds that it stays when nobody is there */
#define STACK_SIZE 16384

static const struct sys *const sys = &sys_kernel;

/* The command: beside the library in the tree, or where it was installed. */
static bool find_command(char *path, size_t size)
{
	static const char places[][24] = { "/vsockshim", "/../../bin/vsockshim",
					   "/../../../bin/vsockshim" };
	static char dir[PATH_MAX];
	struct stat st;
	Dl_info info;
	char *slash = NULL;

	if (dladdr((void *)transport_start, &info) && info.dli_fname &&
	    util_join(dir, sizeof(dir), info.dli_fname, ""))
		slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++)
		if (util_join(path, size, dir, places[i]) &&
		    sys->stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return true;
	return false;
}

struct child {
	const char *const *argv;
	const char *const *envp;
	int null, pipe; /* beyond the standard ones, closed by exec */
};

/* One at a time: who runs them holds the claim. (So are the paths below: they
 * are no frames for a small stack.) */
static _Alignas(16) char stacks[2][STACK_SIZE];

static int become_bridge(void *arg)
{
	const struct child *c = arg;

	NEXT(dup2)(c->null, STDIN_FILENO);
	NEXT(dup2)(c->null, STDOUT_FILENO);
	NEXT(dup2)(c->pipe, STDERR_FILENO);
	execve(c->argv[0], (char *const *)c->argv, (char *const *)c->envp);
	return 127;
}

static int be_its_parent(void *arg)
{
	/* exec(2) would give it an exit signal. */
	clone(become_bridge, stacks[1] + STACK_SIZE, CLONE_VM | CLONE_VFORK,
	      arg);
	return 0;
}

static void run(struct child *c)
{
	int saved = errno, pid, reaper = 0;

	/* Who adopts orphans would get the bridge for a child after all. */
	NEXT(prctl)(PR_GET_CHILD_SUBREAPER, &reaper);
	if (reaper)
		NEXT(prctl)(PR_SET_CHILD_SUBREAPER, 0);
	pid = clone(be_its_parent, stacks[0] + STACK_SIZE,
		    CLONE_VM | CLONE_VFORK, c);
	if (pid > 0)
		NEXT(syscall)(SYS_wait4, pid, NULL, __WCLONE, NULL);
	if (reaper)
		NEXT(prctl)(PR_SET_CHILD_SUBREAPER, 1);
	errno = saved;
}

/* An empty line says that it serves. */
static bool serves(const char *said, size_t n)
{
	return n >= 1 && said[n - 1] == '\n' && (n == 1 || said[n - 2] == '\n');
}

/* What the bridge says until it serves or ends; false if it does not serve. Its
 * end may be missed: a child forked by another thread may have the pipe. */
static bool listen_to(int fd, char *said, size_t size)
{
	uint64_t end = pending_now() + WAIT_NS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && !serves(said, have) && (now = pending_now()) < end) {
		if (NEXT(poll)(&p, 1, (int)((end - now) / 1000000) + 1) <= 0)
			continue;
		n = sys->read(fd, said + have, size - 1 - have);
		have += n > 0 ? (size_t)n : 0;
	}
	if (have)
		said[have] = '\0';
	if (serves(said, have))
		return true;
	if (n > 0)
		util_join(said, size, "vsockshim: the bridge does not begin\n",
			  "");
	return false;
}

/* A descriptor that is none of the standard ones. */
static int move_up(int fd)
{
	int up;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	up = sys->fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	sys->close(fd);
	return up;
}

/* Holds the claim. False, and what is to be said of it in @said. */
OWN_FRAME static bool start(const struct machine *m, char *said, size_t size)
{
	static char command[PATH_MAX], log[PATH_MAX + 16];
	char cid[ADDR_U32_MAX + 1];
	const char *device = conf_vhost(), *to = secure_getenv("VSOCKSHIM_LOG");
	const char *const argv[] = { command,	 "bridge",   "vhost",
				     "--cid",	 cid,	     "--dir",
				     m->dir,	 "--device", device,
				     "--linger", LINGER,     "--on-demand",
				     NULL };
	const char *const envp[] = {
		to && util_join(log, sizeof(log), "VSOCKSHIM_LOG=", to) ? log
									: NULL,
		NULL
	};
	struct child c = { .argv = argv, .envp = envp };
	int fds[2] = { -1, -1 }, saved = errno;
	bool begun = false;

	*addr_put_u32(cid, m->cid) = '\0';
	util_join(said, size, "vsockshim: the bridge cannot be started\n", "");
	if (!find_command(command, sizeof(command))) {
		util_join(said, size,
			  "vsockshim: the vsockshim command is not beside the "
			  "library\n",
			  "");
		return false;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		goto out;
	fds[0] = move_up(fds[0]);
	c.pipe = fds[1] = move_up(fds[1]);
	c.null = move_up(sys->open("/dev/null", O_RDWR | O_CLOEXEC, 0));
	if (fds[0] >= 0 && fds[1] >= 0 && c.null >= 0) {
		run(&c);
		sys->close(fds[1]);
		fds[1] = -1;
		begun = listen_to(fds[0], said, size);
	}
	sys->close(c.null);
out:
	sys->close(fds[0]);
	sys->close(fds[1]);
	errno = saved;
	return begun;
}

/* Is there nothing that a device could be? Then `auto` takes paths. */
static int device_errno(void)
{
	int fd = sys->open(conf_vhost(), O_RDWR | O_CLOEXEC, 0);

	if (fd >= 0)
		sys->close(fd);
	return fd < 0 ? fd : 0;
}

static bool takes_paths(const struct machine *m)
{
	static bool decided;
	int r = 0;

	if (conf_transport() == TRANSPORT_UNIX)
		return true;
	if (conf_transport() == TRANSPORT_VHOST)
		return false;
	if (__atomic_load_n(&decided, __ATOMIC_RELAXED))
		return true;
	if (m->cid > VMADDR_CID_HOST) {
		r = device_errno();
		if (r != -ENOENT && r != -ENXIO && r != -EACCES && r != -EPERM)
			return false;
	}
	if (__atomic_exchange_n(&decided, true, __ATOMIC_RELAXED) ||
	    !trace_on(TRACE_TRANSPORT, TRACE_ANY))
		return true;
	if (r < 0)
		trace_note("transport: paths, as %q cannot be opened: %n",
			   conf_vhost(), -r);
	else
		trace_note("transport: paths, as only guests have a device");
	return true;
}

/* That there is a bridge is told once a process, that one was started always.
 */
static void trace_bridge(bool started)
{
	static bool told;

	if (!trace_on(TRACE_TRANSPORT, TRACE_ANY) ||
	    (__atomic_exchange_n(&told, true, __ATOMIC_RELAXED) && !started))
		return;
	if (started)
		trace_note("transport: a bridge to %q, started now",
			   conf_vhost());
	else
		trace_note("transport: a bridge, there already");
}

/* Once a process. */
static void complain(const char *text)
{
	static bool said;

	if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		say_text(text);
}

int transport_again(struct machine *m)
{
	static uint64_t not_before;
	uint64_t until;
	sigset_t all, old;
	char said[512];
	int claim, cancel, r = 0;
	bool started = false;

	if (takes_paths(m))
		return 0;
	__atomic_store_n(&m->only_gateway, true, __ATOMIC_RELAXED);
	if (m->cid <= VMADDR_CID_HOST) {
		complain("vsockshim: VSOCKSHIM_TRANSPORT=vhost: takes a "
			 "guest's VSOCKSHIM_CID, 3 to 4294967294\n");
		return -ENODEV;
	}
	until = __atomic_load_n(&not_before, __ATOMIC_RELAXED);
	if (until && pending_now() < until)
		return -ENODEV;
	/* socket(2) is where no thread is cancelled. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	sigfillset(&all);
	sys->procmask(SIG_BLOCK, &all, &old);
	claim = rdv_gateway_claim(m);
	if (claim >= 0 && !rdv_gateway_lives(m)) {
		started = start(m, said, sizeof(said));
		if (!started && !rdv_gateway_lives(m)) { /* by somebody else */
			complain(said);
			__atomic_store_n(&not_before, pending_now() + AGAIN_NS,
					 __ATOMIC_RELAXED);
			r = -ENODEV;
		}
	}
	if (claim >= 0)
		rdv_gateway_unclaim(m, claim);
	else
		r = -ENODEV;
	sys->procmask(SIG_SETMASK, &old, NULL);
	pthread_setcancelstate(cancel, NULL);
	if (r == 0)
		trace_bridge(started);
	return r;
}

int transport_start(struct machine *m)
{
	bool there = m->ports && ports_gateway(m->ports);

	if (there)
		trace_bridge(false);
	return there ? 0 : transport_again(m);
}
