/* SPDX-License-Identifier: Apache-2.0 */
/* image_fuzz - what comes with an image: names, manifests, configurations, and
 * the archive around it. The first byte says which. */
#include "base/auto.h"
#include "image/config.h"
#include "image/manifest.h"
#include "image/parts.h"
#include "image/ref.h"
#include "image/tar.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		__builtin_trap();
}

static void reference(const char *text)
{
	char out[REF_TEXT_MAX], again[REF_TEXT_MAX];
	struct err e = { 0 };
	struct ref r, same;

	if (ref_parse(text, &r, &e) < 0) {
		must(e.msg[0]);
		return;
	}
	ref_print(&r, out);
	must(ref_parse(out, &same, &e) == 0);
	ref_print(&same, again);
	must(strcmp(out, again) == 0);
	must(!strstr(r.path, "..") && *r.path != '/');
}

static void manifest(const char *text, size_t size)
{
	const struct manifest_entry *en;
	struct err e = { 0 };
	struct manifest m;
	struct platform p;

	platform_parse(NULL, &p, &e);
	if (manifest_parse(text, size, NULL, &m, &e) < 0) {
		must(e.msg[0] && !m.layers && !m.entries);
		return;
	}
	for (size_t i = 0; i < m.nlayers; i++)
		must(m.layers[i].pack < PACK_NKINDS);
	manifest_pick(&m, &p, &en, &e);
	manifest_fini(&m);
}

static void config(const char *text, size_t size)
{
	struct digest chain;
	struct err e = { 0 };
	struct config c;

	if (config_parse(text, size, &c, &e) < 0) {
		must(e.msg[0] && !c.json);
		return;
	}
	config_chain(&c, c.ndiff_ids, &chain);
	config_fini(&c);
}

struct bytes {
	const char *at;
	size_t left;
};

static ssize_t from_bytes(void *ctx, void *buf, size_t len, struct err *e)
{
	struct bytes *b = ctx;
	size_t n = MIN(len, b->left);

	(void)e;
	memcpy(buf, b->at, n);
	b->at += n;
	b->left -= n;
	return (ssize_t)n;
}

static void tar(const char *data, size_t size)
{
	struct bytes b = { data, size };
	autofree struct tar_entry *en = malloc(sizeof(*en));
	autofree char *clean = malloc(TAR_NAME_MAX);
	struct err e = { 0 };
	struct tar t;
	char buf[700];

	must(en && clean);
	tar_init(&t, from_bytes, &b);
	while (tar_next(&t, en, &e) > 0) {
		must(strlen(en->name) < TAR_NAME_MAX);
		if (parts_clean("", en->name, clean, &e) == 0)
			must(*clean && *clean != '/' &&
			     strncmp(clean, "../", 3) != 0 &&
			     strcmp(clean, "..") != 0 && !strstr(clean, "//"));
		/* Some of the data; the next one is found all the same. */
		must(tar_data(&t, buf, sizeof(buf), &e) <=
		     (ssize_t)sizeof(buf));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = NULL;
	struct platform p;
	struct err e = { 0 };

	if (size < 1)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	must(text);
	switch (*data % 5) {
	case 0:
		reference(text);
		break;
	case 1:
		manifest((const char *)data + 1, size - 1);
		break;
	case 2:
		config((const char *)data + 1, size - 1);
		break;
	case 3:
		platform_parse(text, &p, &e);
		break;
	default:
		tar((const char *)data + 1, size - 1);
	}
	return 0;
}
