/* SPDX-License-Identifier: Apache-2.0 */
/* registry_fuzz - what is read before and while a registry is asked:
 * registries.conf, docker's files of logins, challenges, lists of tags. The
 * first byte says which. */
#include "base/auto.h"
#include "fetch/auth.h"
#include "fetch/creds_priv.h"
#include "fetch/tags.h"
#include "image/registries.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		__builtin_trap();
}

#define ZEROS "00000000000000000000000000000000"

static const char *const names[] = {
	"debian",
	"team/x:1",
	"docker.io/library/debian:12",
	"a.b.example:5000/deep/path@sha256:" ZEROS ZEROS,
};

static void places(const struct registries *r, const struct ref *ref)
{
	struct registries_place out[REGISTRIES_PLACES_MAX];
	struct err e = { 0 };
	int n = registries_find(r, ref, out, &e);

	must(n >= 1 || (n < 0 && e.msg[0]));
	must(n <= REGISTRIES_PLACES_MAX);
	for (int i = 0; i < n; i++) {
		char text[REF_TEXT_MAX];
		struct ref again;

		/* What a file made of it is a name as others are. */
		ref_print(&out[i].ref, text);
		must(*out[i].ref.domain && *out[i].ref.path);
		must(!strstr(out[i].ref.path, ".."));
		must(strchr(out[i].ref.domain, '/') == NULL);
		must(ref_set_name(&(struct ref){ 0 }, "a.b/c", &e) == 0);
		(void)ref_parse(text, &again, &e);
		must(out[i].mirror == (i + 1 < n));
	}
}

static void conf(const char *text, size_t size)
{
	struct ref out[REGISTRIES_NAMES_MAX];
	struct registries r = { 0 };
	struct err e = { 0 };

	if (registries_add(&r, text, size, &e) < 0)
		must(e.msg[0]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int n = registries_names(&r, names[i], out, &e);

		must(n <= REGISTRIES_NAMES_MAX);
		for (int k = 0; k < n; k++)
			places(&r, &out[k]);
	}
	(void)registries_host(&r, "a.b.example:5000", &e);
	registries_fini(&r);
}

static void logins(const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, 0, NULL);
	struct creds c = { 0 };

	if (creds_said(root, "reg.example:5000/a/b", &c))
		must(c.refresh || (c.user && c.password));
	creds_fini(&c);
	if (creds_said(root, "docker.io/library/x", &c))
		must(c.refresh || (c.user && c.password));
	creds_fini(&c);
	(void)creds_helper_of(root, "reg.example:5000");
	json_decref(root);
}

static void challenge(const char *text)
{
	struct auth_want w;

	auth_parse(text, &w);
	must(!(w.bearer && w.basic));
	must(!w.bearer || *w.realm);
	must(strlen(w.realm) < sizeof(w.realm));
	must(strlen(w.service) < sizeof(w.service));
	must(strlen(w.scope) < sizeof(w.scope));
}

static void tags(char *text)
{
	const struct ref name = { .domain = "a.b", .path = "c" };
	json_t *all = json_array();
	struct err e = { 0 };

	must(tags_add(all, &name, text, strlen(text), &e) == 0 || e.msg[0]);
	must(json_array_size(all) <= TAGS_MAX);
	(void)tags_next(text);
	json_decref(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = NULL;

	if (size < 1)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	must(text);
	switch (*data % 4) {
	case 0:
		conf((const char *)data + 1, size - 1);
		break;
	case 1:
		logins((const char *)data + 1, size - 1);
		break;
	case 2:
		challenge(text);
		break;
	default:
		tags(text);
	}
	return 0;
}
