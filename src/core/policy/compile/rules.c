/* core/policy/compile: rules in the order in which they count, ssh rules and attributes. */
#include "core/policy/compile/internal.h"
#include "proto/json/json.h"

#include <errno.h>

enum { JSON_BYTES_MAX = 16 << 20 };

/* What all rules of one entry share. */
struct entry {
	bool grant;
	size_t index;
	unsigned line;
	uint32_t src;
	const struct doc_texts *postures;
};

static int link_sides(struct policy_plan *p, struct rule *r, uint32_t id)
{
	bool cap = r->kind == RULE_CAP || r->kind == RULE_SELF_CAP;
	int rc;

	r->src_side = plan_side(p, r->src, MODE_SRC);
	if (r->src_side == NONE)
		return -ENOMEM;
	if (r->dst == NONE)
		return u32s_push(&p->self_rules, id);
	if (r->kind == RULE_VIA)
		return u32s_push(&p->via_rules, id);
	r->dst_side = plan_side(p, r->dst, cap ? MODE_CAP : MODE_DST);
	if (r->dst_side == NONE)
		return -ENOMEM;
	rc = u32s_push(&p->sides[r->src_side]->rules, id);
	if (rc == 0)
		rc = u32s_push(&p->sides[r->dst_side]->rules, id);
	if (rc == 0)
		rc = u32s_push(&p->sides[r->src_side]->counter, r->dst_side);
	return rc < 0 ? rc : u32s_push(&p->sides[r->dst_side]->counter, r->src_side);
}

static int add_rule(struct policy_plan *p, const struct entry *e, struct rule r)
{
	int rc = r.src == NONE ? -ENOMEM
			       : plan_room(&p->rules, p->n_rules, &p->cap_rules, sizeof(*p->rules));

	if (rc < 0) {
		u32s_fini(&r.via);
		return rc;
	}
	r.grant = e->grant;
	r.index = e->index;
	r.line = e->line;
	r.src_side = r.dst_side = NONE;
	p->rules[p->n_rules] = r;
	rc = link_sides(p, &p->rules[p->n_rules], p->n_rules);
	p->n_rules++;
	return rc;
}

/* {"name":[values],...} of an app object. */
static const char *cap_map(struct policy_plan *p, const struct app_caps *app)
{
	const char *text = NULL;
	struct buf b;
	int rc;

	buf_init(&b, JSON_BYTES_MAX);
	rc = buf_append_str(&b, "{");
	for (size_t i = 0; i < app->n && rc == 0; i++) {
		if (i)
			rc = buf_append_str(&b, ",");
		if (rc == 0)
			rc = json_encode_str(&b, app->v[i].name, strlen(app->v[i].name));
		if (rc == 0)
			rc = buf_printf(&b, ":%s", app->v[i].values);
	}
	if (rc == 0)
		rc = buf_append_str(&b, "}");
	if (rc == 0)
		text = arena_strndup(&p->mem, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

static const struct {
	const char *cap, *companion, *map;
} companions[] = {
	{ "tailscale.com/cap/drive", "tailscale.com/cap/drive-sharer",
		"{\"tailscale.com/cap/drive-sharer\":null}" },
	{ "tailscale.com/cap/relay", "tailscale.com/cap/relay-target",
		"{\"tailscale.com/cap/relay-target\":null}" },
};

static bool has_cap(const struct app_caps *app, const char *name)
{
	for (size_t i = 0; i < app->n; i++)
		if (strcmp(app->v[i].name, name) == 0)
			return true;
	return false;
}

/* Sharing and relaying concern both sides: the other one gets a capability in return. */
static int add_app_rules(
	struct policy_plan *p, const struct entry *e, const struct app_caps *app, uint32_t dst)
{
	struct rule r = { .kind = dst == NONE ? RULE_SELF_CAP : RULE_CAP,
		.src = e->src,
		.dst = dst,
		.proto = PROTO_ANY };
	int rc;

	if (app->n == 0)
		return 0;
	r.cap_map = cap_map(p, app);
	r.app = app;
	rc = r.cap_map ? add_rule(p, e, r) : -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(companions) && rc == 0; i++) {
		if (!has_cap(app, companions[i].cap))
			continue;
		r.cap_map = companions[i].map;
		r.companion = companions[i].companion;
		r.app = NULL;
		r.src = dst == NONE ? e->src : dst;
		r.dst = dst == NONE ? NONE : e->src;
		r.reversed = dst == NONE;
		rc = add_rule(p, e, r);
	}
	return rc;
}

static int add_port_rules(struct policy_plan *p, const struct entry *e, const struct ip_entry *ip,
	size_t n, uint32_t dst)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_rule(p, e,
			(struct rule){ .kind = dst == NONE ? RULE_SELF_PORT : RULE_PORT,
				.src = e->src,
				.dst = dst,
				.proto = ip[i].proto,
				.ports = ip[i].ports });
	return rc;
}

static int add_via_rules(
	struct policy_plan *p, const struct entry *e, const struct grant *g, uint32_t dst)
{
	static const struct ip_entry none = { .proto = PROTO_ANY };
	int rc = 0;

	/* Without ip the grant opens nothing, but the service still makes the parties peers. */
	for (size_t i = 0; i < MAX_OF(g->n_ip, (size_t)1) && rc == 0; i++) {
		const struct ip_entry *ip = g->n_ip ? &g->ip[i] : &none;
		struct rule r = { .kind = RULE_VIA,
			.src = e->src,
			.dst = dst,
			.silent = g->n_ip == 0,
			.proto = ip->proto,
			.ports = ip->ports };

		for (size_t k = 0; k < g->via.n && rc == 0; k++) {
			uint32_t tag = plan_atom(p, ATOM_TAG, g->via.v[k].text);

			/* The tag tells classes apart, as if it stood in a selector. */
			rc = tag == NONE ? -ENOMEM : u32s_push(&r.via, tag);
			if (rc == 0 && plan_addr_set(p, &g->via.v[k], 1, NULL) == NONE)
				rc = -ENOMEM;
		}
		if (rc == 0)
			rc = add_rule(p, e, r);
		else
			u32s_fini(&r.via);
	}
	return rc;
}

static bool is_self(const struct term *t)
{
	return t->kind == TERM_AUTOGROUP && t->ag == AG_SELF;
}

/* One grant, or what an ACL entry has for one destination. */
static int add_entry(struct policy_plan *p, struct entry *e, const struct grant *g)
{
	size_t n_self = 0;
	uint32_t dst = NONE;
	int rc = 0;

	if (g->src.n == 0 || g->dst.n == 0)
		return 0;
	e->src = plan_addr_set(p, g->src.v, g->src.n, e->postures);
	if (e->src == NONE)
		return -ENOMEM;
	for (size_t i = 0; i < g->dst.n; i++)
		n_self += is_self(&g->dst.v[i]);
	if (n_self < g->dst.n) {
		dst = plan_addr_set(p, g->dst.v, g->dst.n, NULL);
		if (dst == NONE)
			return -ENOMEM;
		if (g->via.n)
			return add_via_rules(p, e, g, dst);
		rc = add_port_rules(p, e, g->ip, g->n_ip, dst);
		if (rc == 0)
			rc = add_app_rules(p, e, &g->app, dst);
	}
	if (rc == 0 && n_self && !g->via.n) {
		rc = add_port_rules(p, e, g->ip, g->n_ip, NONE);
		if (rc == 0)
			rc = add_app_rules(p, e, &g->app, NONE);
	}
	return rc;
}

static const struct doc_texts *postures_of(
	const struct policy_plan *p, const struct doc_texts *own, bool has_own)
{
	if (has_own)
		return own;
	return p->doc->default_posture.n ? &p->doc->default_posture : NULL;
}

static int add_acl_dst(
	struct policy_plan *p, struct entry *e, const struct acl *a, const struct acl_dst *d)
{
	struct ip_entry ip = { a->proto, d->ports };
	struct grant g = { .src = a->src,
		.dst = { .v = (struct term *)(uintptr_t)&d->term, .n = 1 },
		.ip = &ip,
		.n_ip = 1 };

	return add_entry(p, e, &g);
}

/* Destinations of people's own devices go last, unless all are autogroups. */
static int add_acl(struct policy_plan *p, const struct acl *a, size_t index)
{
	struct entry e = { .index = index,
		.line = a->at.line,
		.postures = postures_of(p, &a->postures, a->has_postures) };
	bool all_autogroups = true;
	int rc = 0;

	for (size_t i = 0; i < a->n_dst; i++)
		all_autogroups &= a->dst[i].term.kind == TERM_AUTOGROUP;
	for (size_t i = 0; i < a->n_dst && rc == 0; i++)
		if (all_autogroups || !is_self(&a->dst[i].term))
			rc = add_acl_dst(p, &e, a, &a->dst[i]);
	for (size_t i = 0; i < a->n_dst && rc == 0; i++)
		if (!all_autogroups && is_self(&a->dst[i].term))
			rc = add_acl_dst(p, &e, a, &a->dst[i]);
	return rc;
}

/* Without acls and grants all is open, in the form that keeps out what is not of the tailnet. */
static int add_open_rule(struct policy_plan *p)
{
	struct term star = { .kind = TERM_STAR, .text = "*", .full = "*" };
	struct port_range all = { 0, 65535 }, *ports = arena_new(&p->mem, struct port_range);
	struct ip_entry ip = { PROTO_ANY, { ports, 1 } };
	struct grant g = {
		.src = { &star, 1, true }, .dst = { &star, 1, true }, .ip = &ip, .n_ip = 1
	};
	struct entry e = { 0 };

	if (!ports)
		return -ENOMEM;
	*ports = all;
	return add_entry(p, &e, &g);
}

int plan_compile_rules(struct policy_plan *p)
{
	const struct policy_doc *d = p->doc;
	int rc = 0;

	if (!d->has_acls && !d->has_grants)
		rc = add_open_rule(p);
	for (size_t i = 0; i < d->n_grants && rc == 0; i++) {
		const struct grant *g = &d->grants[i];
		struct entry e = { .grant = true,
			.index = i,
			.line = g->at.line,
			.postures = postures_of(p, &g->postures, g->has_postures) };

		rc = add_entry(p, &e, g);
	}
	for (size_t i = 0; i < d->n_acls && rc == 0; i++)
		rc = add_acl(p, &d->acls[i], i);
	for (uint32_t i = 0; i < p->n_sides; i++)
		u32s_sort(&p->sides[i]->counter);
	return rc;
}

static bool listed_before(const struct ssh_rule *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(s->users[k].name, s->users[i].name) == 0)
			return true;
	return false;
}

/* sshUsers without localparts: who logs in as whom. root is always named, to deny it when it is not
 * listed. */
static const char *ssh_users(struct policy_plan *p, const struct ssh_rule *s, bool *ret_localpart)
{
	bool root = false, nonroot = false;
	const char *text = NULL;
	struct buf b;
	int rc = 0;

	buf_init(&b, JSON_BYTES_MAX);
	for (size_t i = 0; i < s->n_users; i++) {
		root |= strcmp(s->users[i].name, "root") == 0;
		nonroot |= strcmp(s->users[i].name, "autogroup:nonroot") == 0;
		*ret_localpart |= s->users[i].domain != NULL;
	}
	rc = buf_printf(
		&b, "{%s\"root\":\"%s\"", nonroot ? "\"*\":\"=\"," : "", root ? "root" : "");
	for (size_t i = 0; i < s->n_users && rc == 0; i++) {
		const char *name = s->users[i].name;

		if (s->users[i].domain || strcmp(name, "root") == 0 ||
			strcmp(name, "autogroup:nonroot") == 0 || listed_before(s, i))
			continue;
		rc = buf_append_str(&b, ",");
		if (rc == 0)
			rc = json_encode_str(&b, name, strlen(name));
		if (rc == 0)
			rc = buf_append_str(&b, ":");
		if (rc == 0)
			rc = json_encode_str(&b, name, strlen(name));
	}
	if (rc == 0)
		rc = buf_append_str(&b, "}");
	if (rc == 0)
		text = arena_strndup(&p->mem, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

static int compile_ssh(struct policy_plan *p)
{
	const struct policy_doc *d = p->doc;

	p->ssh = arena_array(&p->mem, d->n_ssh + 1, sizeof(*p->ssh));
	for (size_t i = 0; p->ssh && i < d->n_ssh; i++) {
		const struct ssh_rule *s = &d->ssh[i];
		struct ssh_compiled *c = &p->ssh[i];
		size_t n_self = 0;

		for (size_t k = 0; k < s->dst.n; k++)
			n_self += is_self(&s->dst.v[k]);
		*c = (struct ssh_compiled){ .doc = s, .self = n_self > 0, .dst = NONE };
		c->users = ssh_users(p, s, &c->has_localpart);
		c->src = plan_addr_set(p, s->src.v, s->src.n, NULL);
		if (n_self < s->dst.n)
			c->dst = plan_addr_set(p, s->dst.v, s->dst.n, NULL);
		if (!c->users || c->src == NONE || (c->dst == NONE && n_self < s->dst.n))
			return -ENOMEM;
		if (u32s_push(&p->sets[c->src]->ssh_rules, (uint32_t)i) < 0)
			return -ENOMEM;
	}
	return p->ssh ? 0 : -ENOMEM;
}

int plan_compile_rest(struct policy_plan *p)
{
	const struct policy_doc *d = p->doc;
	int rc = compile_ssh(p);

	p->attrs = arena_array(&p->mem, d->n_node_attrs + 1, sizeof(*p->attrs));
	if (!p->attrs)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_node_attrs && rc == 0; i++) {
		p->attrs[i].doc = &d->node_attrs[i];
		p->attrs[i].target = plan_addr_set(
			p, d->node_attrs[i].target.v, d->node_attrs[i].target.n, NULL);
		rc = p->attrs[i].target == NONE ? -ENOMEM : 0;
		for (size_t k = 0; k < d->node_attrs[i].attr.n && rc == 0; k++) {
			if (strcmp(d->node_attrs[i].attr.v[k].s, "disable-ipv4") == 0)
				rc = u32s_push(&p->no_ip4_sets, p->attrs[i].target);
			else if (strcmp(d->node_attrs[i].attr.v[k].s, "dns-subdomain-resolve") == 0)
				rc = u32s_push(&p->subdomain_sets, p->attrs[i].target);
		}
	}
	return rc;
}
