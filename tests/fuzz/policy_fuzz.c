/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a list of --egress: taken or refused with a reason, and what was
 * taken can be asked. */
#include "base/auto.h"
#include "net/policy.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void ask(const struct policy *p)
{
	char name[POLICY_NAME + 2];
	uint64_t set;

	for (size_t i = 0; i < p->nnames; i++) {
		const struct policy_name *n = &p->names[i];

		must(policy_name_allowed(p, n->name, &set) ==
		     (p->all || set != 0));
		must((set & n->exact) == n->exact);
		must(!p->nclasses || set >> p->nclasses == 0);
		memcpy(name, "x.", 2);
		memcpy(name + 2, n->name, strlen(n->name) + 1);
		policy_name_allowed(p, name, &set);
		must((set & n->below) == n->below);
	}
	for (size_t i = 0; i < p->nranges; i++)
		must(!policy_ip_closed(p, &p->ranges[i].range.ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = strndup((const char *)data, size);
	struct err e = { 0 };
	struct policy p;

	policy_init(&p);
	if (policy_add(&p, text, &e) == 0 && policy_end(&p, &e) == 0)
		ask(&p);
	else
		must(e.msg[0] != '\0');
	policy_fini(&p);
	return 0;
}
