/* SPDX-License-Identifier: Apache-2.0 */
/* left.h - what boxes are made of and what they leave, for tool.c. */
#pragma once

#include <stdbool.h>

/* All print, and return an exit status. */
int left_pids(const char *run, bool words);
int left_monitor(const char *id);
int left_all(const char *run, const char *data, bool machine);
