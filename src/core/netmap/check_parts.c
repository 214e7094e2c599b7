/* Relays, DNS, messages. */
#include "core/netmap/internal.h"

#include "base/text/text.h"
#include "proto/names/names.h"
#include "proto/names/url.h"

/* ---- Relays ---- */

/* A word that stands in a header: of letters that no program takes for anything else. */
static bool is_word(const char *s)
{
	size_t n =
		s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
		  : 0;

	return s && !s[n] && n <= MAP_ID_MAX;
}

static bool is_address_or_none(const char *s, int family)
{
	return !s || !*s || !strcmp(s, "none") || url_host_is_ip(s, family);
}

static bool is_cert_name(const char *s)
{
	static const char pin[] = "sha256-raw:";
	uint8_t hash[32];

	if (!s || !*s)
		return true;
	if (strncmp(s, pin, sizeof(pin) - 1) != 0)
		return url_host_is_sound(s);
	s += sizeof(pin) - 1;
	return strlen(s) == 2 * sizeof(hash) && hex_decode(s, 2 * sizeof(hash), hash) == 0;
}

struct of_region {
	struct netmap_check *c;
	int64_t id;
};

static const char *relay_fault(const struct of_region *r, const struct tc_derp_node *n)
{
	if (!url_host_is_sound(n->hostname))
		return "its host name is none";
	if (n->name && !is_word(n->name))
		return "its name is none";
	if (!is_cert_name(n->cert_name))
		return "the name of its certificate is none";
	if (!is_address_or_none(n->ipv4, 4) || !is_address_or_none(n->ipv6, 6) ||
		(n->stun_test_ip && *n->stun_test_ip && !url_host_is_ip(n->stun_test_ip, 0)))
		return "an address of it is none";
	if (n->derp_port < 0 || n->derp_port > UINT16_MAX || n->stun_port < -1 ||
		n->stun_port > UINT16_MAX)
		return "a port of it is none";
	return n->region_id && n->region_id != r->id ? "it is listed in another region than its own"
						     : NULL;
}

static bool relay_is_good(void *ctx, void *item)
{
	const struct of_region *r = ctx;
	const struct tc_derp_node *n = item;
	const char *why = relay_fault(r, n);

	if (why)
		netmap_fault(r->c, MAP_RELAYS, n->name ? n->name : "", why);
	return !why;
}

/* The key says the number again. A region that is null has none, and is left to the reader. */
static bool region_is_good(struct netmap_check *c, const struct json_pair *p)
{
	struct tc_derp_region *r = p->value;
	struct of_region of = { c, r->id };
	uint64_t id;

	if (!r->id)
		return true;
	if (r->id < 0 || r->id > MAP_REGION_MAX ||
		text_u64(p->key, strlen(p->key), MAP_REGION_MAX, &id) < 0 || (int64_t)id != r->id) {
		netmap_fault(c, MAP_RELAYS, p->key,
			"its number is none, or another one than the region's");
		return false;
	}
	if (r->code && strlen(r->code) > MAP_ID_MAX)
		r->code = "";
	if (r->name && strlen(r->name) > HOST_MAX)
		r->name = "";
	(void)json_list_keep(&r->nodes, sizeof(struct tc_derp_node), SIZE_MAX, relay_is_good, &of);
	return true;
}

/* What the latency to a region is multiplied with. */
static bool score_is_good(const struct json_pair *p)
{
	double score = *(const double *)p->value;

	return score > 0 && score < 1e6;
}

void netmap_check_relays(struct netmap_check *c, struct tc_map_response *r)
{
	struct tc_derp_map *map = r->derp_map;
	size_t k = 0;

	if (!map)
		return;
	c->fault[MAP_RELAYS][0] = 0;
	for (size_t i = 0; i < map->regions.n; i++)
		if (region_is_good(c, &map->regions.v[i]))
			map->regions.v[k++] = map->regions.v[i];
	map->regions.n = k;
	if (!map->home_params)
		return;
	k = 0;
	for (size_t i = 0; i < map->home_params->region_score.n; i++)
		if (score_is_good(&map->home_params->region_score.v[i]))
			map->home_params->region_score.v[k++] = map->home_params->region_score.v[i];
	map->home_params->region_score.n = k;
}

/* ---- DNS ---- */

static bool domain_is_good(void *ctx, void *item)
{
	const char *s = *(const char **)item;

	(void)ctx;
	return s && url_host_is_name(s[0] == '.' ? s + 1 : s);
}

static bool is_place(const char *s)
{
	struct ipport at;

	return url_host_is_ip(s, 0) || (ipport_parse(s, strlen(s), &at) == 0 && at.port);
}

/* "tls://NAME" or "tls://NAME:PORT"; a name of at most 253 bytes. */
static bool is_tls_name(const char *s)
{
	char name[NAME_FQDN_MAX + 1];
	size_t len = strcspn(s, ":");
	uint64_t port = 1;

	if (len >= sizeof(name))
		return false;
	memcpy(name, s, len);
	name[len] = 0;
	return url_host_is_name(name) &&
	       (!s[len] || text_u64(s + len + 1, strlen(s + len + 1), UINT16_MAX, &port) == 0) &&
	       port;
}

/* An address, with or without a port, also for TCP or TLS alone, or the URL of DNS over HTTPS; of a peer also over HTTP. */
static bool resolver_is_good(void *ctx, void *item)
{
	const struct tc_resolver *r = item;
	const char *s = r->addr;

	(void)ctx;
	if (!s || !*s)
		return false;
	if (!strncmp(s, "tls://", 6))
		return is_place(s + 6) || is_tls_name(s + 6);
	return is_place(!strncmp(s, "tcp://", 6) ? s + 6 : s) || url_is_sound(s);
}

static bool record_is_good(void *ctx, void *item)
{
	const struct tc_dns_record *r = item;
	const char *type = r->type ? r->type : "";

	(void)ctx;
	if (!r->name || !url_host_is_name(!strncmp(r->name, "*.", 2) ? r->name + 2 : r->name) ||
		!r->value)
		return false;
	if (!*type)
		return url_host_is_ip(r->value, 0);
	if (!strcmp(type, "A") || !strcmp(type, "AAAA"))
		return url_host_is_ip(r->value, type[1] ? 6 : 4);
	return is_word(type) && strlen(r->value) <= MAP_MESSAGE_MAX;
}

static size_t keep_routes(struct json_map *m)
{
	size_t k = 0, gone = 0;

	for (size_t i = 0; i < m->n; i++) {
		const char *s = m->v[i].key;

		if (strcmp(s, ".") != 0 && !domain_is_good(NULL, &s)) {
			gone++;
			continue;
		}
		gone += json_list_keep(m->v[i].value, sizeof(struct tc_resolver), SIZE_MAX,
			resolver_is_good, NULL);
		m->v[k++] = m->v[i];
	}
	m->n = k;
	return gone;
}

void netmap_check_dns(struct netmap_check *c, struct tc_map_response *r)
{
	struct tc_dns_config *d = r->dns_config;
	size_t gone = 0;

	if (!d)
		return;
	c->fault[MAP_DNS][0] = 0;
	gone += json_list_keep(
		&d->resolvers, sizeof(struct tc_resolver), SIZE_MAX, resolver_is_good, NULL);
	gone += json_list_keep(&d->fallback_resolvers, sizeof(struct tc_resolver), SIZE_MAX,
		resolver_is_good, NULL);
	gone += keep_routes(&d->routes);
	gone += json_list_keep(&d->domains, sizeof(char *), SIZE_MAX, domain_is_good, NULL);
	gone += json_list_keep(&d->cert_domains, sizeof(char *), SIZE_MAX, domain_is_good, NULL);
	gone += json_list_keep(
		&d->exit_node_filtered, sizeof(char *), SIZE_MAX, domain_is_good, NULL);
	gone += json_list_keep(
		&d->extra_records, sizeof(struct tc_dns_record), SIZE_MAX, record_is_good, NULL);
	if (gone)
		netmap_fault(c, MAP_DNS, "", "a resolver, name or record is none");
}

/* ---- Messages for people ---- */

static const char *shortened(const char *s)
{
	size_t len = s ? strlen(s) : 0, n = MIN_OF(len, (size_t)MAP_MESSAGE_MAX);

	if (n == len)
		return s;
	while (n && ((uint8_t)s[n] & 0xc0) == 0x80)
		n--;
	((char *)(uintptr_t)s)[n] = 0; /* of the response's own memory */
	return s;
}

static bool severity_is_known(const char *s)
{
	return !s || !*s || !strcmp(s, "high") || !strcmp(s, "medium") || !strcmp(s, "low");
}

static void check_message(struct netmap_check *c, struct tc_display_message *m)
{
	m->title = shortened(m->title);
	m->text = shortened(m->text);
	if (!severity_is_known(m->severity))
		m->severity = "";
	if (!m->primary_action)
		return;
	m->primary_action->label = shortened(m->primary_action->label);
	if (url_is_sound(m->primary_action->url))
		return;
	netmap_fault(c, MAP_MESSAGES, "", "the page of it is none");
	m->primary_action = NULL;
}

static void check_users(struct tc_map_response *r)
{
	for (size_t i = 0; i < r->user_profiles.n; i++) {
		struct tc_user *u = JSON_AT(r->user_profiles, struct tc_user, i);

		u->login_name = shortened(u->login_name);
		u->display_name = shortened(u->display_name);
		if (!url_is_sound(u->picture))
			u->picture = NULL;
	}
}

void netmap_check_messages(struct netmap_check *c, struct tc_map_response *r)
{
	if (r->health.present || r->display_messages.present || r->pop_browser_url)
		c->fault[MAP_MESSAGES][0] = 0;
	if (MAX_OF(r->health.n, r->display_messages.n) > MAP_MESSAGES_MAX)
		netmap_fault(c, MAP_MESSAGES, "", "there are more of them than people read");
	r->health.n = MIN_OF(r->health.n, (size_t)MAP_MESSAGES_MAX);
	for (size_t i = 0; i < r->health.n; i++) {
		const char **s = JSON_AT(r->health, const char *, i);

		*s = *s ? shortened(*s) : "";
	}
	r->display_messages.n = MIN_OF(r->display_messages.n, (size_t)MAP_MESSAGES_MAX);
	for (size_t i = 0; i < r->display_messages.n; i++) {
		struct tc_display_message *m =
			*(struct tc_display_message **)r->display_messages.v[i].value;

		if (m)
			check_message(c, m);
	}
	if (r->pop_browser_url && *r->pop_browser_url && !url_is_sound(r->pop_browser_url)) {
		netmap_fault(c, MAP_MESSAGES, "", "the page of it is none");
		r->pop_browser_url = NULL;
	}
	if (r->domain && strlen(r->domain) > HOST_MAX)
		r->domain = NULL;
	check_users(r);
}
