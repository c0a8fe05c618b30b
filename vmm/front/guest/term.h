/* SPDX-License-Identifier: Apache-2.0 */
/* term.h - the user's terminal, lent to the guest. */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>

/* Raw mode on standard input, when it is a terminal. term_restore() puts back
 * what was there; it may be called at any time and more than once, and is
 * called at exit(). */
void term_raw(void);
void term_restore(void);

/* For who lends it to another process: term_restore() puts back what is there
 * now, should that one die in the middle of it. */
void term_lend(void);

/* Of the terminal on one of the standard streams; false when there is none. */
bool term_size(struct winsize *size);
