/* SPDX-License-Identifier: Apache-2.0 */
/* stat.h - what is at a path of the guest. */
#pragma once

#include "agent/event.h"

/* Answers with a StatReply, whatever the path is. */
void stat_send(struct reply to, const char *path);
