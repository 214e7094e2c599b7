#include "cli/prefs/routes.h"

#include "cli/prefs/prefflags.h"

static const struct ipprefix all4 = { .ip = { .family = 4 } }, all6 = { .ip = { .family = 6 } };

bool routes_is_exit(struct ipprefix r)
{
	return r.ip.family && r.bits == 0;
}

static int by_length(const void *a, const void *b)
{
	const struct ipprefix *x = a, *y = b;

	return x->bits != y->bits ? (int)x->bits - (int)y->bits : ipaddr_cmp(x->ip, y->ip);
}

static bool add(struct cli *c, struct json_list *l, struct ipprefix r)
{
	struct ipprefix *item;

	for (size_t i = 0; i < l->n; i++)
		if (ipprefix_eq(*JSON_AT(*l, struct ipprefix, i), r))
			return true;
	item = json_list_add(l, &c->arena, sizeof(*item));
	if (item)
		*item = r;
	return item || cli_fail(c, "too many routes") == 0;
}

/* 4via6 (fd7a:115c:a1e0:b1a::/64): a site number of 16 bits, then an IPv4 prefix. */
static bool check_via(struct cli *c, const char *word, struct ipprefix r)
{
	static const uint8_t via[8] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a };
	uint32_t site = load_be32(r.ip.b + 8);

	if (r.ip.family != 6 || memcmp(r.ip.b, via, sizeof(via)) != 0)
		return true;
	if (r.bits < 96)
		return cli_fail(c, "%s 4-in-6 prefix must be at least a /96", word) == 0;
	if (site > 0xffff)
		return cli_fail(c, "route %s contains invalid site ID %08x; must be 0xffff or less",
			       word, site) == 0;
	return true;
}

static bool parse_one(struct cli *c, const char *word, size_t len, struct json_list *ret)
{
	char good[IPPREFIX_TEXT_MAX];
	struct ipprefix r;
	struct ipaddr ip;

	word = arena_strndup(&c->arena, word, len);
	if (!word)
		return false;
	if (ipprefix_parse(word, len, &r) < 0) {
		if (ipaddr_parse(word, len, &ip) < 0)
			return cli_fail(c, "\"%s\" is not a valid IP address or CIDR prefix",
				       word) == 0;
		r = ipprefix_single(ip);
	}
	if (!ipprefix_eq(r, ipprefix_masked(r)))
		return cli_fail(c, "%s has non-address bits set; expected %s", word,
			       ipprefix_format(ipprefix_masked(r), good)) == 0;
	return check_via(c, word, r) && add(c, ret, r);
}

static bool holds(const struct json_list *l, struct ipprefix r)
{
	for (size_t i = 0; i < l->n; i++)
		if (ipprefix_eq(*JSON_AT(*l, struct ipprefix, i), r))
			return true;
	return false;
}

bool routes_parse(struct cli *c, const char *text, bool exit_node, struct json_list *ret)
{
	bool has4, has6;

	*ret = (struct json_list){ 0 };
	while (*text) {
		size_t len = strcspn(text, ",");

		if (!parse_one(c, text, len, ret))
			return false;
		text += len;
		if (*text == ',' && !text[1])
			return parse_one(c, "", 0, ret);
		text += *text == ',';
	}
	has4 = holds(ret, all4);
	has6 = holds(ret, all6);
	if (has4 && !has6)
		return cli_fail(c,
			       "0.0.0.0/0 advertised without its IPv6 counterpart, please also advertise ::/0") ==
		       0;
	if (has6 && !has4)
		return cli_fail(c,
			       "::/0 advertised without its IPv4 counterpart, please also advertise 0.0.0.0/0") ==
		       0;
	if (exit_node && !(add(c, ret, all4) && add(c, ret, all6)))
		return false;
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(struct ipprefix), by_length);
	return true;
}

bool routes_offer_exit(const struct ipn_prefs *p)
{
	return holds(&p->advertise_routes, all4) && holds(&p->advertise_routes, all6);
}

const char *routes_format(struct cli *c, const struct json_list *routes)
{
	const char *out = "";
	char text[IPPREFIX_TEXT_MAX];

	for (size_t i = 0; i < routes->n && out; i++) {
		struct ipprefix r = *JSON_AT(*routes, struct ipprefix, i);
		if (!routes_is_exit(r))
			out = arena_printf(&c->arena, "%s%s%s", out, *out ? "," : "",
				ipprefix_format(r, text));
	}
	return out ? out : "";
}

static bool parse_tag(struct cli *c, const char *word, size_t len, struct json_list *ret)
{
	const char **item = json_list_add(ret, &c->arena, sizeof(*item));
	struct err_at at;

	if (item)
		*item = arena_printf(
			&c->arena, "%s%.*s", memchr(word, ':', len) ? "" : "tag:", (int)len, word);
	if (!item || !*item)
		return cli_fail(c, "too many tags") == 0;
	return tc_check_tag(*item, &at) == 0 || cli_fail(c, "tag: \"%s\": %s", *item, at.text) == 0;
}

bool routes_parse_tags(struct cli *c, const char *text, struct json_list *ret)
{
	*ret = (struct json_list){ 0 };
	while (*text) {
		size_t len = strcspn(text, ",");

		if (!parse_tag(c, text, len, ret))
			return false;
		text += len;
		if (*text == ',' && !text[1])
			return parse_tag(c, "", 0, ret);
		text += *text == ',';
	}
	return true;
}

bool routes_parse_accepted(struct cli *c, const char *text, struct json_list *ret)
{
	struct err_at at;
	bool all;

	*ret = (struct json_list){ 0 };
	if (flags_parse_bool(text, &all) == 0)
		return true;
	while (*text) {
		size_t len = strcspn(text, ",");
		const char **item = json_list_add(ret, &c->arena, sizeof(*item));

		if (!item || !(*item = arena_strndup(&c->arena, text, len)))
			return cli_fail(c, "out of memory") == 0;
		text += len + (text[len] == ',');
	}
	return ipn_check_accepted(ret, &at) == 0 || cli_fail(c, "%s", at.text) == 0;
}

bool routes_parse_endpoints(struct cli *c, const char *text, struct json_list *ret)
{
	*ret = (struct json_list){ 0 };
	while (*text) {
		size_t len = strcspn(text, ",");
		struct ipport *item = json_list_add(ret, &c->arena, sizeof(*item));

		if (!item || ipport_parse(text, len, item) < 0)
			return cli_fail(c,
				       "failed to set relay server static endpoints: \"%.*s\" is not a valid ip:port",
				       (int)len, text) == 0;
		text += len + (text[len] == ',');
	}
	return true;
}
