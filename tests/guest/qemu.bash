# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What machines that QEMU emulates are booted with: a root file system in memory,
# of Debian's busybox and what else is put there, and options that make it quick
# and sure. Whoever loads this has set $work, a directory, and $kernel, one that
# tests/oracle/fetch-kernel made.

# The beginnings of a root file system, with these modules of the kernel, in this
# order; some kernels have some of them built in.
root() { # NAME MODULE...
	local root=$work/$1 applet module n=10
	mkdir -p "$root"/{usr/{bin,lib,lib64},dev,proc,sys,tmp,modules}
	ln -s usr/{bin,lib,lib64} "$root"
	cp "$(command -v busybox)" "$root/bin"
	for applet in sh mount insmod grep sed sleep mkfifo stty tee uname reboot; do
		ln -s busybox "$root/bin/$applet"
	done
	for module in "${@:2}"; do
		[[ ! -r $kernel/$module.ko ]] ||
			cp "$kernel/$module.ko" "$root/modules/$((n++)).ko"
	done
	cat >"$root/init" <<-'END'
		#!/bin/sh
		mount -t devtmpfs dev /dev
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t tmpfs tmp /tmp
		exec </dev/console >/dev/console 2>&1
		modules() {
			for module in /modules/*; do insmod $module; done
		}
	END
	chmod +x "$root/init"
}

programs() { # NAME PROGRAM...: these, and the libraries that they need
	local root=$work/$1 file
	cp "${@:2}" "$root/bin"
	for file in $(ldd "${@:2}" 2>/dev/null | grep -o '/[^ :]* (0x' | sed 's/ .*//' | sort -u); do
		[[ -e $root$file ]] || install -D "$file" "$root$file"
	done
}

pack() { # NAME
	(cd "$work/$1" && find . | busybox cpio -o -H newc -R 0:0) >"$work/$1.cpio" \
		2>"$work/log"
	rm -r "${work:?}/$1"
}

# Without the processor's cmpxchg16b, which QEMU 7.2 emulates badly; and told the
# rate of its clock, which it cannot measure here.
# shellcheck disable=SC2034,SC2054 # for whoever loads this; a comma of QEMU's
options=(-nodefaults -no-user-config -display none -no-reboot -cpu qemu64,-cx16)
khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
# shellcheck disable=SC2034 # for whoever loads this
append="console=ttyS0 quiet panic=-1 reboot=t mitigations=off tsc=reliable
	tsc_early_khz=$khz no_timer_check nokaslr cryptomgr.notests vsockshim.guest"
