/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar.h"

#include "base/auto.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512u
#define PAX_MAX (256u << 10)
#define ENTRIES_MAX (1u << 16)

/* POSIX 1003.1 pax, "ustar Interchange Format". */
struct head {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12];
	char chksum[8], typeflag, linkname[100], magic[6], version[2];
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155];
	char rest[12];
};
static_assert(sizeof(struct head) == BLOCK, "a header is one block");

/* What the headers in front of the real one say. */
struct extra {
	char *name, *link;
	bool has_size;
	uint64_t size;
};

static void extra_fini(struct extra *x)
{
	free(x->name);
	free(x->link);
	*x = (struct extra){ 0 };
}

void tar_init(struct tar *t, tar_read_fn read, void *ctx)
{
	*t = (struct tar){ .read = read, .ctx = ctx };
}

static int cut_short(struct err *e)
{
	return err_set(e, EBADMSG, "the archive ends in the middle");
}

/* All of len; 0 when there is nothing at all. */
static int read_full(struct tar *t, void *buf, size_t len, struct err *e)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = t->read(t->ctx, (char *)buf + got, len - got, e);

		if (n < 0)
			return (int)n;
		if (n == 0 && got == 0)
			return 0;
		if (n == 0)
			return cut_short(e);
		got += (size_t)n;
	}
	return 1;
}

ssize_t tar_data(struct tar *t, void *buf, size_t len, struct err *e)
{
	ssize_t n;

	if (t->left == 0)
		return 0;
	n = t->read(t->ctx, buf, len < t->left ? len : (size_t)t->left, e);
	if (n == 0)
		return cut_short(e);
	if (n > 0)
		t->left -= (uint64_t)n;
	return n;
}

static int skip(struct tar *t, struct err *e)
{
	char buf[16 << 10];
	ssize_t n;

	do
		n = tar_data(t, buf, sizeof(buf), e);
	while (n > 0);
	if (n == 0 && t->pad > 0) {
		int r = read_full(t, buf, t->pad, e);

		t->pad = 0;
		return r == 0 ? cut_short(e) : r;
	}
	return (int)n;
}

/* ---- numbers ---- */

/* Octal, with blanks around; or GNU's: the first bit, then big endian. */
static int number(const char *s, size_t len, uint64_t *out, struct err *e)
{
	const unsigned char *u = (const unsigned char *)s;
	uint64_t v = 0;
	size_t i = 0;

	if (u[0] & 0x80) {
		for (i = 0; i < len; i++) {
			unsigned char c = i ? u[i] : u[0] & 0x7f;

			if (v >> 55)
				return err_set(e, EBADMSG,
					       "a number is too large");
			v = v << 8 | c;
		}
		*out = v;
		return 0;
	}
	while (i < len && s[i] == ' ')
		i++;
	for (; i < len && s[i] >= '0' && s[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(s[i] - '0');
	for (; i < len; i++)
		if (s[i] != ' ' && s[i] != '\0')
			return err_set(e, EBADMSG, "a number is none");
	*out = v;
	return 0;
}

static bool is_blank(const struct head *h)
{
	const char *p = (const char *)h;

	for (size_t i = 0; i < BLOCK; i++)
		if (p[i])
			return false;
	return true;
}

/* The sum of all bytes, those of the sum itself counted as blanks. */
static unsigned sum_of(const struct head *h)
{
	const unsigned char *p = (const unsigned char *)h;
	size_t at = offsetof(struct head, chksum);
	unsigned sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= at && i < at + sizeof(h->chksum) ? ' ' : p[i];
	return sum;
}

static int check_head(const struct head *h, struct err *e)
{
	uint64_t sum;

	if (number(h->chksum, sizeof(h->chksum), &sum, e) < 0 ||
	    sum != sum_of(h))
		return err_set(e, EBADMSG, "it is no tar archive, or damaged");
	return 0;
}

/* ---- headers in front ---- */

/* The data of an entry that is about the next one; the caller frees it. */
static int slurp(struct tar *t, char **out, size_t *len, struct err *e)
{
	autofree char *text = NULL;

	if (t->left > PAX_MAX)
		return err_set(e, EFBIG, "a header is larger than %u kB",
			       PAX_MAX >> 10);
	*len = (size_t)t->left;
	text = calloc(1, *len + 1);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t got = 0; got < *len;) {
		ssize_t n = tar_data(t, text + got, *len - got, e);

		if (n < 0)
			return (int)n;
		got += (size_t)n;
	}
	*out = take_ptr(&text);
	return skip(t, e);
}

static int keep(char **to, const char *value, size_t len, struct err *e)
{
	if (len >= TAR_NAME_MAX || memchr(value, '\0', len))
		return err_set(e, EBADMSG, "a name is too long or has a NUL");
	free(*to);
	*to = strndup(value, len);
	return *to ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int record(struct extra *x, const char *key, size_t klen,
		  const char *value, size_t len, struct err *e)
{
	if (klen == 4 && memcmp(key, "path", 4) == 0)
		return keep(&x->name, value, len, e);
	if (klen == 8 && memcmp(key, "linkpath", 8) == 0)
		return keep(&x->link, value, len, e);
	if (klen == 4 && memcmp(key, "size", 4) == 0) {
		x->has_size = true;
		x->size = 0;
		if (len == 0 || len > 18)
			return err_set(e, EBADMSG, "a size is none");
		for (size_t i = 0; i < len; i++) {
			if (value[i] < '0' || value[i] > '9')
				return err_set(e, EBADMSG, "a size is none");
			x->size = x->size * 10 + (uint64_t)(value[i] - '0');
		}
	}
	return 0;
}

/* "LENGTH KEY=VALUE\n", the length of all of it, any number of times. */
static int pax(struct extra *x, const char *text, size_t len, struct err *e)
{
	while (len > 0) {
		size_t digits = strspn(text, "0123456789"), n = 0;
		const char *eq;

		for (size_t i = 0; i < digits && i < 7; i++)
			n = n * 10 + (size_t)(text[i] - '0');
		if (digits == 0 || digits > 6 || n > len || n < digits + 4 ||
		    text[digits] != ' ' || text[n - 1] != '\n')
			return err_set(e, EBADMSG, "a pax header is damaged");
		eq = memchr(text + digits + 1, '=', n - digits - 2);
		if (!eq)
			return err_set(e, EBADMSG, "a pax header is damaged");
		if (record(x, text + digits + 1,
			   (size_t)(eq - text) - digits - 1, eq + 1,
			   n - 1 - (size_t)(eq + 1 - text), e) < 0)
			return -e->code;
		text += n;
		len -= n;
	}
	return 0;
}

/* 1: it was one, 0: it is an entry. */
static int in_front(struct tar *t, const struct head *h, struct extra *x,
		    struct err *e)
{
	autofree char *text = NULL;
	size_t len;

	if (!h->typeflag || !strchr("xgXLK", h->typeflag))
		return 0;
	if (slurp(t, &text, &len, e) < 0)
		return -e->code;
	if (h->typeflag == 'L' || h->typeflag == 'K') {
		if (keep(h->typeflag == 'L' ? &x->name : &x->link, text,
			 strnlen(text, len), e) < 0)
			return -e->code;
	} else if (h->typeflag != 'g' && pax(x, text, len, e) < 0) {
		return -e->code;
	}
	return 1;
}

/* ---- an entry ---- */

static enum tar_type type_of(char flag)
{
	switch (flag) {
	case '\0':
	case '0':
	case '7':
		return TAR_FILE;
	case '1':
		return TAR_HARDLINK;
	case '2':
		return TAR_SYMLINK;
	case '5':
		return TAR_DIR;
	default:
		return TAR_OTHER;
	}
}

static void fill(const struct head *h, const struct extra *x,
		 struct tar_entry *en)
{
	bool ustar = memcmp(h->magic, "ustar\0", 6) == 0;

	en->type = type_of(h->typeflag);
	if (x->name)
		snprintf(en->name, sizeof(en->name), "%s", x->name);
	else if (ustar && *h->prefix)
		snprintf(en->name, sizeof(en->name), "%.155s/%.100s", h->prefix,
			 h->name);
	else
		snprintf(en->name, sizeof(en->name), "%.100s", h->name);
	if (x->link)
		snprintf(en->link, sizeof(en->link), "%s", x->link);
	else
		snprintf(en->link, sizeof(en->link), "%.100s", h->linkname);
	if (en->type == TAR_FILE && *en->name &&
	    en->name[strlen(en->name) - 1] == '/')
		en->type = TAR_DIR;
}

/* The data that follow, in bytes. */
static int set_size(struct tar *t, const struct head *h, const struct extra *x,
		    struct err *e)
{
	uint64_t size = x->size;

	if (!x->has_size && number(h->size, sizeof(h->size), &size, e) < 0)
		return -e->code;
	if (size > INT64_MAX - BLOCK)
		return err_set(e, EBADMSG, "a size is too large");
	/* Links and folders have none, whatever they say. */
	if (h->typeflag && strchr("123456", h->typeflag))
		size = 0;
	t->left = size;
	t->pad = (unsigned)(-size % BLOCK);
	return 0;
}

static int next(struct tar *t, struct tar_entry *en, struct extra *x,
		struct err *e)
{
	const struct extra none = { 0 };

	for (;;) {
		struct head h;
		int r = skip(t, e);

		if (r < 0)
			return r;
		r = read_full(t, &h, sizeof(h), e);
		if (r < 0)
			return r;
		if (r == 0)
			return t->entries ? cut_short(e)
					  : err_set(e, EBADMSG, "it is empty");
		if (is_blank(&h)) {
			t->ended = true;
			return 0;
		}
		if (check_head(&h, e) < 0)
			return -e->code;
		if (++t->entries > ENTRIES_MAX)
			return err_set(e, EFBIG, "more than %u entries",
				       ENTRIES_MAX);
		/* A pax size is the real entry's, not its header's. */
		if (set_size(t, &h,
			     h.typeflag && strchr("xgXLK", h.typeflag) ? &none
								       : x,
			     e) < 0)
			return -e->code;
		r = in_front(t, &h, x, e);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		fill(&h, x, en);
		en->size = t->left;
		return 1;
	}
}

int tar_next(struct tar *t, struct tar_entry *en, struct err *e)
{
	struct extra x = { 0 };
	int r;

	*en = (struct tar_entry){ 0 };
	if (t->ended)
		return 0;
	r = next(t, en, &x, e);
	extra_fini(&x);
	return r;
}

/* ---- writing ---- */

static void put_number(char *to, size_t len, uint64_t v)
{
	for (size_t i = len - 1; i-- > 0; v >>= 3)
		to[i] = (char)('0' + (v & 7));
}

static int put_head(struct tar_out *t, const char *name, char type,
		    uint64_t size, int64_t mtime, struct err *e)
{
	struct head h = { .typeflag = type, .version = { '0', '0' } };

	memcpy(h.name, name, MIN(strlen(name), sizeof(h.name)));
	memcpy(h.magic, "ustar", 6);
	put_number(h.mode, sizeof(h.mode), type == '5' ? 0755 : 0644);
	put_number(h.uid, sizeof(h.uid), 0);
	put_number(h.gid, sizeof(h.gid), 0);
	put_number(h.size, sizeof(h.size), size);
	put_number(h.mtime, sizeof(h.mtime), mtime > 0 ? (uint64_t)mtime : 0);
	put_number(h.chksum, sizeof(h.chksum) - 1, sum_of(&h));
	h.chksum[7] = ' ';
	return t->write(t->ctx, &h, sizeof(h), e);
}

/* Eleven octal digits are 8 GiB. */
static int put_pax_size(struct tar_out *t, uint64_t size, struct err *e)
{
	char text[64], digits[32];
	int n = snprintf(digits, sizeof(digits), "%llu",
			 (unsigned long long)size);

	/* "NN size=...\n": always two digits. */
	n = snprintf(text, sizeof(text), "%d size=%s\n", n + 9, digits);
	if (put_head(t, "pax", 'x', (uint64_t)n, 0, e) < 0 ||
	    t->write(t->ctx, text, (size_t)n, e) < 0)
		return -e->code;
	return tar_pad(t, (uint64_t)n, e);
}

int tar_head(struct tar_out *t, const char *name, uint64_t size, int64_t mtime,
	     struct err *e)
{
	size_t len = strlen(name);
	bool dir = len > 0 && name[len - 1] == '/';
	bool large = size >= 1ull << 33;

	if (len > 100)
		return err_set(e, ENAMETOOLONG, "%s: too long", name);
	if (large && put_pax_size(t, size, e) < 0)
		return -e->code;
	return put_head(t, name, dir ? '5' : '0', large ? 0 : size, mtime, e);
}

int tar_pad(struct tar_out *t, uint64_t size, struct err *e)
{
	static const char zeros[BLOCK];
	size_t n = (size_t)(-size % BLOCK);

	return n ? t->write(t->ctx, zeros, n, e) : 0;
}

int tar_end(struct tar_out *t, struct err *e)
{
	static const char zeros[2 * BLOCK];

	return t->write(t->ctx, zeros, sizeof(zeros), e);
}
