/* SPDX-License-Identifier: Apache-2.0 */
#include "box/network.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/create.h"
#include "box/netinfo.h"
#include "box/state.h"
#include "box/where.h"
#include "net/pool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define SUFFIX ".json"
/* Of an id that stands for a name. */
#define ID_MIN 4
/* 10.214.0.0/16, in pieces of 256 addresses */
#define POOL 0x0ad60000u
#define POOL_PIECES 256
/* 10.0.2.0/23, of every box by pasta */
#define OWN 0x0a000200u
#define OWN_PREFIX 23
#define ROUTES_MAX (4u << 20)

int network_name_check(const char *name, struct err *e)
{
	static const char *const words[] = { "default", "bridge", "host",
					     "none",	"nat",	  "user" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(name, words[i]) == 0)
			return err_set(e, EPERM,
				       "'%s' is the name of a mode, not of a "
				       "network",
				       name);
	if (len < 2 || len > NETWORK_NAME_MAX || strchr("_.-", *name) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_.-") != len)
		return err_set(e, EINVAL,
			       "Invalid network name (%.80s), only "
			       "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed, 2 to "
			       "%d of them",
			       name, NETWORK_NAME_MAX);
	return 0;
}

/* ---- files ---- */

static json_t *labels_json(const struct strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(a, json_string(v->v[i]));
	return a;
}

static char *to_text(const struct network *n)
{
	char subnet[NETINFO_TEXT];
	json_t *o = json_pack("{ss ss ss si sb sI so}", "name", n->name, "id",
			      n->id, "subnet",
			      netinfo_dotted(n->subnet, subnet), "prefix",
			      (int)n->prefix, "internal", (int)n->internal,
			      "created", (json_int_t)n->created, "labels",
			      labels_json(&n->labels));
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return text;
}

static int from_json(struct network *n, const json_t *o, struct err *e)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *id = json_string_value(json_object_get(o, "id"));
	const char *subnet = json_string_value(json_object_get(o, "subnet"));
	json_t *label;
	size_t i;

	if (!name || !id || !subnet ||
	    inet_pton(AF_INET, subnet, n->subnet) != 1)
		return err_set(e, EINVAL, "its file makes no sense");
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->prefix = (unsigned)json_integer_value(json_object_get(o, "prefix"));
	n->internal = json_is_true(json_object_get(o, "internal"));
	n->created = json_integer_value(json_object_get(o, "created"));
	json_array_foreach(json_object_get(o, "labels"), i, label)
	{
		if (json_is_string(label) &&
		    strv_add(&n->labels, json_string_value(label)) < 0)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}

static int load(int top, const char *name, struct network *n, struct err *e)
{
	char file[NETWORK_NAME_MAX + sizeof(SUFFIX)];
	autofree char *text = NULL;
	autoclose int fd = -1;
	json_t *o;
	int r;

	*n = (struct network){ .prefix = 0 };
	snprintf(file, sizeof(file), "%s" SUFFIX, name);
	fd = openat(top, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fd_slurp(fd, &text, FILE_MAX) < 0)
		return err_sys(e, "network %s", name);
	o = json_loads(text, 0, NULL);
	r = from_json(n, o, e);
	json_decref(o);
	if (r < 0)
		network_fini(n);
	return r < 0 ? err_wrap(e, "network %s", name) : 0;
}

void network_fini(struct network *n)
{
	strv_fini(&n->labels);
}

int network_names(struct strv *names, struct err *e)
{
	autoclose int top = where_folder("networks", e);
	struct dirent **list = NULL;
	int n, r = 0;

	*names = (struct strv){ 0 };
	if (top < 0)
		return top;
	n = scandirat(top, ".", &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char *name = list[i]->d_name;
		size_t len = strlen(name), end = strlen(SUFFIX);

		if (len > end && strcmp(name + len - end, SUFFIX) == 0) {
			name[len - end] = '\0';
			r = r ? r : strv_add(names, name);
		}
		free(list[i]);
	}
	free(list);
	return r < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

int network_get(const char *what, struct network *n, struct err *e)
{
	autoclose int top = where_folder("networks", e);
	struct strv names;
	struct err ignored;
	int r = -ENOENT;

	if (top < 0 || network_names(&names, e) < 0)
		return -e->code;
	for (size_t i = 0; r < 0 && i < names.n; i++)
		if (strcmp(names.v[i], what) == 0)
			r = load(top, what, n, e) < 0 ? -e->code : 1;
	for (size_t i = 0;
	     r == -ENOENT && strlen(what) >= ID_MIN && i < names.n; i++) {
		if (load(top, names.v[i], n, &ignored) < 0)
			continue;
		if (strncmp(n->id, what, strlen(what)) == 0)
			r = 1;
		else
			network_fini(n);
	}
	strv_fini(&names);
	return r == -ENOENT ? err_set(e, ENOENT, "No such network: %s", what)
			    : MIN(r, 0);
}

bool network_called(const struct network *n, const char *what)
{
	size_t len = strlen(what);

	return strcmp(n->name, what) == 0 ||
	       (len >= ID_MIN && strncmp(n->id, what, len) == 0);
}

/* ---- addresses ---- */

static uint32_t number(const uint8_t raw[4])
{
	return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 |
	       (uint32_t)raw[2] << 8 | raw[3];
}

static bool overlap(uint32_t a, unsigned abits, uint32_t b, unsigned bbits)
{
	unsigned bits = MIN(abits, bbits);

	return bits == 0 || (a ^ b) >> (32 - bits) == 0;
}

/* Of the host's routes, the default ones apart. */
static bool host_has(uint32_t base, unsigned prefix)
{
	autoclose int fd = open("/proc/net/route", O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	char *rest, *line;

	if (fd < 0 || fd_slurp(fd, &text, ROUTES_MAX) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		unsigned to, mask;
		char name[32];

		if (sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", name, &to,
			   &mask) == 3 &&
		    mask != 0 && !is_host_link(name) &&
		    overlap(base, prefix, ntohl(to),
			    (unsigned)__builtin_popcount(mask)))
			return true;
	}
	return false;
}

/* Another network's, or NULL. */
static bool other_has(uint32_t base, unsigned prefix, char *who, size_t room)
{
	struct strv names;
	struct err ignored;
	bool found = false;
	autoclose int top = where_folder("networks", &ignored);

	if (top < 0 || network_names(&names, &ignored) < 0)
		return false;
	for (size_t i = 0; !found && i < names.n; i++) {
		struct network n;

		if (load(top, names.v[i], &n, &ignored) < 0)
			continue;
		found = overlap(base, prefix, number(n.subnet), n.prefix);
		if (found)
			snprintf(who, room, "%s", n.name);
		network_fini(&n);
	}
	strv_fini(&names);
	return found;
}

static void set_subnet(struct network *n, uint32_t base, unsigned prefix)
{
	uint32_t net = htonl(base);

	memcpy(n->subnet, &net, sizeof(net));
	n->prefix = prefix;
}

static int take_subnet(struct network *n, const char *text, struct err *e)
{
	char address[16], who[NETWORK_NAME_MAX + 1];
	uint8_t raw[4];
	unsigned prefix;
	int len = 0;

	if (sscanf(text, "%15[0-9.]/%u%n", address, &prefix, &len) != 2 ||
	    text[len] || inet_pton(AF_INET, address, raw) != 1 || prefix < 8 ||
	    prefix > 30 || (number(raw) & (~0u >> prefix)))
		return err_set(e, EINVAL,
			       "'%s' is not a subnet such as 10.1.2.0/24",
			       text);
	if (overlap(number(raw), prefix, OWN, OWN_PREFIX))
		return err_set(e, EADDRINUSE,
			       "%s: 10.0.2.0/23 is what boxes without root "
			       "have to themselves",
			       text);
	if (host_has(number(raw), prefix))
		return err_set(e, EADDRINUSE,
			       "%s: a route of the host leads there", text);
	if (other_has(number(raw), prefix, who, sizeof(who)))
		return err_set(e, EADDRINUSE, "%s: network %s is there", text,
			       who);
	set_subnet(n, number(raw), prefix);
	return 0;
}

static int choose_subnet(struct network *n, struct err *e)
{
	char who[NETWORK_NAME_MAX + 1];

	for (uint32_t i = 0; i < POOL_PIECES; i++) {
		uint32_t base = POOL + (i << 8);

		if (host_has(base, 24) || other_has(base, 24, who, sizeof(who)))
			continue;
		set_subnet(n, base, 24);
		return 0;
	}
	return err_set(e, EADDRNOTAVAIL,
		       "no subnet is free in 10.214.0.0/16 (--subnet names "
		       "another)");
}

/* ---- making and removing ---- */

int network_create(struct network *n, const char *subnet, struct err *e)
{
	char file[NETWORK_NAME_MAX + sizeof(SUFFIX)];
	autofree char *text = NULL;
	autoclose int top = -1, fd = -1;
	int r;

	if (network_name_check(n->name, e) < 0)
		return -e->code;
	top = where_folder("networks", e);
	if (top < 0)
		return top;
	/* Two at a time could choose the same subnet. */
	if (flock(top, LOCK_EX) < 0)
		return err_sys(e, "the folder of networks");
	r = subnet ? take_subnet(n, subnet, e) : choose_subnet(n, e);
	if (r < 0)
		return r;
	state_new_id(n->id);
	n->created = state_now();
	text = to_text(n);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	snprintf(file, sizeof(file), "%s" SUFFIX, n->name);
	fd = openat(top, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "network with name %s already exists",
			       n->name);
	if (fd < 0)
		return err_sys(e, "network %s", n->name);
	r = fd_write_full(fd, text, strlen(text));
	if (r == 0)
		return 0;
	unlinkat(top, file, 0);
	return err_set(e, -r, "network %s: %s", n->name, strerror(-r));
}

int network_remove(const struct network *n, struct err *e)
{
	char file[NETWORK_NAME_MAX + sizeof(SUFFIX)];
	char folder[PATH_MAX], path[PATH_MAX + 32];
	autoclose int top = where_folder("networks", e);

	if (top < 0)
		return top;
	snprintf(file, sizeof(file), "%s" SUFFIX, n->name);
	if (unlinkat(top, file, 0) < 0)
		return err_sys(e, "network %s", n->name);
	/* By which boxes have met; nobody does any more. */
	if (geteuid() == 0)
		snprintf(folder, sizeof(folder), "%s", POOL_DIR);
	else
		where_net(folder);
	snprintf(path, sizeof(path), "%.*s/lan-%.16s", PATH_MAX, folder, n->id);
	unlink(path);
	return 0;
}

/* ---- who is on it ---- */

/* One that runs may be there by another's name ("container:BOX"). */
static bool uses(const struct network *n, const struct box_info *info,
		 struct network_user *u)
{
	struct err ignored;
	struct netinfo net;
	struct spec s;
	struct box b;
	bool yes;

	if (state_open(&b, info->id, &ignored) < 0)
		return false;
	yes = box_load(&b, &s, &ignored) == 0 && s.network &&
	      network_called(n, s.network);
	spec_fini(&s);
	*u = (struct network_user){ .runs = state_is(info, "running") ||
					    state_is(info, "paused") };
	snprintf(u->name, sizeof(u->name), "%s", info->name);
	snprintf(u->id, sizeof(u->id), "%s", info->id);
	if (u->runs) {
		const struct netinfo_late *late;
		char text[NETINFO_TEXT];

		netinfo_read(&net, &b);
		late = netinfo_find(&net, n->name);
		snprintf(u->address, sizeof(u->address), "%.15s",
			 netinfo_dotted(late ? late->address : net.guest,
					text));
		snprintf(u->mac, sizeof(u->mac), "%.17s",
			 netinfo_mac(late ? late->mac : net.mac, text));
		yes = yes || late || strcmp(net.network, n->name) == 0;
		netinfo_fini(&net);
	}
	state_close(&b);
	return yes;
}

int network_users(const struct network *n, struct network_user **users,
		  size_t *count, struct err *e)
{
	autofree struct box_info *all = NULL;
	int boxes = state_list(&all, e);

	*count = 0;
	*users = boxes < 0 ? NULL : calloc((size_t)boxes + 1, sizeof(**users));
	if (boxes < 0)
		return boxes;
	if (!*users)
		return err_set(e, ENOMEM, "out of memory");
	for (int i = 0; i < boxes; i++)
		if (uses(n, &all[i], &(*users)[*count]))
			++*count;
	return 0;
}
