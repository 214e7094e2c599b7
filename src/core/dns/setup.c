/* A configuration as the engine uses it: names in lower case on the wire, servers with the ways to them. */
#include "core/dns/internal.h"

#include "base/text/text.h"
#include "proto/names/url.h"
#include "proto/tsaddr/tsaddr.h"

enum { SETUP_BYTES_MAX = 32 << 20 };

static bool name_of(const char *text, struct dnsmsg_name *ret)
{
	size_t len = text ? strlen(text) : 0;

	while (len && *text == '.') {
		text++;
		len--;
	}
	if (!text || dnsmsg_name_parse(text, len, ret) < 0)
		return false;
	dnsmsg_name_lower(ret);
	return true;
}

static bool is_own(struct ipaddr ip, const struct ipaddr *own, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ipaddr_eq(own[i], ip))
			return true;
	return ipaddr_eq(ip, tsaddr_service) || ipaddr_eq(ip, tsaddr_service6);
}

static bool copy_text(struct arena *mem, const char *from, const char **to)
{
	*to = from && *from ? arena_strdup(mem, from) : "";
	return *to != NULL;
}

bool setup_is_own(const struct setup *s, struct ipaddr ip)
{
	return is_own(ip, s->own, s->n_own);
}

/* A server without an address: its place is to be found out by its name. What is no name fails where it is used. */
static int add_place(struct arena *mem, struct path *p)
{
	const char *host = p->up.host, *rest;
	struct dnsmsg_name name;
	struct ipaddr ip;
	struct url u;

	if (p->up.n_dial || ipaddr_is_set(p->up.addr.ip) ||
		(p->up.transport != DNS_HTTPS && p->up.transport != DNS_TLS))
		return 0;
	if (p->up.transport == DNS_HTTPS) {
		if (url_parse(p->up.url, &u, &rest) < 0)
			return 0;
		host = u.host;
	}
	if (ipaddr_parse(host, strlen(host), &ip) == 0 || !name_of(host, &name) || name.len == 1)
		return 0;
	p->place = arena_new(mem, struct place);
	if (!p->place)
		return -ENOMEM;
	p->place->name = name;
	return 0;
}

static int add_path(
	struct arena *mem, struct route *r, const struct dns_upstream *up, bool fallback)
{
	struct path *p = &r->paths[r->n_paths];

	*p = (struct path){ .up = *up, .fallback = fallback };
	if (!copy_text(mem, up->url, &p->up.url) || !copy_text(mem, up->host, &p->up.host) ||
		add_place(mem, p) < 0)
		return -ENOMEM;
	r->n_paths++;
	return 0;
}

/* One connection for all addresses of a provider; the addresses that were named are tried first. */
static struct path *path_of_url(struct route *r, const char *url)
{
	for (size_t i = 0; i < r->n_paths; i++)
		if (r->paths[i].up.transport == DNS_HTTPS && !strcmp(r->paths[i].up.url, url))
			return &r->paths[i];
	return NULL;
}

static void add_dial(struct dns_upstream *up, const struct ipaddr *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < up->n_dial; k++)
			there |= ipaddr_eq(up->dial[k], v[i]);
		if (!there && up->n_dial < DNS_DIAL_MAX)
			up->dial[up->n_dial++] = v[i];
	}
}

static int add_https(struct arena *mem, struct route *r, const struct dns_upstream *up)
{
	struct dns_upstream full = *up;
	struct ipaddr known[DNS_DIAL_MAX] = { 0 };

	if (path_of_url(r, up->url))
		return 0;
	add_dial(&full, known, provider_addresses(up->url, known));
	return add_path(mem, r, &full, false);
}

/* Plain DNS, where the provider is known over HTTPS first. */
static int add_plain(struct arena *mem, struct route *r, const struct dns_upstream *up)
{
	struct dns_upstream https = {
		.transport = DNS_HTTPS, .dial = { up->addr.ip }, .n_dial = 1
	};
	char url[PROVIDER_URL_MAX];
	struct path *there;
	int rc = 0;

	if (up->addr.port != 53 || !provider_url(up->addr.ip, url))
		return add_path(mem, r, up, false);
	https.url = url;
	there = path_of_url(r, url);
	if (!there)
		rc = add_https(mem, r, &https);
	if (rc < 0 || provider_is_https_only(up->addr.ip))
		return rc;
	return add_path(mem, r, up, true);
}

int setup_paths(struct arena *mem, const struct dns_upstream *up, size_t n,
	const struct ipaddr *own, size_t n_own, struct route *r)
{
	int rc = 0;

	n = MIN_OF(n, (size_t)DNS_UPSTREAMS_MAX);
	r->n_paths = 0;
	r->paths = arena_array(mem, 2 * n, sizeof(*r->paths));
	if (!r->paths)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		bool by_address = up[i].transport == DNS_UDP || up[i].transport == DNS_TCP ||
				  (up[i].transport == DNS_TLS && ipaddr_is_set(up[i].addr.ip));

		if (by_address && is_own(up[i].addr.ip, own, n_own))
			continue;
		switch (up[i].transport) {
		case DNS_UDP:
			rc = add_plain(mem, r, &up[i]);
			break;
		case DNS_HTTPS:
			rc = add_https(mem, r, &up[i]);
			break;
		case DNS_TCP:
		case DNS_TLS:
		case DNS_PEER:
			rc = add_path(mem, r, &up[i], false);
			break;
		}
	}
	return rc;
}

/* A route; 1: that suffix has one already, or it is no name. */
static int add_route(
	struct setup *s, const struct dnsmsg_name *suffix, const struct dns_upstream *up, size_t n)
{
	struct route *r = &s->list[s->n_list];
	int rc;

	r->suffix = *suffix;
	r->local = n == 0;
	rc = setup_paths(&s->mem, up, n, s->own, s->n_own, r);
	if (rc == 0)
		rc = map_insert(&s->routes, &r->node, r->suffix.b, r->suffix.len);
	if (rc == 0)
		s->n_list++;
	return rc;
}

static int add_zone(struct setup *s, const char *text)
{
	struct dnsmsg_name n;

	CHECK(name_of(text, &n));
	return add_route(s, &n, NULL, 0);
}

enum { OWN_ZONES = 1 + 64 + 1 };

/* 64.100.in-addr.arpa to 127.100.in-addr.arpa, and the reverse names of fd7a:115c:a1e0::/48. */
static int add_own_zones(struct setup *s)
{
	char text[32];
	int rc = s->domain.len > 1 ? add_route(s, &s->domain, NULL, 0) : 0;

	for (unsigned i = 64; rc >= 0 && i < 128; i++) {
		snprintf(text, sizeof(text), "%u.100.in-addr.arpa", i);
		rc = add_zone(s, text);
	}
	return rc < 0 ? rc : add_zone(s, "0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa");
}

static int add_routes(struct setup *s, const struct dns_config *c)
{
	struct dnsmsg_name n;
	int rc = 0;

	s->list = arena_array(&s->mem, c->n_routes + OWN_ZONES, sizeof(*s->list));
	if (!s->list)
		return -ENOMEM;
	/* First, so that nobody else is asked for them. Routes below them have the longer suffix. */
	if (c->magic)
		rc = add_own_zones(s);
	for (size_t i = 0; rc >= 0 && i < c->n_routes; i++)
		if (name_of(c->routes[i].suffix, &n) && n.len > 1)
			rc = add_route(s, &n, c->routes[i].up, c->routes[i].n_up);
	return rc < 0 ? rc
		      : setup_paths(&s->mem, c->defaults, c->n_defaults, s->own, s->n_own,
				&s->defaults);
}

/* Data of a record other than an address. false: no such type, or no such value. */
static bool put_data(struct wcur *w, uint16_t type, const char *value)
{
	unsigned v[3] = { 0 };
	int at = 0, n_numbers = type == DNSMSG_SRV ? 3 : type == DNSMSG_MX ? 1 : 0;
	struct dnsmsg_name target;
	size_t len = strlen(value);

	if (type == DNSMSG_TXT) {
		do {
			size_t n = MIN_OF(len, (size_t)255);

			wcur_u8(w, (uint8_t)n);
			wcur_copy(w, value, n);
			value += n;
			len -= n;
		} while (len);
		return !w->bad;
	}
	for (int i = 0; i < n_numbers; i++) {
		if (sscanf(value, "%5u %n", &v[i], &at) != 1 || v[i] > UINT16_MAX)
			return false;
		value += at;
		wcur_be16(w, (uint16_t)v[i]);
	}
	if (dnsmsg_name_parse(value, strlen(value), &target) < 0)
		return false;
	dnsmsg_put_name(w, &target);
	return !w->bad;
}

static uint16_t type_of(const char *s)
{
	static const struct {
		const char *text;
		uint16_t type;
	} types[] = { { "A", DNSMSG_A }, { "AAAA", DNSMSG_AAAA }, { "CNAME", DNSMSG_CNAME },
		{ "TXT", DNSMSG_TXT }, { "PTR", DNSMSG_PTR }, { "MX", DNSMSG_MX },
		{ "SRV", DNSMSG_SRV } };

	for (size_t i = 0; s && i < ARRAY_LEN(types); i++)
		if (text_ieq(s, strlen(s), types[i].text, strlen(types[i].text)))
			return types[i].type;
	return 0;
}

/* 1: nothing that we know. */
static int read_record(struct arena *mem, const struct dns_record *from, struct record *r)
{
	const char *value = from->value ? from->value : "";
	bool any = !from->type || !*from->type;
	uint8_t data[4096];
	struct wcur w = wcur_over(data, sizeof(data));
	uint8_t *copy;

	r->type = any ? 0 : type_of(from->type);
	if (!name_of(from->name, &r->name) || r->name.len == 1 || (!any && !r->type))
		return 1;
	if (any || r->type == DNSMSG_A || r->type == DNSMSG_AAAA) {
		if (ipaddr_parse(value, strlen(value), &r->ip) < 0)
			return 1;
		if (r->type == DNSMSG_AAAA && r->ip.family == 4)
			ipaddr_to16(r->ip, data); /* ::ffff:a.b.c.d is one, too */
		else if (r->type && r->type != (r->ip.family == 4 ? DNSMSG_A : DNSMSG_AAAA))
			return 1;
		else
			memcpy(data, r->ip.b, 16);
		r->type = r->type ? r->type : r->ip.family == 4 ? DNSMSG_A : DNSMSG_AAAA;
		w.p += r->type == DNSMSG_A ? 4 : 16;
	} else if (!put_data(&w, r->type, value)) {
		return 1;
	}
	r->rdata_len = (uint16_t)wcur_len(&w);
	r->rdata = copy = arena_alloc(mem, r->rdata_len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, r->rdata_len);
	return 0;
}

static int add_record(struct setup *s, struct record *r)
{
	struct map_node *there = map_find(&s->records, r->name.b, r->name.len);
	int rc = 0;

	if (there) {
		struct record *last = container_of(there, struct record, node);

		while (last->next)
			last = last->next;
		last->next = r;
	} else {
		rc = map_insert(&s->records, &r->node, r->name.b, r->name.len);
	}
	if (rc >= 0 && ipaddr_is_set(r->ip))
		rc = map_insert(&s->addrs, &r->by_addr, r->ip.b, r->ip.family == 4 ? 4 : 16);
	return rc < 0 ? rc : 0;
}

static int add_records(struct setup *s, const struct dns_config *c)
{
	struct record *v = arena_array(&s->mem, c->n_records, sizeof(*v));
	int rc = v ? 0 : -ENOMEM;

	for (size_t i = 0; rc >= 0 && i < c->n_records; i++) {
		rc = read_record(&s->mem, &c->records[i], &v[i]);
		if (rc > 0)
			s->ignored++;
		else if (rc == 0)
			rc = add_record(s, &v[i]);
	}
	return rc < 0 ? rc : 0;
}

static int add_filtered(struct setup *s, const struct dns_config *c)
{
	s->filtered = arena_array(&s->mem, c->n_filtered, sizeof(*s->filtered));
	if (!s->filtered)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_filtered; i++) {
		struct filtered *f = &s->filtered[s->n_filtered];

		f->below = c->filtered[i][0] == '.';
		if (name_of(c->filtered[i], &f->name) && f->name.len > 1)
			s->n_filtered++;
	}
	return 0;
}

static int fill(struct setup *s, const struct dns_config *c)
{
	struct ipaddr *own = arena_array(&s->mem, c->n_own, sizeof(*own));
	int rc;

	if (!own)
		return -ENOMEM;
	if (c->n_own)
		memcpy(own, c->own, c->n_own * sizeof(*own));
	s->own = own;
	s->n_own = c->n_own;
	if (!name_of(c->domain, &s->domain) || s->domain.len == 1)
		s->domain.len = 0;
	rc = add_routes(s, c);
	if (rc == 0)
		rc = add_records(s, c);
	return rc < 0 ? rc : add_filtered(s, c);
}

int setup_new(struct setup **ret, const struct dns_config *c, struct rng *rng)
{
	struct setup *s = calloc(1, sizeof(*s));
	uint8_t seed[16];
	int rc;

	if (!s)
		return -ENOMEM;
	rng_fill(rng, seed, sizeof(seed));
	arena_init(&s->mem, SETUP_BYTES_MAX);
	map_init(&s->routes, seed);
	map_init(&s->records, seed);
	map_init(&s->addrs, seed);
	s->names = c->names;
	s->magic = c->magic;
	s->v6_only = c->v6_only;
	s->aaaa = c->aaaa;
	s->no_tcp_retries = c->no_tcp_retries;
	s->no_base = c->no_base;
	rc = fill(s, c);
	if (rc < 0) {
		setup_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

struct setup *setup_free(struct setup *s)
{
	if (!s)
		return NULL;
	map_fini(&s->routes);
	map_fini(&s->records);
	map_fini(&s->addrs);
	arena_fini(&s->mem);
	free(s);
	return NULL;
}

const struct route *setup_route(const struct setup *s, const struct dnsmsg_name *lower)
{
	for (unsigned i = 0; i < lower->len && lower->b[i]; i += 1u + lower->b[i]) {
		struct map_node *n = map_find(&s->routes, lower->b + i, lower->len - i);

		if (n)
			return container_of(n, struct route, node);
	}
	return NULL;
}
