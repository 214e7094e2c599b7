/* Both configurations of names made anew, and told when they differ from what was told. */
#include "core/node/map/map.h"

#include "base/siphash/siphash.h"

/* A hash over all that counts. */
struct said {
	const uint8_t *key;
	uint64_t sum;
};

static void say(struct said *s, const void *p, size_t len)
{
	uint32_t n = (uint32_t)len;

	s->sum = siphash_next(s->key, s->sum, &n, sizeof(n));
	s->sum = siphash_next(s->key, s->sum, p, len);
}

static void say_text(struct said *s, const char *text)
{
	say(s, text, text ? strlen(text) : 0);
}

static void say_address(struct said *s, struct ipaddr ip)
{
	say(s, ip.b, ip.family == 4 ? 4 : ip.family == 6 ? 16 : 0);
}

static void say_servers(struct said *s, const struct dns_upstream *v, size_t n)
{
	say(s, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		say(s, &v[i].transport, sizeof(v[i].transport));
		say_address(s, v[i].addr.ip);
		say(s, &v[i].addr.port, sizeof(v[i].addr.port));
		say_text(s, v[i].url);
		say_text(s, v[i].host);
		for (size_t k = 0; k < v[i].n_dial; k++)
			say_address(s, v[i].dial[k]);
	}
}

static void say_texts(struct said *s, const char *const *v, size_t n)
{
	say(s, &n, sizeof(n));
	for (size_t i = 0; i < n; i++)
		say_text(s, v[i]);
}

static void say_config(struct said *s, const struct dns_config *c)
{
	const bool flags[] = { c->magic, c->v6_only, c->aaaa, c->no_tcp_retries, c->no_base };

	say(s, flags, sizeof(flags));
	say_text(s, c->domain);
	say_servers(s, c->defaults, c->n_defaults);
	for (size_t i = 0; i < c->n_routes; i++) {
		say_text(s, c->routes[i].suffix);
		say_servers(s, c->routes[i].up, c->routes[i].n_up);
	}
	say(s, &c->n_routes, sizeof(c->n_routes));
	for (size_t i = 0; i < c->n_records; i++) {
		say_text(s, c->records[i].name);
		say_text(s, c->records[i].type);
		say_text(s, c->records[i].value);
	}
	say_texts(s, c->filtered, c->n_filtered);
	for (size_t i = 0; i < c->n_own; i++)
		say_address(s, c->own[i]);
}

static void say_system(struct said *s, const struct os_dns_config *o)
{
	for (size_t i = 0; i < o->n_servers; i++)
		say_address(s, o->server[i]);
	say_texts(s, o->search, o->n_search);
	say_texts(s, o->match, o->n_match);
}

static uint64_t hash(const struct node *a, const struct dns_config *c, const struct node_os_dns *o)
{
	const bool flags[] = { o->wanted, o->wants_base };
	struct said s = { .key = a->peers.seed };

	say_config(&s, c);
	say(&s, flags, sizeof(flags));
	say_system(&s, &o->split);
	say_system(&s, &o->whole);
	return s.sum;
}

static void note_domain(struct node *a)
{
	const struct tc_node *self = self_of(a);
	const char *dot = self && self->name ? strchr(self->name, '.') : NULL;

	if (!dot || dnsmsg_name_parse(dot + 1, strlen(dot + 1), &a->dns.domain) < 0)
		a->dns.domain.len = 0;
	dnsmsg_name_lower(&a->dns.domain);
	a->dns.n_outside = dns_names_outside(a->dns.names, &a->dns.domain);
}

void node_dns_build(struct node *a)
{
	struct dns_config c;
	struct node_os_dns o;
	uint64_t said;
	int rc;

	note_domain(a);
	arena_reset(&a->dns.mem);
	rc = node_dns_config_make(a, &a->dns.mem, &c);
	if (rc == 0)
		rc = node_os_dns_make(a, &c, &a->dns.mem, &o);
	if (rc < 0) {
		/* Nothing is better than half of it; it is tried again at the next call. */
		a->dns.config = (struct dns_config){ .names = a->dns.names, .no_base = true };
		a->dns.os = (struct node_os_dns){ 0 };
		a->dns.said = 0;
		return;
	}
	a->dns.dirty = false;
	a->dns.config = c;
	a->dns.os = o;
	said = hash(a, &c, &o);
	if (said != a->dns.said)
		event(a, NODE_DNS);
	a->dns.said = said;
}

const struct dns_config *node_dns_config(const struct node *a)
{
	return &a->dns.config;
}

const struct node_os_dns *node_os_dns(const struct node *a)
{
	return &a->dns.os;
}
