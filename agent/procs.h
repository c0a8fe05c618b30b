/* SPDX-License-Identifier: Apache-2.0 */
/* procs.h - what runs in the guest, for "ps" and "top". */
#pragma once

#include "agent/event.h"
#include "agent/user.h"

/* Answers with one ProcessList. Kernel threads and the agent are left out.
 * What does not fit into a frame is left out too, and the last entry, of pid 0,
 * says how many. */
void procs_send(struct reply to, const struct user_files *users);
