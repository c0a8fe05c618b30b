/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the guest's network. */
#pragma once

#include "base/err.h"

/* Brings the loopback link up; its addresses follow by themselves. */
int net_loopback_up(struct err *e);
