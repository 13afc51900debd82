#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The documents tell of what there is, and of nothing else.

load helpers

# What the documents and the sources are made of.
pages() {
	cat "$ROOT"/README.md "$ROOT"/man/* 2>/dev/null
}
sources() {
	cat "$ROOT"/*.[ch] "$ROOT"/cli/*.[ch] "$ROOT"/bridge/*.[ch] "$ROOT"/core/*.[ch]
}

# The subcommands, as --help has them.
commands() {
	guard "$BUILD/vsockshim" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# options [COMMAND]: those in its help.
options() {
	guard "$BUILD/vsockshim" "$@" --help | grep -oE -- '(^|[[ ])--?[a-z]+(-[a-z]+)*' |
		tr -d '[ ' | sort -u
}

page() {
	sed 's/\\-/-/g; s/\\f[A-Z]//g' "$ROOT/man/vsockshim.$1"
}

@test "docs: every subcommand is in vsockshim(1) and in README, and has a help" {
	[ -n "$(commands)" ]
	for command in $(commands); do
		page 1 | grep -qx ".B vsockshim $command"
		grep -q "vsockshim $command " "$ROOT/README.md"
		run -0 guard "$BUILD/vsockshim" "$command" --help
		[[ ${lines[0]} == "usage: vsockshim $command "* ]]
	done
}

@test "docs: the options of --help are those of vsockshim(1)" {
	{
		options
		for command in $(commands); do
			options "$command"
		done
	} | sort -u >have
	[ "$(wc -l <have)" -ge 4 ]
	same have <(page 1 | sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' | grep -E '^\.B[IR]? -' |
		grep -oE -- ' --?[a-z]+(-[a-z]+)*' | tr -d ' ' | sort -u)
	# and the synopsis has those of each command
	for command in $(commands); do
		options "$command" | grep -vx -- '-h\|--help' >have
		page 1 | sed '/^\.SH DESCRIPTION/,$d' | sed -n "/^\.B vsockshim $command\$/,/^\.br/p" |
			grep -oE -- ' --?[a-z]+(-[a-z]+)*' | tr -d ' ' | sort >want
		same have want
	done
}

@test "docs: the variables that the sources read are the ones documented" {
	sources | grep -oE '"VSOCKSHIM_[A-Z]+"' | tr -d '"' | sort -u >variables
	same variables <(pages | grep -oE 'VSOCKSHIM_[A-Z]+' | sort -u)
	same variables <(page 7 | sed -n '/^\.SH ENVIRONMENT/,/^\.SH FILES/s/^\.B \(VSOCKSHIM_[A-Z]*\)$/\1/p' | sort)
	same variables <(sed -n 's/^| `\(VSOCKSHIM_[A-Z]*\)` |.*/\1/p' "$ROOT/README.md" | sort)
	same variables <(guard "$BUILD/vsockshim" --help | sed -nE 's/^  (VSOCKSHIM_[A-Z]+) .*/\1/p' | sort)
	same variables <(page 1 | sed -n '/^\.SH ENVIRONMENT/,/^\.SH EXAMPLES/p' | grep -oE 'VSOCKSHIM_[A-Z]+' | sort -u)
}

# statuses COMMAND: those that vsockshim(1) has for it; where it names nobody, for all.
statuses() {
	page 1 | sed -n '/^\.SH EXIT STATUS/,/^\.SH ENVIRONMENT/p' | awk -v command="$1" '
		function finish() {
			if (status != "" && (mine || !somebody))
				print status
		}
		/^\.TP/ { finish(); status = "" }
		/^\.B [0-9]+$/ { status = $2; mine = somebody = 0 }
		status != "" && /^\.BR .* :$/ {
			somebody = 1
			gsub(/[",]/, " ")
			for (i = 2; i < NF; i++)
				if ($i == command)
					mine = 1
		}
		END { finish() }' | sort -n
}

@test "docs: the exit statuses of --help are those of vsockshim(1)" {
	for command in $(commands); do
		guard "$BUILD/vsockshim" "$command" --help | tr '\n' ' ' | sed 's/.*Exit status: //' |
			grep -owE '[0-9]+' | sort -n >have
		same have <(statuses "$command")
		[ "$(wc -l <have)" -ge 3 ]
		same <(guard "$BUILD/vsockshim" "$command" --help) <(guard "$BUILD/vsockshim" "$command" -h)
	done
	for option in --help --version; do
		[ "$(statuses $option | head -n 2)" = $'0\n1' ]
		guard "$BUILD/vsockshim" $option
		run -1 guard sh -c "\"\$BUILD/vsockshim\" $option >/dev/full"
	done
	same <(guard "$BUILD/vsockshim" --help) <(guard "$BUILD/vsockshim" -h)
}

# shows terminal|pipe [NAME=VALUE] COMMAND...: what it prints there goes to have.
shows() {
	local where=("$PYTHON" -c 'import pty, sys; pty.spawn(sys.argv[1:])')

	[ "$1" = terminal ] || where=()
	guard env -u NO_COLOR "${where[@]}" env "${@:2}" </dev/null >have 2>&1
}

@test "docs: colours are for terminals whose users take them" {
	start shim CID=3 socat VSOCK-LISTEN:1234 -
	start shim CID=3 "$PYTHON" -c 'if 1:
		import signal, socket
		s = socket.socket(socket.AF_VSOCK)
		s.bind((socket.VMADDR_CID_ANY, 1235))
		signal.pause()'
	wait_listen 3:1234
	wait_for test -e v/3/1235.vsock
	for command in ls doctor; do
		shows terminal "$BUILD/vsockshim" $command
		grep -q $'\33\\[3.m' have
		run ! grep $'\33.*UNCONN' have
		shows terminal NO_COLOR=1 "$BUILD/vsockshim" $command
		run -1 grep $'\33' have
		shows pipe "$BUILD/vsockshim" $command
		run -1 grep $'\33' have
	done
	# nor are there any in what the library says
	shows terminal LD_PRELOAD="$PRELOAD" VSOCKSHIM_CID=x "$PYTHON" -c \
		'import os; os.path.exists("/dev/vsock")'
	grep -q 'VSOCKSHIM_CID=x' have
	run -1 grep $'\33' have
}

# The headings that a list of differences has, but for what is no difference.
headings() {
	sed -n '/^[^#\t]/s/: .*//p' "$@" | grep -vx -- - | sort -u
}

@test "docs: vsockshim(7) tells of every difference that the oracle allows, and of no other" {
	page 7 | sed -n '/^\.SH DIFFERENCES/,/^\.SH [^D]/p' |
		awk '/^\.TP/ { getline; sub(/^\.B /, ""); print }' | sort >want
	headings "$ROOT"/tests/oracle/differences* "$ROOT"/tests/oracle/fuzz/differences >have
	same have want
	[ "$(wc -l <have)" -ge 20 ]
}

@test "docs: a difference has its facts, or a reason why it has none and a test" {
	awk '
		/^#/ { next }
		/^\t/ { rows = 1; next }
		{ check(); head = $0; rows = 0 }
		function check() {
			if (head && rows == (head ~ /: no row: .*: "/)) print FILENAME ": " head
		}
		END { check() }' "$ROOT"/tests/oracle/differences* \
		"$ROOT"/tests/oracle/fuzz/differences >have
	same have /dev/null
	sed -nE 's/^[^#].*: no row: .*: "(.*)"$/@test "\1" {/p' "$ROOT/tests/oracle/differences" >tests
	[ -s tests ]
	while read -r line; do
		grep -qxF -- "$line" "$ROOT"/tests/*.bats || echo "$line"
	done <tests >have
	same have /dev/null
}

# completes WORD...: what bash offers for the last of these words.
completes() {
	bash -c 'source "$1"; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_vsockshim
		printf "%s\n" "${COMPREPLY[@]}"' bash "$ROOT/completions/vsockshim.bash" vsockshim "$@" |
		sort -u
}

@test "docs: completion for bash offers the commands and options of --help" {
	same <(completes --) <(printf '%s\n' --help --version)
	same <(completes '') <({ commands && printf '%s\n' --help --version; } | sort)
	for command in $(commands); do
		same <(completes "$command" -) <(options "$command" | grep -vx -- -h)
	done
	[ "$(completes run --transport v)" = vhost ]
	mkdir -p v/3 v/77
	[ "$(completes ls --cid '')" = $'3\n77' ]
	mkdir bin
	ln -s /bin/true bin/vsocks-here
	for words in 'run --cid 3' 'run --cid 3 --' 'doctor --'; do
		# shellcheck disable=SC2086 # words
		[ "$(PATH=$PWD/bin:$PATH completes $words vsocks)" = vsocks-here ]
	done
	mkdir here
	[ "$(completes run --cid 3 ls he)" = here ]
	[ "$(completes bridge vh)" = vhost ]
}

@test "docs: completion for zsh has the commands and options of --help" {
	local file=$ROOT/completions/_vsockshim

	same <(sed -nE "s/^\t\t'([a-z]+)\[.*/\1/p" "$file") <(commands)
	for command in $(commands); do
		sed -n "/^$command)\$/,/;;/p" "$file" |
			sed 's/\$cid/--cid/; s/\$dir/--dir/' | grep -oE -- "[ ']--?[a-z]+(-[a-z]+)*" |
			tr -d " '" | sort -u >have
		same have <(options "$command" | grep -vx -- -h)
	done
}

@test "docs: one version everywhere" {
	local version

	version=$(cat "$ROOT/VERSION")
	[ "$(guard "$BUILD/vsockshim" --version)" = "vsockshim $version" ]
	for section in 1 7; do
		grep -q "^\.TH VSOCKSHIM $section .* \"vsockshim $version\" " "$ROOT/man/vsockshim.$section"
	done
	[[ $(grep -m 1 '^## ' "$ROOT/NEWS.md") == "## $version"* ]]
}
