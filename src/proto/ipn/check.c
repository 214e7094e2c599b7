/* Which preferences can be had at all: asked by the command before it sends them, and by the daemon before it takes them. */
#include "base/text/text.h"
#include "proto/ipn/ipn.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(or_empty(a), or_empty(b)) == 0;
}

static bool same_list(
	const struct json_type *t, const struct json_list *a, const struct json_list *b)
{
	return a->n == b->n && (a->n == 0 || json_same(t, a, b));
}

int ipn_check_control_url(const char *url, struct err_at *at)
{
	const char *host = strstr(url, "://"), *colon = NULL;
	size_t len;
	uint64_t port;

	if (!*url)
		return 0;
	if (strlen(url) > IPN_URL_MAX) {
		err_at_set(at, 0, 0, "the hub's URL is too long (max %d bytes)", IPN_URL_MAX);
		return -ERR_TOO_BIG;
	}
	if (!host || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
		err_at_set(at, 0, 0,
			"\"%.100s\" is not the URL of a hub: it starts with http:// or https://",
			url);
		return -ERR_BAD_VALUE;
	}
	host += 3;
	len = strcspn(host, "/");
	for (size_t i = 0; i < len; i++)
		colon = host[i] == ':' ? host + i : host[i] == ']' ? NULL : colon;
	if (colon) {
		if (text_u64(colon + 1, (size_t)(host + len - colon - 1), 65535, &port) < 0 ||
			!port) {
			err_at_set(at, 0, 0,
				"\"%.100s\" is not the URL of a hub: the port is a number from 1 to 65535",
				url);
			return -ERR_BAD_VALUE;
		}
		len = (size_t)(colon - host);
	}
	if (len && strcspn(url, " \t\r\n\"<>\\^`{|}") == strlen(url) &&
		text_is_utf8(url, strlen(url)))
		return 0;
	err_at_set(at, 0, 0, "\"%.100s\" is not the URL of a hub", url);
	return -ERR_BAD_VALUE;
}

/* Either default route without the other would send half of the traffic elsewhere. */
static int check_default_routes(const struct json_list *routes, struct err_at *at)
{
	bool has[2] = { false };

	for (size_t i = 0; i < routes->n; i++) {
		const struct ipprefix *r = JSON_AT(*routes, struct ipprefix, i);

		if (r->bits == 0)
			has[r->ip.family == 6] = true;
	}
	if (has[0] == has[1])
		return 0;
	err_at_set(at, 0, 0, "%s advertised without its %s counterpart, please also advertise %s",
		has[0] ? "0.0.0.0/0" : "::/0", has[0] ? "IPv6" : "IPv4",
		has[0] ? "::/0" : "0.0.0.0/0");
	return -ERR_BAD_VALUE;
}

static int check_texts(const struct ipn_prefs *p, const struct ipn_prefs *now, struct err_at *at)
{
	const struct {
		const char *what, *is, *was;
	} texts[] = {
		{ "operator", p->operator_user, now->operator_user },
		{ "nickname", p->profile_name, now->profile_name },
		{ "exit node", p->exit_node_id, now->exit_node_id },
		{ "exit node", p->auto_exit_node, now->auto_exit_node },
		{ "kind of firewall", p->netfilter_kind, now->netfilter_kind },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strlen(or_empty(texts[i].is)) > IPN_PREF_TEXT_MAX &&
			!same_text(texts[i].is, texts[i].was)) {
			err_at_set(at, 0, 0, "%s too long: %zu bytes (max %d)", texts[i].what,
				strlen(texts[i].is), IPN_PREF_TEXT_MAX);
			return -ERR_TOO_BIG;
		}
	return 0;
}

static int check_lists(const struct ipn_prefs *p, struct err_at *at)
{
	const struct {
		const char *what;
		size_t n;
	} lists[] = {
		{ "services", p->advertise_services.n },
		{ "shares", p->drive_shares.n },
		{ "relay server endpoints", p->relay_endpoints.n },
	};
	size_t shares = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i].n > IPN_PREF_ITEMS_MAX) {
			err_at_set(at, 0, 0, "%zu %s are too many (max %d)", lists[i].n,
				lists[i].what, IPN_PREF_ITEMS_MAX);
			return -ERR_TOO_MANY;
		}
	for (size_t i = 0; i < p->drive_shares.n; i++)
		shares += JSON_AT(p->drive_shares, struct view, i)->len;
	for (size_t i = 0; i < p->advertise_services.n; i++)
		if (strlen(or_empty(*JSON_AT(p->advertise_services, const char *, i))) >
			IPN_PREF_TEXT_MAX)
			shares = SIZE_MAX;
	if (shares <= IPN_SHARES_LEN_MAX)
		return 0;
	err_at_set(at, 0, 0, "the shares or services have too long descriptions");
	return -ERR_TOO_BIG;
}

static int check_numbers(const struct ipn_prefs *p, struct err_at *at)
{
	if (p->relay_port && (*p->relay_port < 0 || *p->relay_port > 65535)) {
		err_at_set(at, 0, 0, "failed to set relay server port: \"%lld\" is not a port",
			(long long)*p->relay_port);
		return -ERR_BAD_VALUE;
	}
	if (p->netfilter_mode < IPN_NETFILTER_OFF || p->netfilter_mode > IPN_NETFILTER_ON) {
		err_at_set(
			at, 0, 0, "netfilter mode %lld is not known", (long long)p->netfilter_mode);
		return -ERR_BAD_VALUE;
	}
	return 0;
}

int ipn_prefs_check(const struct ipn_prefs *p, const struct ipn_prefs *now, struct err_at *at)
{
	static const struct ipn_prefs none;
	int rc = 0;

	if (!now)
		now = &none;
	if (!same_text(p->control_url, now->control_url))
		rc = ipn_check_control_url(or_empty(p->control_url), at);
	if (rc == 0 && !same_text(p->hostname, now->hostname))
		rc = tc_check_hostname(p->hostname, at);
	if (rc == 0 && !same_list(&json_str_list, &p->advertise_tags, &now->advertise_tags))
		rc = tc_check_tags(&p->advertise_tags, at);
	if (rc == 0 &&
		!same_list(&json_prefix_list, &p->advertise_routes, &now->advertise_routes)) {
		rc = tc_check_routes(&p->advertise_routes, at);
		if (rc == 0)
			rc = check_default_routes(&p->advertise_routes, at);
	}
	if (rc == 0 && !same_list(&json_str_list, &p->accepted_routes, &now->accepted_routes))
		rc = ipn_check_accepted(&p->accepted_routes, at);
	if (rc == 0)
		rc = check_texts(p, now, at);
	if (rc == 0)
		rc = check_lists(p, at);
	return rc == 0 ? check_numbers(p, at) : rc;
}
