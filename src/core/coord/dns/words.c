/* The pieces of the settings: a name, a resolver, a record. Each is made into the one form that is kept, or refused in words. */
#include "core/coord/dns/internal.h"
#include "base/text/text.h"
#include "proto/names/url.h"

#include <errno.h>

/* A person's text in a sentence: not all of a long one. */
enum { QUOTED_MAX = 80 };

bool coord_dns_is_below(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n >= s && !strcmp(name + n - s, suffix) && (n == s || name[n - s - 1] == '.');
}

int dns_clean_name(
	const char *in, const char *what, struct arena *a, const char **ret, struct err_at *at)
{
	size_t len = in ? strlen(in) : 0;
	char *name;

	if (!len || len > HOST_MAX + 1 || !url_host_is_name(in)) {
		err_at_set(at, 0, 0,
			"%s \"%.*s\" is no name: write it like corp.example, of letters, digits, dashes and underscores, at most 63 between two dots and %d in all",
			what, QUOTED_MAX, in ? in : "", HOST_MAX);
		return -ERR_BAD_VALUE;
	}
	if (url_host_is_ip(in, 0)) {
		err_at_set(at, 0, 0, "%s %s is an address; a name is needed, like corp.example",
			what, in);
		return -ERR_BAD_VALUE;
	}
	name = arena_strndup(a, in, len - (in[len - 1] == '.'));
	if (!name)
		return -ENOMEM;
	for (char *p = name; *p; p++)
		*p = ascii_lower(*p);
	*ret = name;
	return 0;
}

static int refuse_resolver(const char *in, struct err_at *at)
{
	err_at_set(at, 0, 0,
		"\"%.*s\" is no resolver: write an address (9.9.9.9, 10.0.0.53:5353, [fd00::53]:53), https://NAME/dns-query, or tls://NAME",
		QUOTED_MAX, in);
	return -ERR_BAD_VALUE;
}

/* Whom a device would ask there: itself, nobody in particular, or its own resolver again. */
static int judge_address(struct ipaddr ip, const char *in, struct err_at *at)
{
	const struct ipaddr quad100 = ipaddr_v4(100, 100, 100, 100);
	static const uint8_t quad100_6[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = 0x53 };
	const char *why = NULL;

	if (ipaddr_eq(ip, quad100) || ipaddr_eq(ip, ipaddr_from16(quad100_6)))
		why = "the devices' own resolver, which would ask itself";
	else if (ipaddr_is_loopback(ip))
		why = "each device itself";
	else if (ipaddr_is_unspecified(ip) || ipaddr_is_multicast(ip))
		why = "no address of a single machine";
	if (!why)
		return 0;
	err_at_set(at, 0, 0,
		"the resolver %.*s is %s: name one that answers on the network, like 10.0.0.53",
		QUOTED_MAX, in, why);
	return -ERR_BAD_VALUE;
}

static int clean_address(const char *in, struct arena *a, const char **ret, struct err_at *at)
{
	char text[IPPORT_TEXT_MAX];
	struct ipport p = { 0 };
	int rc;

	if (ipaddr_parse(in, strlen(in), &p.ip) < 0 &&
		(ipport_parse(in, strlen(in), &p) < 0 || !p.port))
		return refuse_resolver(in, at);
	rc = judge_address(p.ip, in, at);
	if (rc < 0)
		return rc;
	*ret = arena_strdup(
		a, p.port && p.port != 53 ? ipport_format(p, text) : ipaddr_format(p.ip, text));
	return *ret ? 0 : -ENOMEM;
}

/* tls://NAME[:PORT], https://NAME[:PORT]/PATH. The scheme and the name are in lower case then, the path is as it was. */
static int clean_url(const char *in, struct arena *a, const char **ret, struct err_at *at)
{
	bool tls = text_ieq(in, MIN_OF(strlen(in), (size_t)6), "tls://", 6);
	size_t skip = tls ? 6 : 8, host_len = strcspn(in + skip, "/?#");
	struct url u;
	const char *path;
	char *text;

	if (strlen(in) > COORD_DNS_URL_MAX) {
		err_at_set(at, 0, 0, "the resolver %.40s... has more than %d characters", in,
			COORD_DNS_URL_MAX);
		return -ERR_BAD_VALUE;
	}
	text = arena_printf(a, "https://%s", in + skip);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < host_len; i++)
		text[8 + i] = ascii_lower(text[8 + i]);
	if (url_parse(text, &u, &path) < 0 || !url_is_sound(text) || strchr(text, '#') ||
		(tls ? *path != 0 : *path != '/'))
		return refuse_resolver(in, at);
	*ret = tls ? arena_printf(a, "tls://%s", text + 8) : text;
	return !*ret ? -ENOMEM : ipaddr_is_set(u.ip) ? judge_address(u.ip, in, at) : 0;
}

int dns_clean_resolver(
	const struct tc_resolver *in, struct arena *a, struct tc_resolver *ret, struct err_at *at)
{
	const char *addr = in->addr ? in->addr : "";
	size_t len = strlen(addr);
	int rc;

	*ret = (struct tc_resolver){ .bootstrap = in->bootstrap,
		.use_with_exit_node = in->use_with_exit_node };
	if (text_ieq(addr, MIN_OF(len, (size_t)7), "http://", 7)) {
		err_at_set(at, 0, 0,
			"\"%.*s\" would send every name in clear: write https:// for DNS over HTTPS",
			QUOTED_MAX, addr);
		return -ERR_BAD_VALUE;
	}
	if (text_ieq(addr, MIN_OF(len, (size_t)8), "https://", 8) ||
		text_ieq(addr, MIN_OF(len, (size_t)6), "tls://", 6))
		rc = clean_url(addr, a, &ret->addr, at);
	else
		rc = clean_address(addr, a, &ret->addr, at);
	if (rc == 0 && in->bootstrap.n > COORD_DNS_BOOTSTRAP_MAX) {
		err_at_set(at, 0, 0, "%s has %zu addresses; at most %d can be named", ret->addr,
			in->bootstrap.n, COORD_DNS_BOOTSTRAP_MAX);
		return -ERR_TOO_MANY;
	}
	if (rc == 0 && in->bootstrap.n && !strstr(ret->addr, "://")) {
		err_at_set(at, 0, 0,
			"%s is an address itself: --at is for https:// and tls:// with a name",
			ret->addr);
		return -ERR_BAD_VALUE;
	}
	for (size_t i = 0; i < in->bootstrap.n && rc == 0; i++)
		rc = judge_address(*JSON_AT(in->bootstrap, struct ipaddr, i), addr, at);
	return rc;
}

static int judge_record_name(const char *name, struct err_at *at)
{
	if (!strncmp(name, "*.", 2)) {
		err_at_set(at, 0, 0,
			"\"%.*s\": clients take no record for all names below another; \"dns wildcard on\" does that for names of devices",
			QUOTED_MAX, name);
		return -ERR_BAD_VALUE;
	}
	if (coord_dns_is_below(name, "onion")) {
		err_at_set(at, 0, 0, "clients never answer names below .onion: take another name");
		return -ERR_BAD_VALUE;
	}
	return 0;
}

int dns_clean_record(const struct tc_dns_record *in, struct arena *a, struct tc_dns_record *ret,
	struct err_at *at)
{
	const char *type = in->type ? in->type : "", *value = in->value ? in->value : "";
	bool a4 = text_ieq(type, strlen(type), "A", 1),
	     a6 = text_ieq(type, strlen(type), "AAAA", 4);
	char text[IPADDR_TEXT_MAX];
	struct ipaddr ip;
	int rc = in->name ? judge_record_name(in->name, at) : 0;

	if (rc == 0)
		rc = dns_clean_name(in->name, "the record", a, &ret->name, at);
	if (rc == 0)
		rc = judge_record_name(ret->name, at);
	if (rc < 0)
		return rc;
	if (*type && !a4 && !a6) {
		err_at_set(at, 0, 0,
			"clients take records of type A and AAAA only, and ignore %.*s: give %s an address",
			QUOTED_MAX, type, ret->name);
		return -ERR_BAD_VALUE;
	}
	if (ipaddr_parse(value, strlen(value), &ip) < 0 || (*type && ip.family != (a6 ? 6 : 4))) {
		err_at_set(at, 0, 0, "\"%.*s\" is no address for the record %s%s%s: write %s",
			QUOTED_MAX, value, ret->name, *type ? " of type " : "",
			*type ? (a6 ? "AAAA" : "A") : "", a6 ? "fd00::10" : "10.0.0.10");
		return -ERR_BAD_VALUE;
	}
	ret->type = ip.family == 6 ? "AAAA" : "A";
	ret->value = arena_strdup(a, ipaddr_format(ip, text));
	return ret->value ? 0 : -ENOMEM;
}
