/* SPDX-License-Identifier: Apache-2.0 */
/* usage - what the process that runs a guest costs by now.
 *
 * usage: usage PID GUEST-MIB
 *
 * Prints: CPU microseconds, of them the first thread's, PSS in KiB without the
 * guest's memory, of it private, KiB of the guest's memory. */
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct proc_cost c = { 0 };
	int r;

	if (argc != 3)
		return 2;
	r = proc_cpu(atoi(argv[1]), &c);
	if (r == 0)
		r = proc_mem(atoi(argv[1]), strtoull(argv[2], NULL, 0), &c);
	if (r < 0) {
		fprintf(stderr, "usage: process %s: %s\n", argv[1],
			strerror(-r));
		return 1;
	}
	printf("%llu %llu %llu %llu %llu\n", (unsigned long long)c.cpu_us,
	       (unsigned long long)c.main_us, (unsigned long long)c.pss_kib,
	       (unsigned long long)c.private_kib,
	       (unsigned long long)c.ram_kib);
	return 0;
}
