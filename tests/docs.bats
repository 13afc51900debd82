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

@test "docs: every option of --help is documented" {
	options=$({
		guard "$BUILD/vsockshim" --help
		guard "$BUILD/vsockshim" run --help
	} | grep -oE -- '--[a-z]+' | sort -u)
	[ -n "$options" ]
	for option in $options; do
		pages | sed 's/\\-/-/g' | grep -qwFe "$option"
	done
}

@test "docs: the variables that the sources read are the ones documented" {
	same <(sources | grep -oE '"VSOCKSHIM_[A-Z]+"' | tr -d '"' | sort -u) \
		<(pages | grep -oE 'VSOCKSHIM_[A-Z]+' | sort -u)
}
