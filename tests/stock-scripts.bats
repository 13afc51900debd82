#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Perl and Ruby, as Debian ships them: no library of theirs knows vsock, so their
# programs give the socket calls a packed sockaddr_vm.

load helpers

setup() {
	test_setup
	requires perl ruby
}

@test "perl: a server that execs a program for each client, and its clients" {
	cat >server.pl <<-'END'
		use Socket;
		$| = 1;
		socket(my $s, 40, SOCK_STREAM, 0) or die "socket: $!";
		bind($s, pack('SSLLa4', 40, 0, 7100, 0xffffffff, '')) or die "bind: $!";
		listen($s, 5) or die "listen: $!";
		while (my $peer = accept(my $c, $s)) {
			my ($family, undef, $port, $cid) = unpack('SSLL', $peer);
			print "$family $cid ", $peer eq getpeername($c), " $port\n";
			next if fork;
			open(STDIN, '<&', $c) and open(STDOUT, '>&', $c) or die;
			exec 'tr', 'a-z', 'A-Z';
		}
	END
	cat >client.pl <<-'END'
		use Socket;
		socket(my $c, 40, SOCK_STREAM, 0) or die "socket: $!";
		connect($c, pack('SSLLa4', 40, 0, $ARGV[0], 1, '')) or die "connect: $!";
		syswrite($c, "hello\n");
		shutdown($c, 1);
		print <$c>, (unpack('SSLL', getsockname($c)))[2], "\n";
	END
	fails_without_preload perl server.pl
	fails_without_preload perl client.pl 7100
	start shim perl server.pl >server.got
	wait_listen 2:7100
	for _ in 1 2; do
		run -0 shim perl client.pl 7100
		[ "${lines[0]}" = HELLO ]
		grep -x "40 1 1 ${lines[1]}" server.got
	done
	run -104 shim perl client.pl 7101
	[[ $output == "connect: Connection reset by peer at "* ]]
}

@test "ruby: a non-blocking connect is writable, then connected" {
	cat >t.rb <<-'END'
		require 'socket'
		def vm(port, cid) = [40, 0, port, cid, "\0" * 4].pack('SSLLa4')
		s = Socket.new(40, :STREAM, 0)
		s.bind(vm(7102, 0xffffffff))
		s.listen(5)
		p s.local_address
		c = Socket.new(40, :STREAM, 0)
		p c.connect_nonblock(vm(7102, 1), exception: false)
		p IO.select(nil, [c], nil, 10) == [[], [c], []]
		begin
		  c.connect_nonblock(vm(7102, 1))
		rescue Errno::EISCONN => e
		  p e.class
		end
		a, peer = s.accept
		p peer.to_sockaddr == a.remote_address.to_sockaddr
		p c.remote_address.to_sockaddr == vm(7102, 1)
		c.write('hello')
		c.close_write
		a.write(a.read.upcase)
		a.close
		p c.read
	END
	fails_without_preload ruby t.rb
	shim ruby t.rb >got
	same got - <<-END
		#<Addrinfo: AF_VSOCK address format unknown SOCK_STREAM>
		:wait_writable
		true
		Errno::EISCONN
		true
		true
		"HELLO"
	END
}

@test "ruby: connects, and learns why it could not" {
	cat >t.rb <<-'END'
		require 'socket'
		def vm(port, cid) = [40, 0, port, cid, "\0" * 4].pack('SSLLa4')
		c = Socket.new(40, :STREAM, 0)
		p c.connect(vm(7102, 1))
		p c.read
		begin
		  Socket.new(40, :STREAM, 0).connect(vm(7102, 77))
		rescue Errno::ENODEV => e
		  p e.class
		end
		c = Socket.new(40, :STREAM, 0)
		p c.connect_nonblock(vm(9999, 1), exception: false)
		p IO.select(nil, [c], nil, 10) == [[], [c], []]
		p c.getsockopt(:SOCKET, :ERROR).int
	END
	fails_without_preload ruby t.rb
	start shim "$PYTHON" - <<-END
		import socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 7102))
		s.listen(1)
		s.accept()[0].send(b'hello')
	END
	wait_listen 2:7102
	shim ruby t.rb >got
	same got - <<-END
		0
		"hello"
		Errno::ENODEV
		:wait_writable
		true
		104
	END
}
