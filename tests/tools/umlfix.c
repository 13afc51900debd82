/* SPDX-License-Identifier: MIT */
/*
 * umlfix: preloaded into Debian's linux.uml 6.1, lets it run on any CPU.
 *
 * That kernel saves the FPU state of its processes in a buffer of fixed size.
 * On CPUs with AMX the host's state is larger: the host cuts what it gives
 * (PTRACE_GETREGSET) and refuses what it gets (PTRACE_SETREGSET, EFAULT), and
 * the kernel panics. Here both go through a buffer that is large enough. On
 * other CPUs, and in a kernel that knows better, nothing changes.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The XSAVE layout: 512 bytes of legacy state, then the header, which begins
 * with a bit for each component that is present. */
#define XSTATE_BV	  512
#define XSTATE_HEADER_END 576
/* x87, SSE, AVX, MPX, AVX-512, PKRU: what lies below the cut. */
#define XSTATE_KEPT UINT64_C(0x2ff)

static unsigned char xstate[64 * 1024] __attribute__((aligned(64)));
static size_t xstate_size; /* what the host gives; 0: not asked yet */

static long sys_ptrace(int request, pid_t pid, void *addr, void *data)
{
	return syscall(SYS_ptrace, (long)request, (long)pid, addr, data);
}

static long read_xstate(pid_t pid, void *addr)
{
	struct iovec all = { xstate, sizeof(xstate) };
	long r = sys_ptrace(PTRACE_GETREGSET, pid, addr, &all);

	if (r == 0)
		xstate_size = all.iov_len;
	return r;
}

static long get_xstate(pid_t pid, void *addr, struct iovec *io)
{
	if (read_xstate(pid, addr) < 0)
		return -1;
	if (io->iov_len > xstate_size)
		io->iov_len = xstate_size;
	memcpy(io->iov_base, xstate, io->iov_len);
	return 0;
}

static long set_xstate(pid_t pid, void *addr, const struct iovec *io)
{
	struct iovec all = { xstate, 0 };
	uint64_t present;

	if (xstate_size == 0 && read_xstate(pid, addr) < 0)
		return -1;
	all.iov_len = io->iov_len < xstate_size ? io->iov_len : xstate_size;
	memset(xstate, 0, sizeof(xstate));
	memcpy(xstate, io->iov_base, all.iov_len);
	if (all.iov_len < xstate_size && all.iov_len >= XSTATE_HEADER_END) {
		memcpy(&present, xstate + XSTATE_BV, sizeof(present));
		present &= XSTATE_KEPT;
		memcpy(xstate + XSTATE_BV, &present, sizeof(present));
	}
	all.iov_len = xstate_size;
	return sys_ptrace(PTRACE_SETREGSET, pid, addr, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	pid_t pid;
	void *addr, *data;
	long word;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);

	switch (request) {
	case PTRACE_GETREGSET:
		if ((uintptr_t)addr == NT_X86_XSTATE)
			return get_xstate(pid, addr, data);
		break;
	case PTRACE_SETREGSET:
		if ((uintptr_t)addr == NT_X86_XSTATE)
			return set_xstate(pid, addr, data);
		break;
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		/* libc returns the word; the system call stores it. */
		if (sys_ptrace(request, pid, addr, &word) < 0)
			return -1;
		errno = 0;
		return word;
	default:
		break;
	}
	return sys_ptrace(request, pid, addr, data);
}
