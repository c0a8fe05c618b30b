/* SPDX-License-Identifier: Apache-2.0 */
/* registries.h - registries.conf: where names lead to.
 *
 * containers-registries.conf(5), version 2: [[registry]] with prefix,
 * location, insecure, blocked, mirror-by-digest-only and [[registry.mirror]];
 * [aliases]; unqualified-search-registries. The file is
 * CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf, else
 * /etc/containers/registries.conf; behind it come, by name, the *.conf of
 * /etc/containers/registries.conf.d and then of the user's folder of that
 * name. A registry that has been there is replaced, the aliases are joined.
 *
 * Where no file says more, a name without a registry is one of docker.io. */
#pragma once

#include "base/err.h"
#include "image/ref.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct registries {
	json_t *list;	 /* [[registry]] by prefix, an object */
	json_t *aliases; /* "name": "registry/path" */
	json_t *search;	 /* unqualified-search-registries, or NULL */
};

/* r is zeroed. No file at all is as good as an empty one. */
int registries_load(struct registries *r, struct err *e);
/* The text of one more file. */
int registries_add(struct registries *r, const char *text, size_t len,
		   struct err *e);
void registries_fini(struct registries *r);

/* Where an image may come from, the first to be asked first; the registry
 * itself is last. ref has its name there, and the tag or digest as it was. */
#define REGISTRIES_PLACES_MAX 8
struct registries_place {
	struct ref ref;
	bool insecure, mirror;
};
/* How many places there are, or -EPERM: it is blocked. */
int registries_find(const struct registries *r, const struct ref *ref,
		    struct registries_place out[REGISTRIES_PLACES_MAX],
		    struct err *e);
/* Whether "host:port" as such is insecure; -EPERM: it is blocked. */
int registries_host(const struct registries *r, const char *host,
		    struct err *e);

/* What text may mean, the first to be tried first: one image, or several when
 * it names no registry and several are searched. Returns how many. */
#define REGISTRIES_NAMES_MAX 8
int registries_names(const struct registries *r, const char *text,
		     struct ref out[REGISTRIES_NAMES_MAX], struct err *e);
/* The same by the files there are, read once; for looking at what is here: of
 * a file that cannot be read nothing is said, and docker.io is meant, too. */
int registries_local(const char *text, struct ref out[REGISTRIES_NAMES_MAX],
		     struct err *e);
