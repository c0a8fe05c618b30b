/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.h - makes the lab a Debian system with KVM in it.
 *
 * In this order. What fails ends the lab with a line on its console, which
 * lab-host shows.
 */
#pragma once

/* Devices: /dev, /proc, /sys, and the modules the initramfs brought. */
void setup_devices(void);

/* The machine's root under an overlay, what a container has on top, the
 * writable share (rw, or ""); then that is /. */
void setup_root(const char *rw);

/* The rest: module directory, devices made on demand, cgroups, network. */
void setup_system(const char *modules);

/* fd of port number nr, opened as soon as it is there. */
int setup_port(int nr);

/* Says what and why on the console and powers off. */
__attribute__((format(printf, 1, 2))) _Noreturn void setup_die(const char *fmt,
							       ...);
