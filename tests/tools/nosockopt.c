/* SPDX-License-Identifier: MIT */
/*
 * nosockopt OPTION... COMMAND [ARGUMENT...]: becomes COMMAND, on a kernel that
 * seems to lack these options of SOL_SOCKET, given as numbers: they are
 * ENOPROTOOPT, for all its children, too.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */
#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQ(value, yes, no)                                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define REFUSE(err) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* clang-format on */

/* Filters add up: this is one option's. */
static int refuse(int option)
{
	struct sock_filter rules[] = {
		LOAD(nr),
		IF_EQ(SYS_getsockopt, 1, 0),
		IF_EQ(SYS_setsockopt, 0, 5),
		LOAD(args[1]),
		IF_EQ(SOL_SOCKET, 0, 3),
		LOAD(args[2]),
		IF_EQ((unsigned int)option, 0, 1),
		REFUSE(ENOPROTOOPT),
		ALLOW,
	};
	struct sock_fprog filter = { sizeof(rules) / sizeof(rules[0]), rules };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

int main(int argc, char **argv)
{
	char *end;
	int option;

	for (argv++; *argv; argv++) {
		option = (int)strtol(*argv, &end, 10);
		if (*end)
			break;
		if (refuse(option) && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
				       refuse(option))) {
			perror("nosockopt: seccomp");
			return 125;
		}
	}
	if (argc < 3 || !*argv) {
		fprintf(stderr, "usage: nosockopt OPTION... COMMAND...\n");
		return 125;
	}
	execvp(*argv, argv);
	perror(*argv);
	return errno == ENOENT ? 127 : 126;
}
