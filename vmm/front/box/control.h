/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - one call to a box's monitor (control.proto). The monitor answers
 * at once, whatever the guest does. */
#pragma once

#include "base/err.h"
#include "proto/control.pb-c.h"

int control_pause(int boxdir, struct err *e);
int control_resume(int boxdir, struct err *e);
/* Ends the guest. */
int control_stop(int boxdir, struct err *e);
/* An interface over tap, which must not block and stays the caller's. Out: its
 * slot, and where the guest finds it. */
int control_plug(int boxdir, int tap, Vial__Control__Plug *plug,
		 Vial__Control__Plugged *out, struct err *e);
int control_unplug(int boxdir, unsigned slot, struct err *e);
int control_stats(int boxdir, Vial__Control__Stats *out, struct err *e);
