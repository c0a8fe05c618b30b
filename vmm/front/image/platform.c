/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include "base/auto.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* docker's and uname's words for what Go calls otherwise. */
static const struct alias {
	const char *said, *arch, *variant;
} aliases[] = {
	{ "x86_64", "amd64", "" },  { "x86-64", "amd64", "" },
	{ "aarch64", "arm64", "" }, { "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },   { "i386", "386", "" },
};

static void unalias(struct platform *p)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(p->arch, aliases[i].said) == 0) {
			snprintf(p->arch, sizeof(p->arch), "%s",
				 aliases[i].arch);
			if (!*p->variant)
				snprintf(p->variant, sizeof(p->variant), "%s",
					 aliases[i].variant);
			return;
		}
}

static bool take_part(const char **text, char *out, size_t size)
{
	size_t len = strcspn(*text, "/");

	if (len == 0 || len >= size ||
	    strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789_.-") < len)
		return false;
	memcpy(out, *text, len);
	out[len] = '\0';
	*text += len + ((*text)[len] == '/');
	return true;
}

int platform_parse(const char *text, struct platform *p, struct err *e)
{
	const char *rest = text;

	*p = (struct platform){ .os = "linux", .arch = VIAL_OCI_ARCH };
	if (!text)
		return 0;
	/* "arm64" alone is an architecture. */
	if (!strchr(text, '/') && strcmp(text, "linux") != 0) {
		if (!take_part(&rest, p->arch, sizeof(p->arch)))
			goto bad;
	} else if (!take_part(&rest, p->os, sizeof(p->os)) ||
		   (*rest && !take_part(&rest, p->arch, sizeof(p->arch))) ||
		   (*rest &&
		    !take_part(&rest, p->variant, sizeof(p->variant)))) {
		goto bad;
	}
	if (*rest)
		goto bad;
	unalias(p);
	return 0;
bad:
	return err_set(e, EINVAL,
		       "'%.60s' is no platform (linux/amd64, linux/arm64/v8)",
		       text);
}

void platform_print(const struct platform *p, char *out, size_t size)
{
	snprintf(out, size, "%s/%s%s%s", p->os, p->arch, *p->variant ? "/" : "",
		 p->variant);
}

/* 0: no. arm64 without a variant is v8, and the reverse. */
int platform_fits(const struct platform *have, const struct platform *want)
{
	const char *h = have->variant, *w = want->variant;

	if (strcmp(have->os, want->os) != 0 ||
	    strcmp(have->arch, want->arch) != 0)
		return 0;
	if (strcmp(want->arch, "arm64") == 0) {
		h = *h ? h : "v8";
		w = *w ? w : "v8";
	}
	if (strcmp(h, w) == 0)
		return 2;
	/* v2 of amd64 is what some hosts cannot run: not without being asked
	 * for. Of what was not named, the plain one is taken first. */
	return *w ? 0 : 1;
}
