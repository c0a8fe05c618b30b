/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - what the guest uses. */
#pragma once

#include "proto/agent.pb-c.h"

struct cgroups;

/* What cannot be found out stays 0. */
void stats_read(const struct cgroups *cs, Vial__Agent__StatsReply *s);
