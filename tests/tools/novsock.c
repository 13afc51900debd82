/* SPDX-License-Identifier: MIT */
/*
 * novsock [--io-uring] COMMAND...: becomes COMMAND, on a kernel that seems to
 * lack vsock.
 *
 * A seccomp filter, which all children inherit, refuses AF_VSOCK sockets with
 * EAFNOSUPPORT and io_uring, which can make sockets too, with ENOSYS. The vsock
 * devices, where the host has them, cannot be opened any more (EACCES). So no
 * test can touch the host's own vsock, and a call that the preloaded library
 * should have answered but did not is seen.
 *
 * --io-uring allows io_uring. It is for programs that are known to make no
 * socket by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */
#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQ(value, yes, no)                                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define IF_GE(value, yes, no)                                                  \
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, yes, no)
#define REFUSE(err) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

#define NONE 0xffffffff /* no such call in this ABI */

/*
 * The sixteen instructions for one ABI; the jumps count them. socketcall keeps
 * its arguments in memory, where no filter can look: it may make no socket at
 * all (see direct.c). Refused are also the numbers from `foreign` on, which
 * belong to another ABI of the same arch.
 */
#define ABI(audit_arch, socket, socketpair, socketcall, foreign)               \
	LOAD(arch),                                                            \
	IF_EQ(audit_arch, 0, 14), /* else the next ABI */                      \
	LOAD(nr),                                                              \
	IF_GE(foreign, 11, 0),                                                 \
	IF_EQ(425, 10, 0), /* io_uring_setup, the same everywhere */           \
	IF_EQ(socketcall, 5, 0),                                               \
	IF_EQ(socket, 1, 0),                                                   \
	IF_EQ(socketpair, 0, 6),                                               \
	LOAD(args[0]),                                                         \
	IF_EQ(AF_VSOCK, 0, 4),                                                 \
	REFUSE(EAFNOSUPPORT),                                                  \
	LOAD(args[0]), /* of socketcall */                                     \
	IF_EQ(SYS_SOCKET, 2, 0),                                               \
	IF_EQ(SYS_SOCKETPAIR, 1, 0),                                           \
	ALLOW,                                                                 \
	REFUSE(ENOSYS)
/* clang-format on */

static struct sock_filter rules[] = {
#if defined(__x86_64__) || defined(__i386__)
	ABI(AUDIT_ARCH_X86_64, 41, 53, NONE, 0x40000000 /* x32 */),
	ABI(AUDIT_ARCH_I386, 359, 360, 102, NONE),
#elif defined(__aarch64__) || defined(__arm__)
	ABI(AUDIT_ARCH_AARCH64, 198, 199, NONE, NONE),
	ABI(AUDIT_ARCH_ARM, 281, 288, 102, NONE),
#elif defined(__riscv) && __riscv_xlen == 64
	ABI(AUDIT_ARCH_RISCV64, 198, 199, NONE, NONE),
#else
#error "novsock: the numbers of this machine's socket calls are missing"
#endif
	REFUSE(ENOSYS), /* an ABI that nobody described */
};

static const char *const devices[] = { "/dev/vsock", "/dev/vhost-vsock" };

/* Exit status 125, as env and timeout have it for failures of their own. */
static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "novsock: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void put_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		die(path);
	close(fd);
}

/*
 * Mounts of our own; without the right to them, as the root of a user namespace
 * in which everybody keeps the ids that they had.
 */
static void private_mounts(void)
{
	unsigned uid = geteuid();
	unsigned gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS)) {
		if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS))
			die("cannot hide the vsock devices: unshare");
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		put_line("/proc/self/uid_map", map);
		put_line("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		put_line("/proc/self/gid_map", map);
	}
	/* What follows must not reach other namespaces. In a chroot / is not a
	 * mount, but /dev, if there are devices, is. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    mount(NULL, "/dev", NULL, MS_REC | MS_PRIVATE, NULL))
		die("cannot hide the vsock devices: mount /");
}

/* Whether no program can open the device at path. Never opens it. */
static int unreachable(const char *path)
{
	struct statvfs fs;

	if (access(path, F_OK))
		return errno == ENOENT;
	/* Its permissions do, unless we are root. */
	if (geteuid() && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) &&
	    faccessat(AT_FDCWD, path, W_OK, AT_EACCESS))
		return errno == EACCES;
	return statvfs(path, &fs) == 0 && fs.f_flag & ST_NODEV;
}

/*
 * A mount of the node upon itself, in which device nodes do not work: /dev is
 * otherwise as it was. A remount must repeat the flags that the mount has.
 */
static void hide(const char *path)
{
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_NODEV;
	struct statvfs fs;

	if (mount(path, path, NULL, MS_BIND, NULL) || statvfs(path, &fs))
		die(path);
	flags |= fs.f_flag & ST_RDONLY ? MS_RDONLY : 0;
	flags |= fs.f_flag & ST_NOSUID ? MS_NOSUID : 0;
	flags |= fs.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
	flags |= fs.f_flag & ST_NOATIME ? MS_NOATIME : 0;
	flags |= fs.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
	flags |= fs.f_flag & ST_RELATIME ? MS_RELATIME : 0;
	if (mount(NULL, path, NULL, flags, NULL))
		die(path);
	if (!unreachable(path)) {
		errno = EBUSY;
		die(path);
	}
}

static void hide_devices(void)
{
	int own_mounts = 0;

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (unreachable(devices[i]))
			continue;
		if (!own_mounts++)
			private_mounts();
		hide(devices[i]);
	}
}

static void allow_io_uring(void)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].code == (BPF_JMP | BPF_JEQ | BPF_K) &&
		    rules[i].k == SYS_io_uring_setup)
			rules[i].k = NONE;
}

/* no_new_privs only where the kernel insists: it would stop a test's su. */
static void refuse_vsock(void)
{
	struct sock_fprog filter = { sizeof(rules) / sizeof(rules[0]), rules };

	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		return;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		die("cannot refuse AF_VSOCK: seccomp");
}

int main(int argc, char **argv)
{
	int err;

	if (argc > 1 && strcmp(argv[1], "--io-uring") == 0) {
		allow_io_uring();
		argc--;
		argv++;
	}
	if (argc < 2) {
		fprintf(stderr,
			"usage: novsock [--io-uring] COMMAND [ARGUMENT...]\n");
		return 125;
	}
	hide_devices();
	refuse_vsock();
	execvp(argv[1], argv + 1);
	err = errno;
	fprintf(stderr, "novsock: %s: %s\n", argv[1], strerror(err));
	return err == ENOENT ? 127 : 126;
}
