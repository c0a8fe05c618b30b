/* SPDX-License-Identifier: Apache-2.0 */
/* complete.h - what can stand at the end of a command line.
 *
 * The scripts of `vial completion` hand on the words behind "vial", the last
 * of them the one that is being typed, empty when it is new. The answer is a
 * candidate a line, a tab and a word of explanation behind it, all of them
 * beginning with what was typed; the last line is ":" and what else the shell
 * is to do, zero or more of
 *
 *   f   offer files     d   offer directories     s   put no space behind
 */
#pragma once

#include <stdio.h>

void complete(FILE *out, int argc, char **argv);
