/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - is this host able to run boxes: what `vial doctor` finds out.
 *
 * A check looks at one thing and says what it found and, when that is not
 * good, what to do. Nothing is changed, but directories of ours are made. */
#pragma once

#include <stddef.h>

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check {
	const char *name;	/* "kvm", "memory", ... */
	enum check_level level;
	char found[320];
	char remedy[240];	/* "": nothing to be done */
};

#define CHECK_MAX 16

/* All of them, in the order a box needs them; returns how many. */
size_t check_all(struct check out[CHECK_MAX]);
/* Only whether KVM is there and good, measured. */
void check_kvm(struct check *c);
/* Only the ways out. */
void check_network(struct check *c);
