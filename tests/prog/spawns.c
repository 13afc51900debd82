/* SPDX-License-Identifier: MIT */
/*
 * spawns HOW CID PORT COMMAND...: connects to CID:PORT, starts COMMAND in the
 * way HOW with the connection as its standard input, waits for it, and then
 * writes a line of its own into the connection.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

extern char **environ;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static pid_t start(const char *how, int fd, char **command)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	if (!strcmp(how, "posix_spawn")) {
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, fd, 0);
		posix_spawn_file_actions_addclose(&actions, fd);
		errno = posix_spawnp(&pid, command[0], &actions, NULL, command,
				     environ);
		posix_spawn_file_actions_destroy(&actions);
		return pid;
	}
	pid = strcmp(how, "vfork") ? fork() : vfork();
	if (!pid) {
		dup2(fd, 0);
		close(fd);
		execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK };
	int fd, status = 0;

	if (argc < 5)
		return 2;
	fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	addr.svm_cid = (unsigned)strtoul(argv[2], NULL, 10);
	addr.svm_port = (unsigned)strtoul(argv[3], NULL, 10);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	if (start(argv[1], fd, argv + 4) < 0 || wait(&status) < 0)
		die(argv[1]);
	if (write(fd, "still here\n", 11) != 11)
		die("write");
	return WEXITSTATUS(status);
}
