/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - the system calls each role of thread keeps.
 *
 * Host side of the build: gen.c compiles this list into BPF. */
#pragma once

#include "jail/jail.h"

#include <seccomp.h>
#include <stddef.h>

#define FOR_LOOP (1u << JAIL_LOOP)
#define FOR_VCPU (1u << JAIL_VCPU)
#define FOR_NET (1u << JAIL_NET)
#define FOR_ALL (FOR_LOOP | FOR_VCPU | FOR_NET)
#define FOR_DEVS (FOR_LOOP | FOR_NET)

/* Stands for the process id in a rule; jail_seal() puts the number there. */
#define PID_MARK 0x7e51d0e5u

#define RULE_ARGS 2

/* All of args that are set must hold. Several rules for one call: any. */
struct rule {
	unsigned roles;
	int nr;
	unsigned char weight; /* those tested first have the largest */
	unsigned nargs;
	struct scmp_arg_cmp args[RULE_ARGS];
};

extern const struct rule rules[];
extern const size_t nrules;
