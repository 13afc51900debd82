# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of vsockshim's commands and options, for bash.

# The CIDs of the machines in the directory.
_vsockshim_cids() {
	local dir=${VSOCKSHIM_DIR-} machine

	[ -n "$dir" ] || dir=${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/vsockshim}
	for machine in "${dir:-/tmp/vsockshim-$EUID}"/[1-9]*/; do
		[ -d "$machine" ] && basename "$machine"
	done
}

_vsockshim() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} options i words=

	case $command in
	run) options='--cid --dir --transport --help' ;;
	bridge)
		options='--cid --dir --device --ready-fd --linger --on-demand --help'
		words=vhost
		;;
	capture) options='-w --cid --dir --help' ;;
	ls) options='--dir --cid --json --help' ;;
	doctor) options='--cid --dir --help' ;;
	migrate) options='--dir --help' words=$(_vsockshim_cids) ;;
	wait) options='--timeout --dir --help' ;;
	*) options='--help --version' words='run bridge capture ls doctor migrate wait' ;;
	esac
	COMPREPLY=()
	[ "$COMP_CWORD" = 1 ] && options='--help --version' words='run bridge capture ls doctor migrate wait'
	# Behind the command that is to be run, its own completion.
	if [[ $command == run || $command == doctor ]]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--cid | --dir | --transport) ((i++)) ;;
			--) ((i++)) && break ;;
			--*) ;;
			*) break ;;
			esac
		done
		if ((i < COMP_CWORD)) || [[ ${COMP_WORDS[i - 1]} == -- && $i == "$COMP_CWORD" ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$i"
			elif ((i == COMP_CWORD)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$word")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$word")
			fi
			return
		fi
	fi
	case $before in
	--cid) mapfile -t COMPREPLY < <(compgen -W "$(_vsockshim_cids)" -- "$word") ;;
	--dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	--device | -w) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	--transport) mapfile -t COMPREPLY < <(compgen -W 'unix vhost auto' -- "$word") ;;
	--timeout | --linger | --ready-fd) ;;
	*)
		if [[ $word != -* && $COMP_CWORD != 1 && ($command == run || $command == doctor) ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -W "$options $words" -- "$word")
		fi
		;;
	esac
}

complete -F _vsockshim vsockshim
