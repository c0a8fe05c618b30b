/* SPDX-License-Identifier: Apache-2.0 */
/* vial help: the commands, and topics that are no command. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/colour.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 128

static const struct topic {
	const char *name, *summary, *text;
} topics[] = {
	{ "images", "What IMAGE can be, and how to make one",
	  "IMAGE is the name of an image that 'vial images' lists, in docker's\n"
	  "words, or an ext4 file of this host; a file that is there goes first.\n"
	  "It is never written to: every box writes to a file of its own that\n"
	  "disappears with it, and any number of boxes can share an image.\n"
	  "\n"
	  "vial/debian:12 (with gcc, make and git) and vial/busybox come with vial\n"
	  "and need no registry: vial run --rm vial/debian:12 gcc --version\n"
	  "\n"
	  "The layers of an image are unpacked when it is first used, in a virtual\n"
	  "machine of their own, into one file below images/disks of the data\n"
	  "directory. What the image says of entrypoint, command, environment,\n"
	  "user, directory, volumes, stop signal, health and labels holds where\n"
	  "the command line does not say otherwise.\n"
	  "\n"
	  "What is larger is refused, whoever sends it: a document of 4 MiB or\n"
	  "65536 values, lists of 1024 images or 4 levels, 512 layers, a layer of\n"
	  "64 GiB packed, and more than its disk holds or 20 million entries.\n"
	  "\n"
	  "A file holds one ext4 file system with what a Linux distribution needs\n"
	  "to run programs, and no kernel or boot loader. Its free space is the\n"
	  "space a command has. From a directory tree, without being root:\n"
	  "\n"
	  "  mke2fs -q -t ext4 -d rootfs/ debian.ext4 2G\n"
	  "\n"
	  "The file is sparse: 2G is what it may grow to. From Debian's packages:\n"
	  "\n"
	  "  mmdebstrap --include=gcc,make,libc6-dev bookworm rootfs.tar\n"
	  "  mkdir rootfs && fakeroot -s ids tar -xf rootfs.tar -C rootfs\n"
	  "  fakeroot -i ids mke2fs -q -t ext4 -d rootfs debian.ext4 2G\n"
	  "\n"
	  "Then: vial run --rm debian.ext4 gcc --version\n" },
	{ "status", "What the exit status means",
	  "  N      the command's own exit status\n"
	  "  124    it was ended by --timeout\n"
	  "  125    vial, the box or the command line failed, not the command\n"
	  "  126    the command was found but cannot be run\n"
	  "  127    the command was not found\n"
	  "  128+N  it was ended by signal N: 130 by SIGINT, 137 by SIGKILL (also\n"
	  "         when the guest ran out of memory), 143 by SIGTERM\n"
	  "\n"
	  "The reason is said in words on standard error (not with -q), and for\n"
	  "programs in the file of --json.\n" },
};

static void heading(const char *text)
{
	printf("%s%s%s\n", colour(STDOUT_FILENO, COLOUR_BOLD), text,
	       colour(STDOUT_FILENO, COLOUR_PLAIN));
}

static void commands(void)
{
	printf("Usage: vial COMMAND [OPTIONS] ...\n\n"
	       "Runs commands in microVMs: a kernel, memory and a disk of "
	       "their own.\n\n");
	heading("Commands:");
	for (size_t i = 0; cmds[i]; i++)
		printf("  %-11s %s\n", cmds[i]->name, cmds[i]->summary);
	printf("  %-11s %s\n", "help", "Explain a command or a topic.");
	printf("\n");
	heading("Topics:");
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		printf("  %-11s %s\n", topics[i].name, topics[i].summary);
	printf("\n'vial COMMAND --help' has the options, vial-COMMAND(1) "
	       "everything.\n\n");
	heading("First steps:");
	printf("  vial doctor                         is this host able?\n"
	       "  vial run --rm IMAGE uname -a        a command in a box\n"
	       "  vial run --rm -it IMAGE sh          a shell in one\n");
}

static int unknown(const char *word)
{
	const char *names[NAMES_MAX], *near;
	size_t n = 0;

	for (size_t i = 0; cmds[i] && n < NAMES_MAX; i++)
		names[n++] = cmds[i]->name;
	for (size_t i = 0; i < ARRAY_LEN(topics) && n < NAMES_MAX; i++)
		names[n++] = topics[i].name;
	near = opt_nearest(word, names, n);
	fprintf(stderr,
		"vial: there is no help on '%s'%s%s%s\n"
		"See 'vial help'.\n",
		word, near ? ": did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return CMD_FAILED;
}

int help_main(int argc, char **argv)
{
	const struct cmd *c;

	if (argc < 1 || strcmp(argv[0], "--help") == 0 ||
	    strcmp(argv[0], "-h") == 0) {
		commands();
		return 0;
	}
	c = cmd_find(cmds, argv[0]);
	if (c && c->sub && argc > 1 && cmd_find(c->sub, argv[1]))
		c = cmd_find(c->sub, argv[1]);
	if (c) {
		cmd_help(c);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		if (strcmp(argv[0], topics[i].name) == 0) {
			fputs(topics[i].text, stdout);
			return 0;
		}
	return unknown(argv[0]);
}
