#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The documents tell of what there is, and of nothing else.

load helpers

# What the documents and the sources are made of.
pages() {
	cat "$ROOT"/README.md "$ROOT"/man/* 2>/dev/null
}
sources() {
	cat "$ROOT"/*.[ch] "$ROOT"/cli/*.[ch] "$ROOT"/core/*.[ch]
}

# The subcommands, as --help has them.
commands() {
	guard "$BUILD/vsockshim" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

# options [COMMAND]: those in its help.
options() {
	guard "$BUILD/vsockshim" "$@" --help | grep -oE -- '--[a-z]+' | sort -u
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
	same have <(page 1 | sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' | grep -oE -- '^\.B[I]? --[a-z]+' |
		grep -oE -- '--[a-z]+' | sort -u)
	# and the synopsis has those of each command
	for command in $(commands); do
		options "$command" | grep -v -- --help >have
		page 1 | sed '/^\.SH DESCRIPTION/,$d' | sed -n "/^\.B vsockshim $command\$/,/^\.br/p" |
			grep -oE -- '--[a-z]+' | sort >want
		same have want
	done
}

@test "docs: the variables that the sources read are the ones documented" {
	sources | grep -oE '"VSOCKSHIM_[A-Z]+"' | tr -d '"' | sort -u >variables
	same variables <(pages | grep -oE 'VSOCKSHIM_[A-Z]+' | sort -u)
	same variables <(page 7 | sed -n '/^\.SH ENVIRONMENT/,/^\.SH FILES/s/^\.B \(VSOCKSHIM_[A-Z]*\)$/\1/p' | sort)
	same variables <(sed -n 's/^| `\(VSOCKSHIM_[A-Z]*\)` |.*/\1/p' "$ROOT/README.md" | sort)
}
