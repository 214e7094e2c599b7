#include "proto/names/names.h"

#include "base/err/err.h"
#include "base/text/text.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c)
{
	uint8_t l = (uint8_t)ascii_lower((char)c);

	return is_digit(c) || (l >= 'a' && l <= 'z');
}

static bool is_separator(uint8_t c)
{
	return c == '-' || c == '.' || c == '_' || c == ' ' || c == '@';
}

static bool starts_with(struct view v, char c)
{
	return v.len > 0 && v.p[0] == (uint8_t)c;
}

static bool ends_with(struct view v, char c)
{
	return v.len > 0 && v.p[v.len - 1] == (uint8_t)c;
}

static struct view drop_head(struct view v, size_t n)
{
	return view_of(v.p + n, v.len - n);
}

static struct view drop_tail(struct view v, size_t n)
{
	return view_of(v.p, v.len - n);
}

static bool has_tail(struct view v, struct view tail)
{
	return v.len >= tail.len && view_eq(drop_head(v, v.len - tail.len), tail);
}

/* Length up to the first dot, or all. */
static size_t label_len(struct view v)
{
	size_t n = 0;

	while (n < v.len && v.p[n] != '.')
		n++;
	return n;
}

void name_sanitize_label(struct view in, char *out)
{
	if (in.len > NAME_LABEL_MAX)
		in.len = NAME_LABEL_MAX;
	while (in.len && !is_alnum(in.p[0]))
		in = drop_head(in, 1);
	while (in.len && !is_alnum(in.p[in.len - 1]))
		in = drop_tail(in, 1);
	for (size_t i = 0; i < in.len; i++)
		if (is_alnum(in.p[i]))
			*out++ = ascii_lower((char)in.p[i]);
		else if (is_separator(in.p[i]))
			*out++ = '-';
	*out = 0;
}

struct view name_trim_common_suffixes(struct view in)
{
	const struct view common[] = { VIEW_LIT(".local"), VIEW_LIT(".localdomain"),
		VIEW_LIT(".lan") };

	for (size_t i = 0; i < ARRAY_LEN(common); i++) /* each once, in this order */
		if (has_tail(in, common[i]))
			in = drop_tail(in, common[i].len);
	return in;
}

void name_sanitize_hostname(struct view in, char *out)
{
	name_sanitize_label(name_trim_common_suffixes(in), out);
}

bool name_is_label(struct view in)
{
	if (in.len == 0 || in.len > NAME_LABEL_MAX || !is_alnum(in.p[0]) ||
		!is_alnum(in.p[in.len - 1]))
		return false;
	for (size_t i = 0; i < in.len; i++)
		if (!is_alnum(in.p[i]) && in.p[i] != '-')
			return false;
	return true;
}

bool name_is_hostname(struct view in)
{
	char fqdn[NAME_FQDN_MAX + 1];
	struct view rest;

	if (name_to_fqdn(in, fqdn) < 0)
		return false;
	for (rest = view_of(fqdn, strlen(fqdn)); rest.len; rest = name_parent(rest))
		if (!name_is_label(name_first_label(rest)))
			return false;
	return true;
}

struct view name_first_label(struct view in)
{
	return view_of(in.p, label_len(in));
}

size_t name_num_labels(struct view fqdn)
{
	size_t n = 0;

	if (view_eq(fqdn, VIEW_LIT(".")))
		return 0;
	for (size_t i = 0; i < fqdn.len; i++)
		n += fqdn.p[i] == '.';
	return n;
}

struct view name_parent(struct view fqdn)
{
	size_t n = label_len(fqdn);

	return n < fqdn.len ? drop_head(fqdn, n + 1) : view_of(NULL, 0);
}

struct view name_without_dot(struct view fqdn)
{
	return ends_with(fqdn, '.') ? drop_tail(fqdn, 1) : fqdn;
}

int name_to_fqdn(struct view in, char *out)
{
	struct view rest;

	if (starts_with(in, '.'))
		in = drop_head(in, 1);
	in = name_without_dot(in);
	if (in.len + 1 > NAME_FQDN_MAX)
		return -ERR_TOO_BIG;
	if (memchr(in.len ? in.p : (const uint8_t *)"", 0, in.len))
		return -ERR_BAD_FORMAT; /* out is a C string */
	for (rest = in; label_len(rest) < rest.len; rest = name_parent(rest))
		if (label_len(rest) == 0 || label_len(rest) > NAME_LABEL_MAX)
			return -ERR_BAD_FORMAT;
	if (in.len)
		memcpy(out, in.p, in.len);
	memcpy(out + in.len, ".", 2);
	return 0;
}

bool name_contains(struct view fqdn, struct view other)
{
	if (view_eq(fqdn, VIEW_LIT(".")) || view_eq(fqdn, other))
		return true;
	return has_tail(other, fqdn) && other.len > fqdn.len &&
	       other.p[other.len - fqdn.len - 1] == '.';
}

/* The part before the suffix, with the dot between them; len 0 when name is not below suffix. */
static struct view before_suffix(struct view name, struct view suffix)
{
	suffix = name_without_dot(suffix);
	if (starts_with(suffix, '.'))
		suffix = drop_head(suffix, 1);
	if (suffix.len == 0 || !has_tail(name, suffix))
		return view_of(NULL, 0);
	name = drop_tail(name, suffix.len);
	return ends_with(name, '.') ? name : view_of(NULL, 0);
}

bool name_has_suffix(struct view name, struct view suffix)
{
	return before_suffix(name_without_dot(name), suffix).len > 0;
}

struct view name_trim_suffix(struct view name, struct view suffix)
{
	struct view before;

	name = name_without_dot(name);
	before = before_suffix(name, suffix);
	return before.len ? drop_tail(before, 1) : name;
}

/* Takes the run of digits, or of what is none, off the head of v. */
static struct view take_run(struct view *v, bool digits)
{
	struct view run = { .p = v->p };

	while (run.len < v->len && is_digit(v->p[run.len]) == digits)
		run.len++;
	*v = drop_head(*v, run.len);
	return run;
}

static int cmp_bytes(struct view a, struct view b)
{
	int c = a.len && b.len ? memcmp(a.p, b.p, MIN_OF(a.len, b.len)) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Of any length: the longer number is the larger one, once it has no leading zeros. */
static int cmp_number(struct view a, struct view b)
{
	while (starts_with(a, '0'))
		a = drop_head(a, 1);
	while (starts_with(b, '0'))
		b = drop_head(b, 1);
	return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : cmp_bytes(a, b);
}

int names_version_cmp(struct view a, struct view b)
{
	int c = 0;

	while (c == 0 && (a.len || b.len)) {
		struct view a_run = take_run(&a, false), b_run = take_run(&b, false);

		c = cmp_bytes(a_run, b_run);
		if (c)
			break;
		a_run = take_run(&a, true);
		b_run = take_run(&b, true);
		c = cmp_number(a_run, b_run);
	}
	return c;
}
