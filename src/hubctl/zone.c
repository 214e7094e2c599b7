#include "hubctl/zone.h"
#include "base/netip/netip.h"
#include "base/text/text.h"
#include "proto/tailcfg/tailcfg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8, NAME_MAX_LEN = 255, LINE_MAX_LEN = 4096 };

struct reader {
	struct arena *a;
	struct zone *z;
	const char *origin; /* "" or "corp.example" */
	const char *name;   /* of the line before; NULL: none */
};

static int wrong(struct reader *r, const char *why)
{
	r->z->why = why;
	return -ERR_BAD_FORMAT;
}

/* In full: '@' is the origin, what does not end in a dot is below it. NULL: no memory. */
static const char *full_name(struct reader *r, const char *s)
{
	size_t len = strlen(s);

	if (!strcmp(s, "@"))
		return r->origin;
	if (len && s[len - 1] == '.')
		return arena_strndup(r->a, s, len - 1);
	return *r->origin ? arena_printf(r->a, "%s.%s", s, r->origin) : s;
}

/* A time to live: "3600", "1h30m". */
static bool is_ttl(const char *s)
{
	return *s >= '0' && *s <= '9' && !s[strspn(s, "0123456789smhdwSMHDW")];
}

static bool is_word(const char *s, const char *word)
{
	return text_ieq(s, strlen(s), word, strlen(word));
}

static int add_record(struct reader *r, const char *type, const char *value)
{
	struct tc_dns_record *rec;
	struct ipaddr ip;

	if (!r->name || !*r->name)
		return wrong(r, "this record has no name");
	if (!value || ipaddr_parse(value, strlen(value), &ip) < 0 ||
		ip.family != (is_word(type, "A") ? 4 : 6))
		return wrong(r, "the value is no address of this type");
	rec = json_list_add(&r->z->records, r->a, sizeof(*rec));
	if (!rec)
		return -ENOMEM;
	*rec = (struct tc_dns_record){ .name = r->name, .type = type, .value = value };
	return 0;
}

static int directive(struct reader *r, char **word, size_t n)
{
	if (!is_word(word[0], "$ORIGIN")) {
		r->z->n_left_out += !is_word(word[0], "$TTL");
		return 0;
	}
	if (n != 2 || strlen(word[1]) > NAME_MAX_LEN)
		return wrong(r, "$ORIGIN takes one name");
	r->origin = strcmp(word[1], ".") != 0 ? full_name(r, word[1]) : "";
	return r->origin ? 0 : -ENOMEM;
}

/* The words of a line, in place; a comment ends it. */
static size_t split(char *line, char **word)
{
	char *rest = line, *s;
	size_t n = 0;

	line[strcspn(line, ";")] = 0;
	while (n < WORDS_MAX && (s = strsep(&rest, " \t\r")))
		if (*s)
			word[n++] = s;
	return n;
}

static int read_line(struct reader *r, char *line)
{
	bool same = *line == ' ' || *line == '\t';
	char *word[WORDS_MAX];
	size_t n = split(line, word), i = same ? 0 : 1;

	if (!n)
		return 0;
	if (word[0][0] == '$')
		return directive(r, word, n);
	if (!same) {
		if (strlen(word[0]) > NAME_MAX_LEN)
			return wrong(r, "the name is too long");
		r->name = full_name(r, word[0]);
		if (!r->name)
			return -ENOMEM;
	}
	while (i < n && (is_ttl(word[i]) || is_word(word[i], "IN")))
		i++;
	if (i < n && (is_word(word[i], "A") || is_word(word[i], "AAAA")))
		return add_record(r, word[i], i + 1 < n ? word[i + 1] : NULL);
	if (i == n)
		return wrong(r, "no type: write \"NAME A ADDRESS\"");
	r->z->n_left_out++;
	return 0;
}

/* Parentheses join lines. What we take has none, so what is in them is of a record that is left out. */
static bool skip_parens(const char *line, bool *open)
{
	bool was = *open;

	for (; *line && *line != ';'; line++)
		if (*line == '(' || *line == ')')
			*open = *line == '(';
	return was;
}

int zone_read(struct view text, struct arena *a, struct zone *ret)
{
	struct reader r = { .a = a, .z = ret, .origin = "" };
	const char *p = (const char *)text.p, *end = p + text.len;
	bool open = false;
	int rc = 0;

	*ret = (struct zone){ 0 };
	while (rc == 0 && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);
		char *line;

		ret->line++;
		if (len > LINE_MAX_LEN || memchr(p, 0, len))
			return wrong(&r, "this is no line of text");
		line = arena_strndup(a, p, len);
		if (!line)
			return -ENOMEM;
		if (!skip_parens(line, &open))
			rc = read_line(&r, line);
		p = nl ? nl + 1 : end;
	}
	return rc;
}
