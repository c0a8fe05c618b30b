/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void strv_fini(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv){ 0 };
}

int strv_add(struct strv *s, const char *text)
{
	char **v = realloc(s->v, (s->n + 2) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	s->v = v;
	v[s->n + 1] = NULL;
	v[s->n] = strdup(text);
	if (!v[s->n])
		return -ENOMEM;
	s->n++;
	return 0;
}

int strv_put_env(struct strv *s, const char *text)
{
	size_t name = strcspn(text, "=");

	for (size_t i = 0; i < s->n; i++) {
		char *copy;

		if (strncmp(s->v[i], text, name) != 0 || s->v[i][name] != '=')
			continue;
		copy = strdup(text);
		if (!copy)
			return -ENOMEM;
		free(s->v[i]);
		s->v[i] = copy;
		return 0;
	}
	return strv_add(s, text);
}
