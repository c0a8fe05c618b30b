/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - the one thing the monitor does without a plan: it opens /dev/kvm
 * itself, measures, prints a line and ends. No guest of a user runs. */
#include "probe.h"

#include "base/auto.h"
#include "machine/kvm_probe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* Our own messages and strerror(): nothing but quotes to be careful of. */
static void print_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

int probe_main(void)
{
	autoclose int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_probe p = { .missing = "" };
	struct err e = { 0 };
	bool usable;

	if (fd < 0)
		err_sys(&e, "/dev/kvm");
	usable = fd >= 0 && kvm_probe(fd, &p, &e) == 0;
	printf("{\"usable\":%s,\"reason\":", usable ? "true" : "false");
	print_text(usable ? "" : e.msg);
	printf(",\"guest_ns\":%" PRIu64 ",\"user_ns\":%" PRIu64 ",\"missing\":",
	       p.guest_ns, p.user_ns);
	print_text(p.missing);
	printf("}\n");
	return usable ? 0 : 1;
}
