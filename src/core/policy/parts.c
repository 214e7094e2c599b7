/*
 * core/policy: reduction. Of each rule a class keeps the destinations that concern it: its own
 * addresses, what overlaps its routes, and for an exit node what lies in the internet. Only the
 * addresses differ between nodes of a class.
 */
#include "core/policy/plan.h"

#include <errno.h>

void class_parts_free(struct class *c)
{
	for (size_t i = 0; i < c->n_parts; i++) {
		free(c->parts[i].fixed);
		free(c->parts[i].own.v);
	}
	free(c->parts);
	c->parts = NULL;
	c->n_parts = 0;
	c->has_parts = false;
}

/* A part while it is put together. */
struct draft {
	struct policy_plan *p;
	struct class *c;
	struct buf fixed;
	struct port_range *own;
	size_t n_own, cap_own;
};

static int put_entry(struct draft *d, const char *ip, const struct ports *ports)
{
	int rc = 0;

	for (size_t i = 0; i < ports->n && rc == 0; i++)
		rc = buf_printf(&d->fixed, "%s{\"IP\":\"%s\",\"Ports\":{\"First\":%u,\"Last\":%u}}",
			buf_len(&d->fixed) ? "," : "", ip, ports->v[i].first, ports->v[i].last);
	return rc;
}

/* Single addresses are bare, except where a rule has via. */
static int put_prefix_entry(
	struct draft *d, struct ipprefix x, const struct ports *ports, bool with_bits)
{
	char text[IPPREFIX_TEXT_MAX];

	if (x.bits == ipaddr_bits(x.ip) && !with_bits)
		ipaddr_format(x.ip, text);
	else
		ipprefix_format(x, text);
	return put_entry(d, text, ports);
}

static int put_range_entry(struct draft *d, struct iprange r, const struct ports *ports)
{
	char first[IPADDR_TEXT_MAX], last[IPADDR_TEXT_MAX], text[2 * IPADDR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s-%s", ipaddr_format(r.first, first),
		ipaddr_format(r.last, last));
	return put_entry(d, text, ports);
}

static int put_own(struct draft *d, const struct ports *ports)
{
	if (d->n_own + ports->n > d->cap_own) {
		size_t cap = (d->n_own + ports->n) * 2;
		struct port_range *v = realloc(d->own, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		d->own = v;
		d->cap_own = cap;
	}
	memcpy(d->own + d->n_own, ports->v, ports->n * sizeof(*ports->v));
	d->n_own += ports->n;
	return 0;
}

static bool in_internet(const struct policy_plan *p, struct ipprefix x)
{
	return ranges_cover(&p->internet, iprange_of(x));
}

static int put_internet(struct draft *d, const struct ports *ports)
{
	int rc = 0;

	for (size_t i = 0; i < d->p->internet.n && rc == 0; i++) {
		bool keep = d->c->exit;

		for (size_t k = 0; k < d->c->n_routes && !keep; k++) {
			struct ranges one = { .v = &d->p->internet.v[i], .n = 1 };

			keep = ranges_overlap(&one, iprange_of(d->c->routes[k]));
		}
		if (keep)
			rc = put_range_entry(d, d->p->internet.v[i], ports);
	}
	return rc;
}

static int put_dst(struct draft *d, uint32_t atom, const struct ports *ports)
{
	const struct atom *a = d->p->atoms[atom];

	if (atom == ATOM_STAR4)
		return put_entry(d, "*", ports);
	if (atom == ATOM_STAR6)
		return 0; /* said with the other */
	if (atom == ATOM_INTERNET)
		return put_internet(d, ports);
	if (a->kind != ATOM_PREFIX)
		return u32s_has(&d->c->atoms, atom) ? put_own(d, ports) : 0;
	if (u32s_has(&d->c->atoms, atom) || class_routes_meet(d->c, a->prefix) ||
		(d->c->exit && in_internet(d->p, a->prefix)))
		return put_prefix_entry(d, a->prefix, ports, false);
	return 0;
}

/* The literal destination, where it overlaps a route of the router; not the route. */
static int put_via_dst(struct draft *d, uint32_t atom, const struct ports *ports)
{
	const struct atom *a = d->p->atoms[atom];

	if (atom == ATOM_INTERNET)
		return d->c->exit ? put_internet(d, ports) : 0;
	if (a->kind == ATOM_PREFIX && class_routes_meet(d->c, a->prefix))
		return put_prefix_entry(d, a->prefix, ports, true);
	return 0;
}

static int keep_part(struct draft *d, uint32_t rule, bool own4, bool own6, size_t *cap)
{
	struct class *c = d->c;
	struct part *part;

	if (buf_len(&d->fixed) == 0 && d->n_own == 0 && !own4 && !own6)
		return 0;
	if (c->n_parts == *cap) {
		size_t more = *cap ? *cap * 2 : 8;
		struct part *v = realloc(c->parts, more * sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->parts = v;
		*cap = more;
	}
	part = &c->parts[c->n_parts];
	*part = (struct part){ .rule = rule, .next = NONE, .own4 = own4, .own6 = own6 };
	if (buf_len(&d->fixed)) {
		part->fixed = strdup(buf_cstr(&d->fixed) ? buf_cstr(&d->fixed) : "");
		if (!part->fixed)
			return -ENOMEM;
	}
	part->own = (struct ports){ d->own, d->n_own };
	d->own = NULL;
	d->n_own = d->cap_own = 0;
	c->n_parts++;
	return 0;
}

static int add_port_part(struct draft *d, uint32_t id, size_t *cap)
{
	const struct rule *r = &d->p->rules[id];
	const struct sel *dst = r->dst == NONE ? NULL : d->p->sels[r->dst];
	int rc = 0;

	buf_clear(&d->fixed);
	d->n_own = 0;
	if (!dst)
		rc = put_own(d, &r->ports); /* autogroup:self */
	for (uint32_t i = 0; dst && i < dst->atoms.n && rc == 0; i++)
		rc = (r->kind == RULE_VIA ? put_via_dst : put_dst)(d, dst->atoms.v[i], &r->ports);
	return rc < 0 ? rc : keep_part(d, id, false, false, cap);
}

static int put_dsts(struct draft *d, struct ipprefix x)
{
	char text[IPPREFIX_TEXT_MAX];

	if (!class_routes_meet(d->c, x))
		return 0;
	return buf_printf(
		&d->fixed, "%s\"%s\"", buf_len(&d->fixed) ? "," : "", ipprefix_format(x, text));
}

/* The prefixes of the tailnet's own range that a route of the class overlaps. */
static int put_star_dsts(struct draft *d)
{
	struct ipprefix *v;
	struct arena a;
	size_t n = 0;
	int rc;

	arena_init(&a, 1 << 16);
	rc = ranges_prefixes(&d->p->star, &a, &v, &n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_dsts(d, v[i]);
	arena_fini(&a);
	return rc;
}

static int put_cap_atom(
	struct draft *d, const struct sel *dst, uint32_t atom, bool *own4, bool *own6)
{
	static const struct ipprefix whole4 = { { 4, { 0 } }, 0 }, whole6 = { { 6, { 0 } }, 0 };
	const struct atom *a = d->p->atoms[atom];
	bool own = u32s_has(&d->c->atoms, atom) && class_owns(d->c, dst->id);
	int rc = 0;

	*own4 |= own && atom != ATOM_STAR6 && (a->kind != ATOM_PREFIX || a->prefix.ip.family == 4);
	*own6 |= own && atom != ATOM_STAR4 && (a->kind != ATOM_PREFIX || a->prefix.ip.family == 6);
	if (dst->postures.n)
		return 0; /* only devices */
	if (a->kind == ATOM_PREFIX)
		rc = put_dsts(d, a->prefix);
	else if (atom == ATOM_STAR4)
		rc = put_star_dsts(d);
	else if (atom == ATOM_ALL)
		rc = put_dsts(d, whole4) < 0 ? -ENOMEM : put_dsts(d, whole6);
	return rc;
}

/* One part for each selector of the destination: each is a CapGrant of its own. */
static int add_cap_parts(struct draft *d, uint32_t id, size_t *cap)
{
	const struct rule *r = &d->p->rules[id];
	const struct sel *dst = r->dst == NONE ? NULL : d->p->sels[r->dst];
	uint32_t i = 0;
	int rc = 0;

	buf_clear(&d->fixed);
	if (!dst)
		return keep_part(d, id, true, true, cap);
	while (i < dst->atoms.n && rc == 0) {
		uint32_t term = dst->terms.v[i];
		bool own4 = false, own6 = false;

		buf_clear(&d->fixed);
		for (; i < dst->atoms.n && dst->terms.v[i] == term && rc == 0; i++)
			rc = put_cap_atom(d, dst, dst->atoms.v[i], &own4, &own6);
		if (rc == 0)
			rc = keep_part(d, id, own4, own6, cap);
	}
	return rc;
}

/* The rules that may concern the class, in their order. */
static int candidates(const struct policy_plan *p, const struct class *c, struct u32s *out)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->eps.n && rc == 0; i++) {
		const struct endpoint *e = p->eps[c->eps.v[i]];

		for (uint32_t k = 0; e->mode != MODE_SRC && k < e->rules.n && rc == 0; k++)
			if (p->rules[e->rules.v[k]].dst_ep == c->eps.v[i])
				rc = u32s_push(out, e->rules.v[k]);
	}
	/* An exit node lets out what lies in the internet, though a small piece of it makes nobody
	 * its peer. */
	for (uint32_t i = 0; c->exit && i < p->exit_eps.n && rc == 0; i++)
		for (uint32_t k = 0; k < p->eps[p->exit_eps.v[i]]->rules.n && rc == 0; k++)
			rc = u32s_push(out, p->eps[p->exit_eps.v[i]]->rules.v[k]);
	for (uint32_t i = 0; !c->tagged && i < p->self_rules.n && rc == 0; i++)
		rc = u32s_push(out, p->self_rules.v[i]);
	for (uint32_t i = 0; i < c->vias.n && rc == 0; i++)
		if (!p->rules[c->vias.v[i]].silent)
			rc = u32s_push(out, c->vias.v[i]);
	u32s_sort(out);
	return rc;
}

static bool is_cap(const struct rule *r)
{
	return r->kind == RULE_CAP || r->kind == RULE_SELF_CAP;
}

/* Port rules of one source and protocol become one on the wire, and so do the grants of one
 * capability rule. */
static void chain(struct policy_plan *p, struct class *c)
{
	uint32_t mark = ++p->mark;

	for (size_t i = 0; i < c->n_parts; i++) {
		struct part *part = &c->parts[i];
		const struct rule *r = &p->rules[part->rule], *before;
		struct sel *src = p->sels[r->src];
		struct part *last;

		if (is_cap(r)) {
			if (i && c->parts[i - 1].rule == part->rule) {
				c->parts[i - 1].next = (uint32_t)i;
				part->follows = true;
			}
			continue;
		}
		last = src->mark == mark ? &c->parts[src->marked_part] : NULL;
		before = last ? &p->rules[last->rule] : NULL;
		if (before && before->proto == r->proto &&
			(before->dst == NONE) == (r->dst == NONE)) {
			last->next = (uint32_t)i;
			part->follows = true;
		}
		src->mark = mark;
		src->marked_part = (uint32_t)i;
	}
}

int class_parts(struct policy_plan *p, struct class *c)
{
	struct draft d = { .p = p, .c = c };
	struct u32s rules = { 0 };
	size_t cap = 0;
	int rc;

	if (c->has_parts)
		return 0;
	class_parts_free(c);
	buf_init(&d.fixed, POLICY_FILTER_MAX);
	rc = candidates(p, c, &rules);
	for (uint32_t i = 0; i < rules.n && rc == 0; i++)
		rc = (is_cap(&p->rules[rules.v[i]]) ? add_cap_parts : add_port_part)(
			&d, rules.v[i], &cap);
	if (rc == 0)
		chain(p, c);
	c->has_parts = rc == 0;
	free(d.own);
	buf_fini(&d.fixed);
	u32s_fini(&rules);
	return rc;
}
