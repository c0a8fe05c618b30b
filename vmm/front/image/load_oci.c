/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load_priv.h"

#include "base/auto.h"
#include "image/doc.h"

#include <errno.h>
#include <string.h>

/* A manifest that another one names. */
static int read_desc(struct load *l, const struct manifest_desc *d,
		     struct manifest *m, struct err *e)
{
	autofree char *text = NULL;
	ssize_t n;

	if (d->size > DOC_TEXT_MAX)
		return err_set(e, EFBIG, "%s: a manifest of %llu bytes",
			       d->digest.text, (unsigned long long)d->size);
	if (load_blob(l, d, e) < 0)
		return -e->code;
	n = store_read(l->store, &d->digest, DOC_TEXT_MAX, &text, e);
	if (n < 0)
		return (int)n;
	if (manifest_parse(text, (size_t)n, d->media, m, e) < 0)
		return err_wrap(e, "%.19s...", d->digest.text);
	return 0;
}

/* Down lists of lists, to the image for the platform. */
static int descend(struct load *l, struct manifest_desc *d, struct manifest *m,
		   struct err *e)
{
	for (int depth = 0; depth < MANIFEST_DEPTH_MAX; depth++) {
		const struct manifest_entry *en = NULL;

		if (read_desc(l, d, m, e) < 0)
			return -e->code;
		if (m->kind == MANIFEST_IMAGE)
			return 0;
		if (manifest_pick(m, &l->how->platform, &en, e) == 0)
			*d = en->desc;
		manifest_fini(m);
		if (!en)
			return -e->code;
	}
	return err_set(e, ELOOP, "lists of manifests in lists, more than %d",
		       MANIFEST_DEPTH_MAX);
}

static int load_image(struct load *l, const struct manifest_entry *en,
		      struct err *e)
{
	struct manifest_desc d = en->desc;
	struct manifest m = { 0 };
	const char *name = en->full;
	int r = descend(l, &d, &m, e);

	if (r == 0)
		r = load_blob(l, &m.config, e);
	for (size_t i = 0; r == 0 && i < m.nlayers; i++)
		if (load_blob(l, &m.layers[i], e) < 0)
			r = err_wrap(e, "layer %zu", i + 1);
	manifest_fini(&m);
	if (r < 0)
		return r;
	/* A tag alone, as the specification has it, names nothing. */
	if (!name && en->name && strpbrk(en->name, ":/"))
		name = en->name;
	return load_done(l, &d, name, e);
}

/* Of several, those for another platform are left out. */
static bool wanted(const struct load *l, const struct manifest *index,
		   const struct manifest_entry *en)
{
	return index->nentries == 1 || !*en->platform.os ||
	       platform_fits(&en->platform, &l->how->platform) > 0;
}

int load_oci(struct load *l, struct err *e)
{
	autofree char *text = NULL;
	struct manifest index = { 0 };
	ssize_t n = load_file(l, "index.json", &text, e);
	int r = 0;

	if (n < 0)
		return (int)n;
	if (manifest_parse(text, (size_t)n, MEDIA_OCI_INDEX, &index, e) < 0)
		return err_wrap(e, "index.json");
	for (size_t i = 0; r == 0 && i < index.nentries; i++)
		if (wanted(l, &index, &index.entries[i]))
			r = load_image(l, &index.entries[i], e);
	if (r == 0 && l->count == 0) {
		const struct manifest_entry *none;

		if (index.nentries == 0)
			r = err_set(e, ENOENT, "there is no image in it");
		else
			r = manifest_pick(&index, &l->how->platform, &none, e);
	}
	manifest_fini(&index);
	return r;
}
