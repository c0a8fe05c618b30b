/* SPDX-License-Identifier: Apache-2.0 */
/* same.h - whether a file of one tree is that of another (diff.h). */
#pragma once

#include "base/err.h"

#include <sys/stat.h>

struct same_file {
	int dir; /* borrowed */
	const char *name;
	const struct stat *st;
};

/* 1: nothing tells them apart; 0. The process's folder is another after. */
int same_files(const struct same_file *a, const struct same_file *b,
	       struct err *e);
