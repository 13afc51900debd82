/* SPDX-License-Identifier: MIT */
/* /dev/vsock: which CID this machine has. */
#include "oracle.h"

#define CID_OF(fd)                                                             \
	({                                                                     \
		unsigned int cid_ = 12345;                                     \
		ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid_);              \
		cid_;                                                          \
	})

int main(void)
{
	unsigned int cids[2] = { 77, 77 };
	char buf[8] = "";
	int d, e, s;
	FILE *f;

	oracle_start();
	d = FACT_FD("open", open("/dev/vsock", O_RDONLY));
	FACT("cid", ioctl(d, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cids));
	say("cid_value", "%u, then %u", cids[0], cids[1]);
	FACT("cid_null", ioctl(d, IOCTL_VM_SOCKETS_GET_LOCAL_CID, nil));
	FACT("cid_unwritable",
	     ioctl(d, IOCTL_VM_SOCKETS_GET_LOCAL_CID, nowhere));
	FACT("unknown", ioctl(d, 0x7ba, cids));
	FACT("fionread", ioctl(d, FIONREAD, cids));
	FACT("tcgets", ioctl(d, 0x5401, buf));
	FACT("read", read(d, buf, sizeof(buf)));
	FACT("write_rdonly", write(d, buf, sizeof(buf)));
	FACT("lseek", lseek(d, 0, SEEK_SET));
	FACT_MASK("poll", d);
	FACT("getfd", fcntl(d, F_GETFD));
	FACT_ADDR("getsockname", getsockname(d, ADDR));
	e = FACT_FD("dup", dup(d));
	close(d);
	say("dup_cid", "%u", CID_OF(e));
	IN_CHILD(say("child_cid", "%u", CID_OF(e)));
	FACT("close", close(e));
	FACT("closed", ioctl(e, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cids));

	d = FACT_FD("open_rdwr", open("/dev/vsock", O_RDWR | O_CLOEXEC));
	FACT("rdwr_getfd", fcntl(d, F_GETFD));
	FACT("rdwr_read", read(d, buf, sizeof(buf)));
	FACT("rdwr_write", write(d, buf, sizeof(buf)));
	say("rdwr_cid", "%u", CID_OF(d));
	e = FACT_FD("open_twice", open("/dev/vsock", O_WRONLY));
	say("wronly_cid", "%u", CID_OF(e));
	close(d);
	close(e);
	d = FACT_FD("openat", openat(AT_FDCWD, "/dev/vsock", O_RDONLY));
	say("openat_cid", "%u", CID_OF(d));
	close(d);
	f = fopen("/dev/vsock", "r");
	say("fopen", "%s", f ? "a stream" : strerrorname_np(errno));
	if (f) {
		say("fopen_cid", "%u", CID_OF(fileno(f)));
		fclose(f);
	}
	FACT_FD("open_excl",
		open("/dev/vsock", O_RDWR | O_CREAT | O_EXCL, 0600));

	/* A socket in the device's place is no device. */
	d = (int)MUST(open("/dev/vsock", O_RDONLY));
	close(d);
	s = stream();
	say("number_reused", "%d", s == d);
	say("number_reused_cid", "%u", CID_OF(s));
	close(s);
	return 0;
}
