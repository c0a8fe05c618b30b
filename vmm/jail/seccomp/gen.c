/* SPDX-License-Identifier: Apache-2.0 */
/* gen - rules.c as C tables on standard output.
 *
 * THEORY OF OPERATION
 *
 * Runs on the machine that builds. libseccomp turns each role's rules into a
 * BPF program; what is printed is the program as an array, and the names of
 * all system calls of this machine for the message of a thread that stepped
 * outside. vmm/jail/seccomp.c includes the result. The monitor itself has
 * neither the library nor the time it takes. */
#include "rules.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_INSNS 4096
#define MAX_CALL 1024

static const char *const role_names[] = {
	[JAIL_LOOP] = "loop",
	[JAIL_VCPU] = "vcpu",
	[JAIL_NET] = "net",
};

static int add_rule(scmp_filter_ctx ctx, const struct rule *r)
{
	int rc;

	/* Older calls do not exist on newer CPUs. */
	if (r->nr < 0)
		return 0;
	rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->nr, r->nargs,
				    r->args);
	if (rc == 0)
		rc = seccomp_syscall_priority(ctx, r->nr, r->weight);
	return rc;
}

static int build(scmp_filter_ctx ctx, enum jail_role role)
{
	/* A foreign ABI of the same CPU has other numbers for the calls. */
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				  SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; rc == 0 && i < nrules; i++)
		if (rules[i].roles & (1u << role))
			rc = add_rule(ctx, &rules[i]);
	return rc;
}

/* The library writes programs to descriptors only. */
static ssize_t export_bpf(scmp_filter_ctx ctx, struct sock_filter *insns)
{
	autoclose int fd = memfd_create("bpf", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0)
		return -1;
	n = pread(fd, insns, MAX_INSNS * sizeof(*insns), 0);
	return n < 0 ? -1 : n / (ssize_t)sizeof(*insns);
}

static void print_bpf(const char *name, const struct sock_filter *insns,
		      size_t n)
{
	printf("/* %zu instructions */\n"
	       "static const struct sock_filter jail_%s[] = {\n",
	       n, name);
	for (size_t i = 0; i < n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", insns[i].code,
		       insns[i].jt, insns[i].jf, insns[i].k);
	printf("};\n\n");
}

static int print_role(enum jail_role role)
{
	static struct sock_filter insns[MAX_INSNS];
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	ssize_t n = -1;

	if (ctx && build(ctx, role) == 0)
		n = export_bpf(ctx, insns);
	seccomp_release(ctx);
	if (n <= 0 || n == MAX_INSNS) {
		fprintf(stderr, "jail-tables: no program for role %s\n",
			role_names[role]);
		return -1;
	}
	print_bpf(role_names[role], insns, (size_t)n);
	return 0;
}

/* One string with all names, and where each begins: no relocations. */
static void print_names(void)
{
	uint16_t at[MAX_CALL] = { 0 };
	size_t used = 1;
	int last = -1;

	printf("static const char jail_names[] = \"?\\0\"\n");
	used = 2;
	for (int nr = 0; nr < MAX_CALL; nr++) {
		char *name =
			seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (!name)
			continue;
		printf("\t\"%s\\0\"\n", name);
		at[nr] = (uint16_t)used;
		used += strlen(name) + 1;
		last = nr;
		free(name);
	}
	printf("\t\"\";\n\nstatic const uint16_t jail_name_at[] = {\n");
	for (int nr = 0; nr <= last; nr++)
		printf("\t%u,\n", at[nr]);
	printf("};\n");
}

int main(void)
{
	printf("/* Made by vmm/jail/seccomp/gen.c. */\n"
	       "#include <linux/filter.h>\n#include <stdint.h>\n\n"
	       "#define JAIL_PID_MARK 0x%08xu\n\n",
	       PID_MARK);
	for (int role = 0; role < JAIL_NROLES; role++)
		if (print_role((enum jail_role)role) < 0)
			return 1;
	print_names();
	return fflush(stdout) == 0 ? 0 : 1;
}
