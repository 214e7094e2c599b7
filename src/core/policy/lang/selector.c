/* core/policy/lang: selectors, the names of who and what. The order in which they are recognised is part
 * of the language. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

static const char *const autogroup_names[N_AUTOGROUPS] = {
	[AG_MEMBER] = "member",
	[AG_TAGGED] = "tagged",
	[AG_INTERNET] = "internet",
	[AG_SELF] = "self",
	[AG_DANGER_ALL] = "danger-all",
	[AG_NONROOT] = "nonroot",
	[AG_SHARED] = "shared",
	[AG_OWNER] = "owner",
	[AG_ADMIN] = "admin",
	[AG_IT_ADMIN] = "it-admin",
	[AG_NETWORK_ADMIN] = "network-admin",
	[AG_BILLING_ADMIN] = "billing-admin",
	[AG_AUDITOR] = "auditor",
};

const char *autogroup_text(enum autogroup ag)
{
	return autogroup_names[ag];
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Bytes of the blank at the start of s: ASCII ones, and those that Unicode calls White_Space. */
static size_t blank_len(const uint8_t *s, size_t len)
{
	static const char *const wide[] = { "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80" };

	if (len && (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r')))
		return 1;
	if (len >= 3 && s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0x80 && s[2] <= 0x8a)
		return 3;
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if (len >= strlen(wide[i]) && memcmp(s, wide[i], strlen(wide[i])) == 0)
			return strlen(wide[i]);
	return 0;
}

static struct view trim(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n;

	while (len && (n = blank_len(p, len)) > 0) {
		p += n;
		len -= n;
	}
	for (bool more = true; more;) {
		more = false;
		for (n = 1; n <= 3 && n <= len; n++)
			if (blank_len(p + len - n, n) == n) {
				len -= n;
				more = true;
				break;
			}
	}
	return view_of(p, len);
}

static int parse_address(const char *s, struct term *t)
{
	struct ipaddr ip;
	struct ipprefix p;
	size_t len = strlen(s);

	if (ipaddr_parse(s, len, &ip) == 0)
		t->prefix = ipprefix_single(ip);
	else if (ipprefix_parse(s, len, &p) == 0)
		t->prefix = ipprefix_masked(p);
	else
		return -ERR_BAD_FORMAT;
	t->kind = TERM_PREFIX;
	return 0;
}

static int parse_autogroup(const char *s, struct term *t)
{
	s += strlen("autogroup:");
	if (strcmp(s, "members") == 0)
		s = "member";
	for (int i = 0; i < N_AUTOGROUPS; i++)
		if (strcmp(s, autogroup_names[i]) == 0) {
			t->kind = TERM_AUTOGROUP;
			t->ag = (enum autogroup)i;
			return 0;
		}
	return -ERR_BAD_VALUE;
}

/* A name without a domain is written with an @ at its end; one is taken off. */
static int parse_user(struct arena *a, const char *s, struct term *t)
{
	size_t len = strlen(s);

	t->kind = TERM_USER;
	t->text = s[len - 1] == '@' ? arena_strndup(a, s, len - 1) : s;
	return t->text ? 0 : -ENOMEM;
}

int term_try(struct arena *a, const char *s, size_t len, struct place at, struct term *ret)
{
	struct view v = trim(s, len);
	char *text = arena_strndup(a, v.p, v.len);
	struct term t = { .at = at, .text = text, .full = text };

	if (!text)
		return -ENOMEM;
	*ret = t;
	ret->kind = TERM_HOST;
	if (parse_address(text, ret) == 0)
		return 0;
	if (strcmp(text, "*") == 0)
		ret->kind = TERM_STAR;
	else if (has_prefix(text, "user:*@") && text[7]) {
		ret->kind = TERM_DOMAIN;
		ret->text = text + 7;
	} else if (strchr(text, '@'))
		return parse_user(a, text, ret);
	else if (has_prefix(text, "group:"))
		ret->kind = TERM_GROUP;
	else if (has_prefix(text, "tag:"))
		ret->kind = TERM_TAG;
	else if (has_prefix(text, "autogroup:"))
		return parse_autogroup(text, ret);
	else if (has_prefix(text, "ipset:"))
		ret->kind = TERM_IPSET;
	else if (has_prefix(text, "svc:"))
		ret->kind = TERM_SERVICE;
	else if (!*text || strchr(text, ':'))
		return -ERR_BAD_VALUE;
	return 0;
}

int term_parse(struct reader *r, const char *s, size_t len, struct place at, struct term *ret)
{
	int rc = term_try(r->a, s, len, at, ret);

	if (rc == -ENOMEM)
		return fault_no_memory(r);
	if (rc == 0)
		return 0;
	if (has_prefix(ret->text, "autogroup:"))
		return fault_at(r, at,
			"\"%.60s\" is not an autogroup; there are member, tagged, self, internet, danger-all, admin, "
			"owner and the other roles",
			ret->text);
	return fault_at(r, at,
		"invalid alias format: \"%.60s\": write a user (with @), group:, tag:, autogroup:, ipset:, a name from "
		"hosts, an address or *",
		ret->text);
}
