/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/user.h"

#include "base/auto.h"
#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USER_SPEC_MAX 256
/* More than this is no list of users; reading it would hold up the agent. */
#define USER_FILE_MAX (16 << 20)

/* One of the two files, as a whole: the library would otherwise ask for the
 * position in the file before every line. */
struct user_file {
	FILE *f;
	char *text;
};

static void auto_user_close(struct user_file *u)
{
	if (u->f)
		fclose(u->f);
	free(u->text);
}

#define autouser __attribute__((cleanup(auto_user_close)))

/* Not a pipe or device that would make the agent wait for ever. A file that
 * cannot be read has no entries. */
static struct user_file user_open(const char *path)
{
	autoclose int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct user_file u = { NULL, NULL };
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return u;
	n = fd_slurp(fd, &u.text, USER_FILE_MAX);
	if (n > 0)
		u.f = fmemopen(u.text, (size_t)n, "r");
	return u;
}

/* Whole string a decimal number that fits an id. */
static bool user_number(const char *s, uint32_t *id)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > INT32_MAX)
			return false;
	}
	*id = (uint32_t)v;
	return true;
}

/* Fills u and, when there is an entry, its name. */
static int user_find(const char *path, const char *who, struct user *u,
		     char *name, size_t room, struct err *e)
{
	autouser struct user_file file = user_open(path);
	const struct passwd *pw;
	bool number = user_number(who, &u->uid);

	while (file.f && (pw = fgetpwent(file.f))) {
		if (number ? pw->pw_uid != u->uid
			   : strcmp(pw->pw_name, who) != 0)
			continue;
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
		snprintf(u->home, sizeof(u->home), "%s",
			 *pw->pw_dir ? pw->pw_dir : "/");
		snprintf(name, room, "%s", pw->pw_name);
		return 0;
	}
	if (!number && strcmp(who, "root") == 0) {
		u->uid = 0;
		number = true;
	}
	if (!number)
		return err_set(e, ENOENT,
			       "unable to find user %s: no matching entries "
			       "in passwd file",
			       who);
	u->gid = 0;
	snprintf(u->home, sizeof(u->home), "%s", u->uid == 0 ? "/root" : "/");
	return 0;
}

static int group_find(const char *path, const char *which, gid_t *gid,
		      struct err *e)
{
	autouser struct user_file file = user_open(path);
	const struct group *gr;

	if (user_number(which, gid))
		return 0;
	while (file.f && (gr = fgetgrent(file.f))) {
		if (strcmp(gr->gr_name, which) != 0)
			continue;
		*gid = gr->gr_gid;
		return 0;
	}
	return err_set(e, ENOENT,
		       "unable to find group %s: no matching entries in group "
		       "file",
		       which);
}

static int user_add_group(struct user *u, gid_t gid, struct err *e)
{
	for (size_t i = 0; i < u->ngroups; i++)
		if (u->groups[i] == gid)
			return 0;
	if (u->ngroups == USER_GROUPS_MAX)
		return err_set(e, E2BIG, "more than %d groups",
			       USER_GROUPS_MAX);
	u->groups[u->ngroups++] = gid;
	return 0;
}

static int user_member_of(const char *path, const char *name, struct user *u,
			  struct err *e)
{
	autouser struct user_file file = user_open(path);
	const struct group *gr;

	while (file.f && (gr = fgetgrent(file.f))) {
		char **m = gr->gr_mem;

		while (*m && strcmp(*m, name) != 0)
			m++;
		if (*m && user_add_group(u, gr->gr_gid, e) < 0)
			return -e->code;
	}
	return 0;
}

bool user_name(const struct user_files *f, uid_t uid, char *out, size_t room)
{
	autouser struct user_file file = user_open(f->passwd);
	const struct passwd *pw;

	while (file.f && (pw = fgetpwent(file.f))) {
		if (pw->pw_uid != uid)
			continue;
		snprintf(out, room, "%s", pw->pw_name);
		return true;
	}
	return false;
}

int user_lookup(const struct user_files *f, const char *spec, char *const *more,
		size_t nmore, struct user *u, struct err *e)
{
	char who[USER_SPEC_MAX], name[USER_SPEC_MAX] = "";
	char *group;
	int r;

	u->ngroups = 0;
	if (snprintf(who, sizeof(who), "%s", spec) >= (int)sizeof(who))
		return err_set(e, EINVAL, "user: name too long");
	group = strchr(who, ':');
	if (group)
		*group++ = '\0';
	r = user_find(f->passwd, *who ? who : "0", u, name, sizeof(name), e);
	if (r < 0)
		return r;
	if (group && *group)
		r = group_find(f->group, group, &u->gid, e);
	else if (*name)
		r = user_member_of(f->group, name, u, e);
	for (size_t i = 0; r == 0 && i < nmore; i++) {
		gid_t gid;

		r = group_find(f->group, more[i], &gid, e);
		if (r == 0)
			r = user_add_group(u, gid, e);
	}
	return r;
}
