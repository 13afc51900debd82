/* SPDX-License-Identifier: MIT */
/*
 * fuzz [-p] [-k NAME] FILE - random sequences of vsock calls, and what came of
 * them. A line of FILE is SEED and NUMBER, which make a sequence; if numbers of
 * calls follow, the others are left out. Or it is a sequence itself, as -p
 * prints it, which keeps its meaning when gen.c is changed. With NAME, what is
 * listed in the file "differences" under it is not left out; fuzz -k prints all
 * such names.
 *
 * A plain AF_VSOCK program: it runs in a real kernel and under the shim, and
 * prints the same. The calls depend on the seed alone. Each sequence is run by
 * a process of its own, which may fork one more. After each call the loopback
 * of the kernel is let finish; then the masks of all sockets are looked at, and
 * those that have changed are printed beside the call. The second process may
 * sleep in a call meanwhile; what comes of it is printed when it wakes. Counted
 * are descriptors from the first that was free, and ephemeral ports from the
 * first that was seen in the sequence; other ports have letters.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int shared_fd;

static struct {
	pid_t pid;  /* 0: there is none */
	bool later; /* it is in a call, or was, whose outcome is not told */
	int command[2], done[2];
} second;

long fuzz_must(long r, const char *what)
{
	if (r < 0) {
		put("\n%s: %s\n", what, strerror(errno));
		_exit(3);
	}
	return r;
}

static void map_shared(void)
{
	call_shared = mmap(NULL, sizeof(*call_shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED, shared_fd, 0);
	if (call_shared == MAP_FAILED)
		_exit(3);
}

/* --- the second process -----------------------------------------------------
 */

/* What it is told to do; a smaller number is a call of the sequence. */
enum command {
	COMMAND_RECEIVE = 64,
	COMMAND_LATER = 128,
	COMMAND_LOOK = 192,
	COMMAND_EXEC
};

static void become_anew(void);

/* A call in which it may sleep, while the first process goes on. */
static void run_later(unsigned int i)
{
	call.later = true;
	call_shared->log[1].used = 0;
	call_run(&call_shared->seq.op[i], i);
	call.later = false;
	__atomic_store_n(&call_shared->busy, false, __ATOMIC_RELEASE);
}

static void on_interrupt(int sig)
{
	(void)sig;
}

static void serve(void)
{
	unsigned char command;

	call.who = 1;
	call_renew();
	signal(SIGUSR1, on_interrupt);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(second.command[0], &command, 1) == 1) {
		if (command == COMMAND_EXEC)
			become_anew();
		else if (command == COMMAND_LOOK)
			call_masks();
		else if (command >= COMMAND_LATER)
			__atomic_store_n(&call_shared->busy, true,
					 __ATOMIC_RELEASE);
		else if (command >= COMMAND_RECEIVE)
			call_receive(&call_shared->seq
					      .op[command - COMMAND_RECEIVE]);
		else
			call_run(&call_shared->seq.op[command], command);
		MUST_BE(write(second.done[1], "", 1));
		if (command >= COMMAND_LATER && command < COMMAND_LOOK)
			run_later(command - COMMAND_LATER);
	}
	_exit(0);
}

/* All that the program has to know after an exec. */
struct anew {
	int shared_fd, command, done;
	struct call_state call;
};

static void become_anew(void)
{
	struct anew a = { .shared_fd = shared_fd,
			  .command = second.command[0],
			  .done = second.done[1],
			  .call = call };
	char text[2 * sizeof(a) + 1];
	char *argv[] = { (char *)"fuzz", (char *)"-", text, NULL };

	for (size_t i = 0; i < sizeof(a); i++)
		sprintf(text + 2 * i, "%02x", ((unsigned char *)&a)[i]);
	execv("/proc/self/exe", argv);
	MUST_BE(-1);
}

static void become_second(const char *text)
{
	struct anew a;

	for (size_t i = 0; i < sizeof(a); i++)
		sscanf(text + 2 * i, "%2hhx", (unsigned char *)&a + i);
	call_start();
	shared_fd = a.shared_fd;
	second.command[0] = a.command;
	second.done[1] = a.done;
	call = a.call;
	map_shared();
	for (int i = 0; i < SLOTS; i++)
		if (fcntl(call.slot[i], F_GETFD) < 0)
			call.slot[i] = -1;
	MUST_BE(write(second.done[1], "", 1));
	serve();
}

static bool is_busy(void)
{
	return __atomic_load_n(&call_shared->busy, __ATOMIC_ACQUIRE);
}

/* Does it sleep? The kernel's loopback has nothing left to wake it with. */
static bool second_sleeps(void)
{
	char path[32], stat[256], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", second.pid);
	fd = (int)MUST_BE(open(path, O_RDONLY | O_CLOEXEC));
	n = MUST_BE(read(fd, stat, sizeof(stat) - 1));
	close(fd);
	stat[n] = '\0';
	state = strrchr(stat, ')');
	return state && state[2] == 'S';
}

/* If the second process is done with what it sleeps in, tells what came of it.
 * If it has to be, it is interrupted. */
static void look_after_second(bool interrupt)
{
	int asleep = 0;

	if (!second.later)
		return;
	while (is_busy() && asleep < 3) {
		asleep = second_sleeps() ? asleep + 1 : 0;
		if (interrupt && asleep == 3) {
			kill(second.pid, SIGUSR1);
			asleep = 0;
		}
		sched_yield();
	}
	if (is_busy())
		return;
	second.later = false;
	put(" | %s %s", interrupt ? "interrupted" : "later",
	    call_shared->log[1].text);
}

static void tell_second(unsigned int command)
{
	unsigned char byte = (unsigned char)command;

	look_after_second(true);
	MUST_BE(write(second.command[1], &byte, 1));
	if (read(second.done[0], &byte, 1) != 1) {
		put("\nthe second process is gone\n");
		_exit(3);
	}
}

static void kill_second(void)
{
	if (!second.pid)
		return;
	kill(second.pid, SIGKILL);
	MUST_BE(waitpid(second.pid, NULL, 0));
	second.pid = 0;
	second.later = false;
	close(second.command[1]);
	close(second.done[0]);
	for (int i = 0; i < SLOTS; i++)
		call_shared->mask[1][i] = -1;
}

static void fork_second(void)
{
	if (second.pid)
		return;
	MUST_BE(pipe(second.command));
	MUST_BE(pipe(second.done));
	second.pid = (pid_t)MUST_BE(fork());
	if (!second.pid) {
		close(second.command[1]);
		close(second.done[0]);
		serve();
	}
	close(second.command[0]);
	close(second.done[1]);
}

/* --- a sequence ------------------------------------------------------------
 */

static void run_call(unsigned int i)
{
	const struct op *o = &call_shared->seq.op[i];

	put("%2u %s", i, o->who ? "second: " : "");
	if (o->kind == OP_FORK) {
		put("fork");
		fork_second();
	} else if ((o->who || o->kind == OP_EXEC || o->kind == OP_PASS) &&
		   !second.pid) {
		put("there is no second process");
	} else if (o->kind == OP_KILL) {
		put("killed");
		kill_second();
	} else if (o->kind == OP_EXEC) {
		put("exec");
		tell_second(COMMAND_EXEC);
	} else if (!o->who) {
		call_run(o, i);
		if (o->kind == OP_PASS)
			tell_second(COMMAND_RECEIVE + i);
	} else if (o->later) {
		put("begins");
		tell_second(COMMAND_LATER + i);
		second.later = true;
	} else {
		tell_second(i);
		if (o->kind == OP_PASS)
			call_receive(o);
	}
}

/* The masks that are not what they were. */
static void put_masks(int (*last)[SLOTS])
{
	call_masks();
	if (second.pid && !second.later)
		tell_second(COMMAND_LOOK);
	for (int p = 0; p < 2; p++) {
		for (int i = 0; i < SLOTS; i++) {
			int mask = call_shared->mask[p][i];

			if (mask == last[p][i])
				continue;
			last[p][i] = mask;
			put(" | %ss%d %s", p ? "second's " : "", i,
			    mask < 0 ? "empty"
				     : call_mask_text((unsigned int)mask));
		}
	}
}

/* Makes those calls of seq that are @chosen; never returns. */
static void run_calls(const bool *chosen)
{
	int last[2][SLOTS];

	alarm(10);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(last, -1, sizeof(last));
	call_open();
	for (unsigned int i = 0; i < call_shared->seq.n; i++) {
		if (!chosen[i])
			continue;
		run_call(i);
		call_settle();
		look_after_second(false);
		if (call_shared->seq.watched)
			put_masks(last);
		put("\n");
	}
	kill_second();
	_exit(0);
}

static void run_sequence(const bool *chosen)
{
	static unsigned int n_sequences;
	pid_t pid;
	int status;

	/* A client may keep its port for some seconds. */
	call.first_port = 6000 + n_sequences++ % 10000 * LETTERS;
	call_shared->first_ephemeral = 0;
	call_shared->busy = false;
	call_shared->log[0].used = 0;
	*call_shared->log[0].text = '\0';
	memset(call_shared->mask, -1, sizeof(call_shared->mask));
	fflush(stdout);
	pid = (pid_t)MUST_BE(fork());
	if (pid == 0)
		run_calls(chosen);
	MUST_BE(waitpid(pid, &status, 0));
	fputs(call_shared->log[0].text, stdout);
	if (WIFSIGNALED(status))
		printf("\nended by signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		printf("\nended with status %d\n", WEXITSTATUS(status));
}

/* --- lines of the file -------------------------------------------------------
 */

/* "calls", or "calls-unwatched", and what read_calls() takes. */
static void print_calls(const bool *chosen)
{
	const struct seq *q = &call_shared->seq;

	printf("calls%s", q->watched ? "" : "-unwatched");
	for (unsigned int i = 0; i < q->n; i++) {
		const struct op *o = &q->op[i];
		int last = 5;

		if (!chosen[i])
			continue;
		printf(" %s%s:%d:%d", o->who ? o->later ? "2~" : "2+" : "",
		       call_name(o->kind), o->s, o->d);
		while (last > 0 && !o->a[last - 1])
			last--;
		for (int a = 0; a < last; a++)
			printf(":%d", o->a[a]);
	}
	printf("\n");
}

/* One call: of the second process if it begins with 2, in which that sleeps
 * with
 * ~; its name, slots and arguments. */
static bool read_call(char *word, struct op *ret)
{
	char *field, *rest = word;
	int n = 0;

	*ret = (struct op){ .who = *word == '2' };
	if (ret->who) {
		ret->later = word[1] == '~';
		rest += 2;
	}
	field = strsep(&rest, ":");
	while (ret->kind < N_OPS && strcmp(call_name(ret->kind), field))
		ret->kind++;
	for (; (field = strsep(&rest, ":")); n++) {
		if (n == 0)
			ret->s = (uint8_t)(atoi(field) % SLOTS);
		else if (n == 1)
			ret->d = (uint8_t)(atoi(field) % SLOTS);
		else if (n < 7)
			ret->a[n - 2] = atoi(field);
	}
	return ret->kind < N_OPS;
}

static void read_calls(char *line)
{
	struct seq *q = &call_shared->seq;
	char *word = strsep(&line, " ");

	*q = (struct seq){ .watched = !strcmp(word, "calls") };
	while ((word = strsep(&line, " \n")) && q->n < MAX_OPS)
		if (*word && read_call(word, &q->op[q->n]))
			q->n++;
}

static void run_line(char *line, bool print)
{
	uint64_t seed, number;
	bool chosen[MAX_OPS];
	char *s, *end;

	printf("sequence %s", line);
	if (!strncmp(line, "calls", 5)) {
		read_calls(line);
		memset(chosen, true, sizeof(chosen));
	} else {
		seed = strtoull(line, &s, 10);
		number = strtoull(s, &s, 10);
		generate(seed, number, &call_shared->seq);
		memset(chosen, strspn(s, " \n") == strlen(s), sizeof(chosen));
		for (;; s = end) {
			unsigned long i = strtoul(s, &end, 10);

			if (end == s)
				break;
			if (i < MAX_OPS)
				chosen[i] = true;
		}
	}
	if (print)
		print_calls(chosen);
	else
		run_sequence(chosen);
}

int main(int argc, char **argv)
{
	bool print = false;
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	int c;

	if (argc == 3 && !strcmp(argv[1], "-"))
		become_second(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "-k")) {
		gen_list();
		return 0;
	}
	while ((c = getopt(argc, argv, "pk:")) >= 0) {
		if (c == 'p')
			print = true;
		else if (c != 'k' || !gen_try(optarg))
			return 2;
	}
	file = optind + 1 == argc ? fopen(argv[optind], "re") : NULL;
	if (!file)
		return 2;
	call_start();
	shared_fd = (int)MUST_BE(memfd_create("shared", 0));
	MUST_BE(ftruncate(shared_fd, sizeof(*call_shared)));
	map_shared();
	if (!print)
		call_settle();
	while (getline(&line, &size, file) > 0)
		run_line(line, print);
	free(line);
	fclose(file);
	return 0;
}
