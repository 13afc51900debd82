/* SPDX-License-Identifier: MIT */
/* The calls that are not for sockets alone: splice, sendfile, mmap, ... */
#include "oracle.h"

#include <sys/sendfile.h>
#include <sys/stat.h>

static int file_with(const char *text)
{
	int fd = memfd_create("oracle", MFD_CLOEXEC);

	MUST(fd);
	MUST(write(fd, text, strlen(text)));
	MUST(lseek(fd, 0, SEEK_SET));
	return fd;
}

/* How much each recv() gets, once all is there. */
static void fact_lengths(const char *id, int fd, ssize_t all)
{
	static char sink[CREDIT];
	char text[128] = "";
	ssize_t n;

	await_bytes(fd, all);
	while ((n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 " %zd", n);
	say(id, "recv() gets%s", text);
}

/* How much is there; in which messages is the kernel's affair. */
static void fact_sum(const char *id, int fd, ssize_t all)
{
	static char sink[CREDIT];
	ssize_t n, sum = 0;

	await_bytes(fd, all);
	while ((n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		sum += n;
	say(id, "%zd bytes", sum);
}

int main(void)
{
	struct conn p;
	char buf[64] = "";
	int fd, pipes[2];
	loff_t five = 5;
	struct stat st;
	struct iovec v = { buf, sizeof(buf) };
	void *map;

	oracle_start();
	p = connection();
	FACT("lseek", lseek(p.c, 0, SEEK_CUR));
	FACT("pread", pread(p.c, buf, 1, 0));
	FACT("pread_offset", pread(p.c, buf, 1, 5));
	FACT("pwrite", pwrite(p.c, buf, 1, 0));
	FACT("pwrite_offset", pwrite(p.c, buf, 1, 5));
	FACT("ftruncate", ftruncate(p.c, 0));
	FACT("fsync", fsync(p.c));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, p.c, 0);
	say("mmap", "%s",
	    map == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	FACT("preadv2_dontwait", preadv2(p.c, &v, 1, -1, RWF_NOWAIT));
	MUST(fstat(p.a, &st));
	say("fstat_accepted", "mode %o", st.st_mode);

	fd = file_with("from a file");
	FACT("sendfile", sendfile(p.c, fd, NULL, 64));
	close(fd);
	await_bytes(p.a, 11);
	FACT("sendfile_recv", recv(p.a, buf, sizeof(buf), 0));
	say("sendfile_data", "%.11s", buf);

	MUST(pipe(pipes));
	MUST(write(pipes[1], "through a pipe", 14));
	FACT("splice_in", splice(pipes[0], NULL, p.c, NULL, 64, 0));
	await_bytes(p.a, 14);
	FACT("splice_out", splice(p.a, NULL, pipes[1], NULL, 64, 0));
	FACT("splice_out_read", read(pipes[0], buf, sizeof(buf)));
	say("splice_data", "%.14s", buf);
	MUST(write(pipes[1], "one", 3));
	MUST(write(pipes[1], "two", 3));
	FACT("splice_pieces", splice(pipes[0], NULL, p.c, NULL, 64, 0));
	fact_lengths("splice_pieces_arrived", p.a, 6);
	fd = file_with("");
	MUST(ftruncate(fd, 100000));
	FACT("sendfile_large", sendfile(p.c, fd, NULL, 100000));
	close(fd);
	fact_sum("sendfile_large_arrived", p.a, 100000);
	set_nonblock(p.a, true);
	FACT("splice_empty", splice(p.a, NULL, pipes[1], NULL, 64, 0));
	set_nonblock(p.a, false);
	FACT("splice_offset", splice(p.a, &five, pipes[1], NULL, 64, 0));

	{
		FILE *f = fdopen(dup(p.c), "r+");

		fputs("by stdio\n", f);
		fflush(f);
		await_bytes(p.a, 9);
		FACT("stdio_recv", recv(p.a, buf, sizeof(buf), 0));
		MUST(send(p.a, "answer\n", 7, 0));
		say("stdio_gets", "%s",
		    fgets(buf, sizeof(buf), f) ? "a line" : "nothing");
		fclose(f);
	}
	close(p.c);
	AWAIT_MASK(p.a, POLLRDHUP);
	FACT("splice_end", splice(p.a, NULL, pipes[1], NULL, 64, 0));
	MUST(write(pipes[1], "x", 1));
	FACT("splice_broken", splice(pipes[0], NULL, p.a, NULL, 64, 0));
	fd = file_with("x");
	FACT("sendfile_broken", sendfile(p.a, fd, NULL, 64));
	close(p.a);
	FACT_FRESH("sendfile_fresh", sendfile(fresh, fd, NULL, 64));
	FACT_FRESH("splice_fresh", splice(fresh, NULL, pipes[1], NULL, 64, 0));
	return 0;
}
