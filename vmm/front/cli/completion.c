/* SPDX-License-Identifier: Apache-2.0 */
/* vial completion: what makes a shell complete our command lines.
 *
 * The scripts know no command and no option: they ask `vial completion words`
 * at every tab, so that they are never older than the program. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/complete.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* bash parts words at "=" and ":" as well. They are put together again, and
 * of a candidate only what is behind the last of them is given back. */
static const char bash[] =
	"# vial: completion for bash\n"
	"_vial()\n"
	"{\n"
	"	local words=() i w line name todo cut joined=\n"
	"	COMPREPLY=()\n"
	"	for ((i = 1; i <= COMP_CWORD; i++)); do\n"
	"		w=${COMP_WORDS[i]}\n"
	"		if [[ $i -gt 1 && ( $w == [=:]* || $joined ) ]]; then\n"
	"			words[-1]+=$w\n"
	"			joined=\n"
	"			[[ $w == [=:] ]] && joined=y\n"
	"			continue\n"
	"		fi\n"
	"		words+=(\"$w\")\n"
	"	done\n"
	"	w=${words[-1]}\n"
	"	cut=${w%\"${w##*[=:]}\"}\n"
	"	while IFS= read -r line; do\n"
	"		case $line in\n"
	"		:*)	todo=$line ;;\n"
	"		*)	name=${line%%$'\\t'*}\n"
	"			COMPREPLY+=(\"${name#\"$cut\"}\") ;;\n"
	"		esac\n"
	"	done < <(vial completion words \"${words[@]}\" 2>/dev/null)\n"
	"	w=${w#\"$cut\"}\n"
	"	case $todo in\n"
	"	*f*)	compopt -o filenames\n"
	"		while IFS= read -r line; do\n"
	"			COMPREPLY+=(\"$line\")\n"
	"		done < <(compgen -f -- \"$w\") ;;\n"
	"	*d*)	compopt -o filenames\n"
	"		while IFS= read -r line; do\n"
	"			COMPREPLY+=(\"$line\")\n"
	"		done < <(compgen -d -- \"$w\") ;;\n"
	"	esac\n"
	"	case $todo in\n"
	"	*s*)	compopt -o nospace ;;\n"
	"	esac\n"
	"}\n"
	"complete -F _vial vial\n";

static const char zsh[] =
	"#compdef vial\n"
	"# vial: completion for zsh\n"
	"_vial()\n"
	"{\n"
	"	local -a names about lines\n"
	"	local line todo name\n"
	"	lines=(\"${(@f)$(vial completion words \"${(@)words[2,CURRENT]}\" "
	"2>/dev/null)}\")\n"
	"	for line in $lines; do\n"
	"		case $line in\n"
	"		:*)	todo=$line ;;\n"
	"		*)	name=${line%%$'\\t'*}\n"
	"			names+=($name)\n"
	"			about+=(\"$name  ${line#*$'\\t'}\") ;;\n"
	"		esac\n"
	"	done\n"
	"	case $todo in\n"
	"	*s*)	compadd -S '' -l -d about -a names ;;\n"
	"	*)	compadd -l -d about -a names ;;\n"
	"	esac\n"
	"	case $todo in\n"
	"	*f*)	compset -P '--*='; _files ;;\n"
	"	*d*)	compset -P '--*='; _files -/ ;;\n"
	"	esac\n"
	"}\n"
	"if [[ $funcstack[1] == _vial ]]; then\n"
	"	_vial \"$@\"\n"
	"else\n"
	"	compdef _vial vial\n"
	"fi\n";

static const char fish[] =
	"# vial: completion for fish\n"
	"function __vial_complete\n"
	"	set -l words (commandline -opc) (commandline -ct)\n"
	"	set -l last (commandline -ct)\n"
	"	set -e words[1]\n"
	"	test -n \"$last\"; or set last ''\n"
	"	test (count $words) -gt 0; or set words ''\n"
	"	for line in (vial completion words $words 2>/dev/null)\n"
	"		switch $line\n"
	"		case ':*f*'\n"
	"			__fish_complete_path $last\n"
	"		case ':*d*'\n"
	"			__fish_complete_directories $last\n"
	"		case ':*'\n"
	"		case '*'\n"
	"			printf '%s\\n' $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c vial -f -a '(__vial_complete)'\n";

static const struct opt opts[] = { OPT_END };

static int completion_main(const struct cmd *c, int argc, char **argv)
{
	static const struct {
		const char *name, *script;
	} shells[] = {
		{ "bash", bash },
		{ "zsh", zsh },
		{ "fish", fish },
	};
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (first < argc && strcmp(argv[first], "words") == 0) {
		complete(stdout, argc - first - 1, argv + first + 1);
		return 0;
	}
	for (size_t i = 0; argc - first == 1 && i < ARRAY_LEN(shells); i++)
		if (strcmp(argv[first], shells[i].name) == 0)
			return fputs(shells[i].script, stdout) < 0;
	err_set(&e, EINVAL, "'vial completion' needs bash, zsh or fish");
	return cmd_misused(c, &e);
}

const struct cmd cmd_completion = {
	.name = "completion",
	.usage = "bash | zsh | fish",
	.summary = "Print what makes a shell complete vial's command lines.",
	.opts = opts,
	.example =
		"source <(vial completion bash)\n"
		"vial completion fish > ~/.config/fish/completions/vial.fish\n",
	.more = "For every shell to come: bash, the line in ~/.bashrc; zsh, the output\n"
		"as a file _vial in a directory of $fpath.\n",
	.run = completion_main,
};
