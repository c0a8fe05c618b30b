/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - one virtual machine: RAM, vCPUs, devices, and how it ends.
 *
 * THEORY OF OPERATION
 *
 * machine_build() puts the parts together in one order: RAM, the VM, its
 * interrupt controllers, devices in their slots (a window on the bus, a
 * doorbell, an interrupt line each), the kernel, the device tree, the vCPUs.
 * Nothing runs yet, and everything that needs a system call the jail takes
 * away has happened. machine_start() makes the vCPU threads, each of which
 * calls enter() (the monitor closes its system calls there) and waits;
 * machine_go() lets them run.
 *
 * virtio-mmio knows no hot-plug, but a device whose ID reads 0 is a placeholder
 * that a driver ignores (virtio 1.2, 4.2.3.1.1). Slots set aside for later hold
 * such devices, with window, doorbell, interrupt and node in the device tree;
 * machine_plug() gives one its ID, and the guest is told by its agent to probe
 * that address again.
 *
 * Threads: the loop thread owns all device state, but for queues that a device
 * serves in threads of its own (virtio.h, dev/net.h). A vCPU thread that touches a
 * register takes the machine lock for as long as that lasts; the loop holds
 * the same lock while it runs callbacks. Doorbells never leave the kernel
 * but as an eventfd in the loop, and registers of virtio devices are read from
 * a page that the guest has before it (virtio/view.h), so what is left are
 * writes that set a device up.
 *
 * The guest ends when a vCPU cannot go on, or when it writes the poweroff,
 * reset or panic register. The first reason wins and rings the loop, which
 * calls ended(); the monitor then stops the loop and calls machine_stop(). */
#pragma once

#include "arch/arch.h"
#include "base/loop.h"
#include "dev/dev.h"
#include "dev/power.h"
#include "dev/serial.h"
#include "dev/serial_log.h"
#include "machine/bus.h"

#define MACHINE_MAX_VCPUS 32
#define MACHINE_MAX_DEVS 27

enum machine_end {
	END_NONE,
	END_POWEROFF,
	END_REBOOT,
	END_PANIC,
	END_CRASH,
	END_STOPPED,
};

struct machine_conf {
	unsigned vcpus; /* 1 to MACHINE_MAX_VCPUS */
	uint64_t ram_bytes;
	bool shared_ram; /* some device is another process's */
	int kvm_fd, kernel_fd, initrd_fd; /* borrowed; initrd may be -1 */
	const char *cmdline; /* behind what the machine itself needs */
	const struct dev_conf *devs;
	unsigned ndevs;
	int console_fd; /* -1: not kept */
	uint64_t console_max_bytes;
	uint64_t console_rate; /* bytes a second; 0: no limit */
	int (*enter)(void *ctx, struct err *e); /* first in a vCPU thread */
	int (*enter_dev)(void *ctx, struct err *e); /* and in a device's own */
	void (*ended)(void *ctx);		/* in the loop, once */
	void *ctx;
};

struct machine;

struct slot {
	struct machine *machine;
	struct virtio *v;
	const struct dev_kind *kind;
	struct watch kick;
	unsigned gsi;
	bool spare; /* a device may come and go here */
	pthread_mutex_t raising; /* of several threads, one after the other */
};

struct machine {
	struct loop *loop;
	pthread_mutex_t lock; /* also the loop's */
	struct mem mem;
	struct kvm_vm vm;
	struct bus mmio, pio;
	struct slot slot[MACHINE_MAX_DEVS];
	unsigned nslots;
	uint8_t *views; /* what the guest reads of them (virtio/view.h) */
	int ack_fd;	/* rung by acknowledgements, heard by nobody */
	/* a vCPU's write that the loop must do; under lock (slot.c) */
	struct slot *defer;
	uint32_t defer_status;
	struct watch defer_watch; /* eventfd, owned */
	pthread_cond_t deferred;
	bool stopping;
	struct serial serial;
	struct serial_log console;
	struct power power;
	struct boot boot;
	struct vcpu vcpu[MACHINE_MAX_VCPUS];
	unsigned nvcpus;
	struct vcpu_hooks hooks;
	struct dev_threads threads;
	const struct machine_conf *conf;
	bool paused;
	/* how it ended; under end_lock, which is taken last */
	pthread_mutex_t end_lock;
	enum machine_end end;
	char end_why[128];
	struct watch end_watch; /* eventfd, owned */
};

/* Before machine_build(); loop takes machine.lock as its lock. */
void machine_init(struct machine *m);

/* conf and loop are borrowed until machine_fini(). */
int machine_build(struct machine *m, const struct machine_conf *conf,
		  struct loop *loop, struct err *e);
int machine_start(struct machine *m, struct err *e);
void machine_go(struct machine *m);
void machine_pause(struct machine *m);

/* Records how the guest ends, from any thread; the first call counts. why adds
 * what the kind of end does not say, or is empty. */
void machine_end(struct machine *m, enum machine_end end, const char *why);
/* What the devices have counted so far, added up. In the loop. */
void machine_dev_stats(const struct machine *m, struct dev_stats *s);
/* A device that comes, into a slot set aside for its kind that no driver holds
 * any more, and one that goes. Both in the loop. Plugging takes conf's
 * descriptor if it works, and returns the slot; -ENOSPC: there is none. */
int machine_plug(struct machine *m, const struct dev_conf *conf, struct err *e);
int machine_unplug(struct machine *m, unsigned slot, struct err *e);
/* Where the guest finds it. */
gpa_t machine_slot_at(unsigned slot);
/* Stops the vCPUs, then drains the devices. Machine lock not held. */
void machine_stop(struct machine *m);
/* Runs the loop until the last bytes of the guest have reached its clients, at
 * most max_ms. After machine_stop(). */
void machine_drain(struct machine *m, unsigned max_ms);
/* Safe on a half-built machine. */
void machine_fini(struct machine *m);

/* machine/fdt.c: the device tree of m into buf; returns its length. */
int machine_fdt(const struct machine *m, const char *cmdline, void *buf,
		size_t room, struct err *e);

/* machine/slot.c: all devices into their slots; their threads; the reverse; and
 * lets go of vCPUs that wait for the loop, which has ended. */
int slot_build_all(struct machine *m, struct err *e);
int slot_start_all(struct machine *m, struct err *e);
void slot_fini_all(struct machine *m);
void slot_let_go(struct machine *m);
