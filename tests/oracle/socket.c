/* SPDX-License-Identifier: MIT */
/* socket() and socketpair(): types, protocols, flags, and what they make. */
#include "oracle.h"

#include <sys/stat.h>

static void try_socket(const char *id, const char *call, int fd)
{
	if (fd >= 0)
		close(fd);
	fact(id, call, fd, true);
}

#define TRY(id, type, protocol)                                                \
	(errno = 0,                                                            \
	 try_socket(id, "socket(AF_VSOCK, " #type ", " #protocol ")",          \
		    socket(AF_VSOCK, type, protocol)))

static void types(void)
{
	TRY("stream", SOCK_STREAM, 0);
	TRY("stream_proto_vsock", SOCK_STREAM, PF_VSOCK);
	TRY("seqpacket", SOCK_SEQPACKET, 0);
	TRY("seqpacket_proto_vsock", SOCK_SEQPACKET, PF_VSOCK);
	TRY("dgram", SOCK_DGRAM, 0);
	TRY("dgram_proto_vsock", SOCK_DGRAM, PF_VSOCK);
	TRY("raw", SOCK_RAW, 0);
	TRY("rdm", SOCK_RDM, 0);
	TRY("dccp", SOCK_DCCP, 0);
	TRY("packet", SOCK_PACKET, 0);
	TRY("type_0", 0, 0);
	TRY("type_7", 7, 0);
	TRY("type_11", 11, 0);
	TRY("type_15", 15, 0);
	TRY("type_negative", -1, 0);
	FACT("family_1000", socket(1000, SOCK_STREAM, 0));
	FACT("family_1000_type_11", socket(1000, 11, 0));
	FACT("family_negative", socket(-1, SOCK_STREAM, 0));
}

static void protocols(void)
{
	TRY("stream_proto_1", SOCK_STREAM, 1);
	TRY("stream_proto_tcp", SOCK_STREAM, 6);
	TRY("stream_proto_41", SOCK_STREAM, 41);
	TRY("stream_proto_negative", SOCK_STREAM, -1);
	TRY("dgram_proto_6", SOCK_DGRAM, 6);
	TRY("raw_proto_6", SOCK_RAW, 6);
	TRY("raw_proto_vsock", SOCK_RAW, PF_VSOCK);
	TRY("type_11_proto_6", 11, 6);
}

static void flags(void)
{
	int s;

	TRY("flag_16", SOCK_STREAM | 16, 0);
	TRY("flag_unknown", SOCK_STREAM | 0x10000000, 0);
	TRY("flag_unknown_type_raw", SOCK_RAW | 0x10000000, 6);

	s = FACT_FD("flags_none", socket(AF_VSOCK, SOCK_STREAM, 0));
	FACT("flags_none_getfd", fcntl(s, F_GETFD));
	say("flags_none_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
	s = FACT_FD("flag_cloexec",
		    socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
	FACT("flag_cloexec_getfd", fcntl(s, F_GETFD));
	say("flag_cloexec_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
	s = FACT_FD("flag_nonblock",
		    socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0));
	FACT("flag_nonblock_getfd", fcntl(s, F_GETFD));
	say("flag_nonblock_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
	s = FACT_FD("flags_both",
		    socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			   0));
	FACT("flags_both_getfd", fcntl(s, F_GETFD));
	say("flags_both_getfl", "%#lx", MUST(fcntl(s, F_GETFL)));
	close(s);
}

static void pairs(void)
{
	int sv[2] = { -7, -7 };

	FACT("pair_stream", socketpair(AF_VSOCK, SOCK_STREAM, 0, sv));
	FACT("pair_seqpacket", socketpair(AF_VSOCK, SOCK_SEQPACKET, 0, sv));
	FACT("pair_dgram", socketpair(AF_VSOCK, SOCK_DGRAM, 0, sv));
	FACT("pair_raw", socketpair(AF_VSOCK, SOCK_RAW, 0, sv));
	FACT("pair_proto_6", socketpair(AF_VSOCK, SOCK_STREAM, 6, sv));
	FACT("pair_flag_unknown",
	     socketpair(AF_VSOCK, SOCK_STREAM | 0x10000000, 0, sv));
}

static void objects(void)
{
	int low = dup(0), s, sv[2];
	struct stat st;
	char link[64], path[64];

	close(low);
	s = stream();
	say("lowest_fd", "%d", s == low);
	close(s);
	MUST_FAIL(socketpair(AF_VSOCK, SOCK_STREAM, 0, sv));
	TRY("after_pair_raw", SOCK_RAW, 0);
	s = stream();
	say("failures_leak_no_fd", "%d", s == low);

	MUST(fstat(s, &st));
	say("fstat", "mode %o, size %ld, links %lu", st.st_mode,
	    (long)st.st_size, (unsigned long)st.st_nlink);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s);
	memset(link, 0, sizeof(link));
	MUST(readlink(path, link, sizeof(link) - 1));
	say("proc_fd_link", "%.8s", link);
	FACT("close", close(s));
	FACT("close_twice", close(s));
}

int main(void)
{
	oracle_start();
	types();
	protocols();
	flags();
	pairs();
	objects();
	return 0;
}
