# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A minimal Debian for the script in tests/ that sources this, in memory at $debian:
# of this machine's release, from its mirror, with its settings of apt. Needs root. It
# is mounted where nobody else sees it, has no vsock device, and ends with the script.

if [ "$(id -u)" != 0 ]; then
	echo "${0##*/}: needs root" >&2
	exit 1
fi
if [ -z "${debian-}" ]; then
	debian=$(mktemp -d) || exit
	export debian
	exec unshare --mount "tests/${0##*/}" "$@"
fi
trap 'umount -l "$debian"; rmdir "$debian"' EXIT

# in_debian [OPTION...] -- COMMAND...: there, with the proxies and nothing else of
# our environment. What it leaves running ends. OPTIONs are unshare's. The root is not
# chroot(2)'s: with that Linux allows nobody a user namespace.
in_debian() {
	local options=() name proxies=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	for name in http_proxy https_proxy no_proxy; do
		[ -z "${!name-}" ] || proxies+=("$name=${!name}")
	done
	# shellcheck disable=SC2016 # the shell's there
	unshare --mount --pid --fork --kill-child "${options[@]}" -- sh -c '
		cd "$debian" && pivot_root . mnt && mount -t proc proc /proc &&
			umount -l /mnt && cd /root && exec "$@"' sh \
		env -i "${proxies[@]}" HOME=/root LC_ALL=C \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive "${@:2}"
}

# What apt knows of the network, and whom it may trust, is there as here.
copy_apt_settings() {
	local path

	rm -f "$debian/etc/apt/sources.list"
	for path in /etc/{hosts,resolv.conf} /etc/ssl/certs/ca-certificates.crt \
		/usr/local/share/ca-certificates /usr/share/keyrings \
		/etc/apt/{sources.list{,.d},auth.conf{,.d},trusted.gpg{,.d},keyrings}; do
		[ -e "$path" ] || continue
		mkdir -p "$debian${path%/*}"
		cp -RL "$path" "$debian${path%/*}"
	done
	apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' \
		>"$debian/etc/apt/apt.conf.d/acquire"
}

# No server that comes with a package starts there: the network is this machine's.
no_servers() {
	install -m 755 /dev/stdin "$debian/usr/sbin/policy-rc.d" <<<$'#!/bin/sh\nexit 101'
}

make_debian() {
	mount -t tmpfs -o mode=755 debian "$debian" &&
		debootstrap --variant=minbase "$@" &&
		copy_apt_settings && no_servers &&
		mount -t devpts -o newinstance,ptmxmode=666 devpts "$debian/dev/pts" &&
		mount -t tmpfs -o mode=1777 shm "$debian/dev/shm" &&
		in_debian -- apt-get update -q
}

# new_debian PACKAGE...: makes it, with these packages. Says no more than that,
# unless it fails.
new_debian() {
	local release mirror log

	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)' |
		awk -v release="$release" '
			$1 == release && $2 == "main" && (NF == 3 || $3 == "Debian") {
				print $NF
				exit
			}')
	eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
	export http_proxy
	echo "A minimal Debian, $release, from $mirror"
	log=$(make_debian "$release" "$debian" "$mirror" 2>&1 &&
		in_debian -- apt-get install -qy --no-install-recommends "$@" 2>&1) ||
		{ tail -n 30 <<<"$log" && return 1; }
}
