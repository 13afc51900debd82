#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Servers, as Debian ships them, that know nothing of vsock, on sockets that
# somebody else opened for them.

load helpers

setup() {
	test_setup
	requires systemd-socket-activate socat
}

# activate [OPTION]... PROGRAM...: on port 1234 in the background, with our
# environment, which systemd-socket-activate replaces.
activate() {
	start shim systemd-socket-activate -E LD_PRELOAD -E ASAN_OPTIONS \
		-E VSOCKSHIM_DIR -l vsock::1234 "$@" 2>server.log
	wait_listen 2:1234
}

# get PATH: over HTTP from port 1234.
get() {
	printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | shim socat -t20 - VSOCK-CONNECT:1:1234
}

@test "rsync --daemon sends files" {
	requires rsync
	mkdir files
	head -c 1M /dev/urandom >files/big
	echo small >files/small
	printf 'use chroot = no\nlog file = %s/rsync.log\n[m]\npath = %s/files\n' \
		"$PWD" "$PWD" >rsync.conf
	[ "$(id -u)" != 0 ] || printf 'uid = root\ngid = root\n' >>rsync.conf
	activate --inetd -a rsync --daemon --config=rsync.conf
	RSYNC_CONNECT_PROG='socat - VSOCK-CONNECT:1:1234' shim rsync -a rsync://vm/m/ copy/
	diff -r files copy
}

@test "git daemon serves a clone" {
	requires git
	export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
	printf '#!/bin/sh\nexec socat - VSOCK-CONNECT:1:1234\n' >proxy
	chmod +x proxy
	git init -q -b main work
	echo content >work/file
	git -C work add file
	git -C work -c user.name=n -c user.email=e commit -q -m message
	git clone -q --bare work served.git
	activate --inetd -a -E HOME git daemon --inetd --export-all --base-path="$PWD"
	shim git -c core.gitproxy="$PWD/proxy" clone git://vm/served.git clone
	[ "$(cat clone/file)" = content ]
}

@test "a static busybox serves HTTP" {
	requires busybox
	mkdir www
	head -c 1M /dev/urandom >www/file
	activate --inetd -a busybox httpd -i -h www
	get /file >answer
	tail -c 1M answer | cmp - www/file
	kill "$pid"
	ends_with 143
	start shim socat VSOCK-LISTEN:1234,fork EXEC:'busybox httpd -i -h www',nofork
	wait_listen 2:1234
	get /file >answer
	tail -c 1M answer | cmp - www/file
}

@test "uvicorn serves HTTP, and logs who asked" {
	requires uvicorn
	cat >app.py <<-END
		async def app(scope, receive, send):
		    await send({'type': 'http.response.start', 'status': 200})
		    await send({'type': 'http.response.body', 'body': b'hello'})
	END
	activate uvicorn --fd 3 --lifespan off app:app >access.log
	get / >answer
	[ "$(tail -n 1 answer)" = hello ]
	wait_for grep '1:[0-9]* - "GET / HTTP/1.0" 200 OK' access.log
}

@test "what cannot listen on vsock says so: gunicorn, haproxy" {
	requires gunicorn /usr/sbin/haproxy
	activate gunicorn --bind fd://3 app:app
	get / >/dev/null || true # it may be gone before the request is written
	ends_with 1
	grep 'TypeError: inet_pton() argument 2 must be str, not int' server.log
	printf '%s\n' 'listen here' 'bind fd@3' >haproxy.cfg
	activate /usr/sbin/haproxy -f haproxy.cfg
	get / >/dev/null || true
	ends_with 1
	grep "'bind' : unsupported stream protocol for stream family 40 address 'fd@3'" server.log
}
