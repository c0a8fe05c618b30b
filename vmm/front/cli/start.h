/* SPDX-License-Identifier: Apache-2.0 */
/* start.h - what `vial start` does to one box, for others. */
#pragma once

#include "base/err.h"

/* Detached. 0 also when it runs already. */
int start_box(const char *what, struct err *e);
