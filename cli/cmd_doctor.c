/* SPDX-License-Identifier: MIT */
/*
 * vsockshim doctor: says in words what works here, and why a command would not
 * be reached. Only looks: makes nothing, and opens no device.
 */
#include "cli/cli.h"

#include "cli/reach.h"
#include "core/rdv.h"
#include "core/util.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char help[] =
	"usage: vsockshim doctor [OPTIONS] [--] [COMMAND [ARGUMENTS]]\n\n"
	"Says what works here and what does not, and whether the library would "
	"reach\n"
	"COMMAND, which is not run.\n\n"
	"  --cid N    as if VSOCKSHIM_CID were N\n"
	"  --dir DIR  as if VSOCKSHIM_DIR were DIR\n"
	"  -h, --help this text\n\n"
	"Exit status: 0 all is well, 1 something would not work (the lines "
	"that "
	"begin\n"
	"with \"NO\"), 2 bad usage.\n";

enum verdict { GOOD, BAD, NOTE };

struct report {
	bool colours, bad;
};

__attribute__((format(printf, 3, 4))) static void
say(struct report *r, enum verdict verdict, const char *format, ...)
{
	static const char *const marks[][2] = {
		{ "ok  ", "\33[32mok\33[m  " },
		{ "NO  ", "\33[31mNO\33[m  " },
		{ "    ", "    " },
	};
	va_list ap;

	fputs(marks[verdict][r->colours], stdout);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	if (verdict == BAD)
		r->bad = true;
}

/* --- the kernel ---------------------------------------------------------- */

static void kernel(struct report *r)
{
	uint64_t v = UINT64_C(0x5653000000000001), got = 0;
	socklen_t len = sizeof(got);
	struct utsname u;
	int fd, tag;

	(void)uname(&u);
	fd = sys_kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		say(r, BAD, "kernel: AF_UNIX sockets cannot be made: %s",
		    strerror(-fd));
		return;
	}
	tag = sys_kernel.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &v,
				    sizeof(v));
	if (tag == 0)
		tag = sys_kernel.getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE,
					    &got, &len);
	if (tag == 0 && got == v)
		say(r, GOOD, "kernel: %s %s, AF_UNIX keeps what the shim needs",
		    u.sysname, u.release);
	else if (tag == -ENOPROTOOPT)
		say(r, GOOD,
		    "kernel: %s %s, AF_UNIX has no SO_MAX_PACING_RATE (as "
		    "gVisor): SO_LINGER is used",
		    u.sysname, u.release);
	else
		say(r, BAD,
		    "kernel: %s %s, AF_UNIX does not keep a 64-bit "
		    "SO_MAX_PACING_RATE: no socket can be marked as vsock",
		    u.sysname, u.release);
	len = sizeof(got);
	tag = sys_kernel.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &got, &len);
	if (tag < 0)
		say(r, NOTE,
		    "kernel: no SO_COOKIE: sockets are told apart by their "
		    "inode");
	sys_kernel.close(fd);
}

/* Does a line of the file begin with @word and go on with @rest? */
static bool has_line(const char *path, const char *word, const char *rest)
{
	FILE *f = fopen(path, "re");
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, word, strlen(word)) == 0 &&
			strstr(line + strlen(word), rest);
	if (f)
		fclose(f);
	return found;
}

static void surroundings(struct report *r)
{
	struct stat st;

	if (has_line("/proc/self/status", "Seccomp:", "2"))
		say(r, NOTE,
		    "seccomp: a filter is on, as in containers; one that "
		    "forbids AF_VSOCK does not matter");
	if (has_line("/proc/modules", "vsock ", ""))
		say(r, NOTE,
		    "the kernel's own vsock: its module is loaded; "
		    "programs under the shim do not meet it");
	else if (sys_kernel.stat("/dev/vsock", &st) == 0)
		say(r, NOTE,
		    "the kernel's own vsock: /dev/vsock is there; "
		    "programs under the shim do not meet it");
	else
		say(r, NOTE, "the kernel's own vsock: none, nor is it needed");
}

static void transport(struct report *r)
{
	const char *wanted = getenv("VSOCKSHIM_TRANSPORT");
	const char *device = getenv("VSOCKSHIM_VHOST");
	bool must = wanted && strcmp(wanted, "vhost") == 0;
	bool used = must || (wanted && strcmp(wanted, "auto") == 0);
	struct stat st;

	if (!device || !*device)
		device = "/dev/vhost-vsock";
	if (wanted && !used && strcmp(wanted, "unix") != 0)
		say(r, BAD,
		    "VSOCKSHIM_TRANSPORT=%s: takes unix, vhost or auto (unix "
		    "is used)",
		    wanted);
	if (stat(device, &st) < 0)
		say(r, must ? BAD : NOTE,
		    "%s: %s; only `vsockshim bridge` and VSOCKSHIM_TRANSPORT "
		    "need it (module vhost_vsock)",
		    device, strerror(errno));
	else if (access(device, R_OK | W_OK) < 0)
		say(r, must ? BAD : NOTE,
		    "%s: %s; a bridge must read and write it", device,
		    strerror(errno));
	else
		say(r, used ? GOOD : NOTE,
		    "%s: a bridge to the kernel's own vsock can be run",
		    device);
}

/* --- the machine --------------------------------------------------------- */

/* Could @path, which is not there, be made in what becomes @parent? */
static bool can_make(const char *path, char parent[static PATH_MAX])
{
	char *slash;

	/* It is short enough, as the kernel looked for it. */
	(void)util_join(parent, PATH_MAX, path, "");
	slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';
	else
		memcpy(parent, ".", 2);
	return access(parent, W_OK | X_OK) == 0;
}

static void absent(struct report *r, const char *dir)
{
	char parent[PATH_MAX];

	if (can_make(dir, parent))
		say(r, GOOD, "directory: %s; the first program makes it", dir);
	else
		say(r, BAD, "directory: %s: cannot be made in %s: %s", dir,
		    parent, strerror(errno));
}

static void directory(struct report *r, const struct machine *m)
{
	const char *from = getenv("VSOCKSHIM_DIR") ? "" : " (the default)";
	const char *why;
	int n = rdv_check(m, &why);

	if (n == -ENOENT)
		absent(r, m->dir);
	else if (n < 0)
		say(r, BAD, "directory: %s%s: %s", m->dir, from,
		    why ? why : strerror(-n));
	else if (access(m->dir, R_OK | W_OK | X_OK) < 0)
		say(r, BAD,
		    "directory: %s%s: %s; who makes sockets must write to it",
		    m->dir, from, strerror(errno));
	else
		say(r, GOOD, "directory: %s%s", m->dir, from);
}

static void cid(struct report *r, struct machine *m)
{
	const char *text = getenv("VSOCKSHIM_CID"), *s = text;
	uint32_t was;

	m->cid = VMADDR_CID_HOST;
	if (text && (!cli_scan_cid(&s, &m->cid) || *s)) {
		say(r, BAD,
		    "VSOCKSHIM_CID=%s: takes 1 (loopback only), 2 (the host) "
		    "or 3 to 4294967294 (a guest)",
		    text);
		m->cid = 0;
		return;
	}
	was = m->cid;
	m->cid = rdv_now(m, was);
	if (m->cid != was)
		say(r, NOTE,
		    "CID %u: that machine has migrated, and is %u now: so are "
		    "programs that begin with %u",
		    was, m->cid, was);
	if (m->cid == VMADDR_CID_LOCAL) {
		say(r, GOOD, "CID 1: reaches only itself, at 1 and 2");
	} else if (m->cid == VMADDR_CID_HOST) {
		say(r, GOOD,
		    "CID 2%s: the host; reaches itself at 1 and 2, and the "
		    "guests of the directory",
		    text ? "" : " (the default)");
	} else {
		say(r, GOOD,
		    "CID %u: a guest; reaches itself at 1 and %u, the host at "
		    "2, and the other guests of the directory",
		    m->cid, m->cid);
	}
}

static void dgram(struct report *r)
{
	const char *wanted = getenv("VSOCKSHIM_DGRAM");

	if (wanted && strcmp(wanted, "off") == 0)
		say(r, NOTE,
		    "VSOCKSHIM_DGRAM=off: SOCK_DGRAM is ENODEV, as on virtio "
		    "kernels");
	else if (wanted && strcmp(wanted, "on") != 0)
		say(r, BAD, "VSOCKSHIM_DGRAM=%s: takes on or off (on is used)",
		    wanted);
}

static void debug(struct report *r)
{
	static const char known[] = ",all,socket,data,option,poll,transport,";
	const char *wanted = getenv("VSOCKSHIM_DEBUG");
	char word[32];
	size_t n;

	for (const char *s = wanted; s && *s; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		(void)snprintf(word, sizeof(word), ",%.*s,", (int)n, s);
		if (n && !strstr(known, word)) {
			say(r, BAD,
			    "VSOCKSHIM_DEBUG=%s: takes all, or some of socket, "
			    "data, option, poll and transport, with commas in "
			    "between",
			    wanted);
			return;
		}
	}
	if (wanted && *wanted)
		say(r, NOTE, "VSOCKSHIM_DEBUG=%s: programs tell of their calls",
		    wanted);
}

static void log_file(struct report *r)
{
	const char *log = getenv("VSOCKSHIM_LOG");
	char parent[PATH_MAX];

	if (!log || !*log || access(log, W_OK) == 0 ||
	    (errno == ENOENT && can_make(log, parent)))
		return;
	say(r, BAD,
	    "VSOCKSHIM_LOG=%s: cannot be appended to: %s (standard error is "
	    "used)",
	    log, strerror(errno));
}

/* "machine 3: ports 1234 2000": those whose names are there. */
static void machine(struct report *r, const char *dir, const char *number)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[PATH_MAX], *text = NULL;
	const struct dirent *e;
	size_t size, n = 0;
	struct name name;
	FILE *f;
	DIR *d;
	int len;

	len = snprintf(path, sizeof(path), "%s/%s", dir, number);
	d = len > 0 && (size_t)len < sizeof(path) ? opendir(path) : NULL;
	if (!d)
		return;
	f = open_memstream(&text, &size);
	while (f && (e = readdir(d))) {
		len = snprintf(un.sun_path, sizeof(un.sun_path), "/%s/%s",
			       number, e->d_name);
		if (len < 0 || (size_t)len >= sizeof(un.sun_path))
			continue;
		name = name_decode(&un, sizeof(un));
		if (name.kind == NAME_GATEWAY)
			fputs(" gateway", f);
		else if (name.kind == NAME_PATH)
			fprintf(f, " %u%s", name.port,
				name.dgram ? " (dgram)" : "");
		n += name.kind != NAME_NONE;
	}
	closedir(d);
	if (!f)
		return;
	fclose(f);
	say(r, NOTE, "machine %s: %s%s", number, n ? "ports" : "no ports",
	    text);
	free(text);
}

static void machines(struct report *r, const struct machine *m)
{
	const struct dirent *e;
	DIR *dir = opendir(m->dir);
	uint32_t number;
	const char *s;

	while (dir && (e = readdir(dir))) {
		s = e->d_name;
		if (cli_scan_cid(&s, &number) && !*s)
			machine(r, m->dir, e->d_name);
	}
	if (dir)
		closedir(dir);
}

/* --- the library and the command ----------------------------------------- */

/* False: there is none that could reach anything. */
static bool library(struct report *r, char *path, size_t size)
{
	if (!reach_library(path, size)) {
		say(r, BAD,
		    "library: libvsockshim.so is not beside the vsockshim "
		    "command");
		return false;
	}
	if (strpbrk(path, " :"))
		say(r, BAD,
		    "library: %s: cannot be preloaded from a path with a "
		    "space or a colon",
		    path);
	else
		say(r, GOOD, "library: %s%s", path,
		    strstr(path, "/$LIB/")
			    ? ", of several architectures: each program's "
			      "loader takes its own"
			    : "");
	return true;
}

/* Those that start programs with another environment. */
static const char *scrubs(char **argv)
{
	static const char *const names[] = {
		"sudo", "su", "doas", "pkexec", "systemd-run", "runuser"
	};
	const char *base = strrchr(argv[0], '/');

	base = base ? base + 1 : argv[0];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(base, names[i]) == 0)
			return "gives its command another environment, "
			       "without the preload: put `vsockshim run` "
			       "behind it";
	if (strcmp(base, "env") == 0 && argv[1] &&
	    (strcmp(argv[1], "-i") == 0 || strcmp(argv[1], "-") == 0 ||
	     strcmp(argv[1], "--ignore-environment") == 0))
		return "clears the environment, and the preload with it: put "
		       "`vsockshim run` behind it";
	return NULL;
}

#define SCRIPTS 4 /* as many as a kernel follows */

static void command(struct report *r, char **argv, const char *lib)
{
	char path[PATH_MAX], next[PATH_MAX];
	const char *why = scrubs(argv);

	if (!reach_find(argv[0], path, sizeof(path))) {
		say(r, BAD, "%s: is not found in PATH", argv[0]);
		return;
	}
	if (access(path, X_OK) < 0) {
		say(r, BAD, "%s: %s", path, strerror(errno));
		return;
	}
	for (int i = 0; i < SCRIPTS && reach_script(path, next, sizeof(next));
	     i++) {
		say(r, NOTE, "%s: a script, which %s runs", path, next);
		memcpy(path, next, sizeof(path));
	}
	if (access(path, X_OK) < 0)
		why = strerror(errno);
	if (!why && lib)
		why = reach_misfit(path, lib);
	if (!why)
		why = reach_objection(path);
	if (why)
		say(r, BAD, "%s: %s", path, why);
	else
		say(r, GOOD, "%s: the library will be in it", path);
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cid", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		CLI_HELP,
		{ NULL, 0, NULL, 0 },
	};
	struct report r = { .colours = cli_colours() };
	struct machine m = { .sys = &sys_kernel };
	char dir[PATH_MAX], lib[PATH_MAX], name[] = "vsockshim";
	bool has_library;
	int c, bad;

	argv[0] = name; /* as getopt begins its messages */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		if (c == 'd')
			bad = cli_set_dir(optarg);
		else if (c == 'c')
			bad = cli_cid(optarg, &m.cid);
		else
			bad = cli_other_option(c, help);
		if (bad)
			return bad;
		if (c == 'c')
			setenv("VSOCKSHIM_CID", optarg, 1);
	}
	kernel(&r);
	surroundings(&r);
	transport(&r);
	has_library = library(&r, lib, sizeof(lib));
	m.dir = cli_dir(dir, sizeof(dir));
	if (m.dir) {
		directory(&r, &m);
		cid(&r, &m);
		dgram(&r);
		debug(&r);
		log_file(&r);
		machines(&r, &m);
	} else {
		say(&r, BAD, "directory: XDG_RUNTIME_DIR is too long");
	}
	if (argv[optind])
		command(&r, argv + optind, has_library ? lib : NULL);
	c = cli_flushed();
	return c ? c : r.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
