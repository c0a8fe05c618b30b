/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what the plan message says, without looking at any descriptor.
 *
 * Pure functions: recv.c gives them what came, the fuzzer anything. Strings,
 * counts and numbers are checked here; that a descriptor is open and of its
 * kind is recv.c's. Only recv.c and the tests include this. */
#pragma once

#include "base/err.h"
#include "monitor/conf.h"

#include "proto/plan.pb-c.h"

#include <stddef.h>

/* Descriptors below belong to the standard streams and the plan socket. */
#define PLAN_FIRST_FD 4

/* Checks every field and copies it. -EINVAL and a line that names the field;
 * *conf is undefined then. */
int plan_check(const Vial__Plan__Plan *p, struct monitor_conf *conf,
	       struct err *e);

/* Unpacks one message and checks it. -EPROTO when it is not a plan. */
int plan_decode(const void *bytes, size_t len, struct monitor_conf *conf,
		struct err *e);
