/* SPDX-License-Identifier: Apache-2.0 */
/* oom.h - whom the kernel killed for memory, from its log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OOM_LOG "/dev/kmsg"

/* "name[pid]" of the first process of that control group, or of one below it,
 * that the log tells of; "" when it tells of none. */
void oom_victim(const char *log, const char *group, char *out, size_t room);
/* One record of the log; false when it is about something else. */
bool oom_record(char *text, const char *group, char *out, size_t room);
