/* core/policy: SrcIPs. A set's text is made once and shared by all filters that have it, until a node of the set changes. */
#include "core/policy/plan.h"

#include <errno.h>

static int push_node(struct ranges *r, const struct node_rec *n)
{
	int rc = n->ip4.family ? ranges_push(r, (struct iprange){ n->ip4, n->ip4 }) : 0;

	return rc == 0 && n->ip6.family ? ranges_push(r, (struct iprange){ n->ip6, n->ip6 }) : rc;
}

/* Is the address in the set? Its node is of class c, which has an address in it. */
bool sel_holds_address(const struct policy_plan *p, const struct sel *s, const struct class *c, struct ipaddr a)
{
	for (uint32_t i = 0; i < s->atoms.n; i++) {
		uint32_t atom = s->atoms.v[i];

		if (atom != ATOM_STAR4 && atom != ATOM_STAR6 && p->atoms[atom]->kind != ATOM_PREFIX && u32s_has(&c->atoms, atom))
			return true;
	}
	return ranges_contain(&s->literals, a) || (s->star && ranges_contain(&p->star, a));
}

static int push_address(const struct policy_plan *p, struct ranges *r, const struct sel *s, const struct class *c, struct ipaddr a)
{
	if (!a.family || !sel_holds_address(p, s, c, a))
		return 0;
	return ranges_push(r, (struct iprange){ a, a });
}

static int push_class(const struct policy_plan *p, struct ranges *r, const struct sel *s, const struct class *c)
{
	int rc = 0;

	for (uint32_t i = 0; c && i < c->nodes.n && rc == 0; i++) {
		const struct node_rec *n = p->world->node_at[c->nodes.v[i]];

		rc = push_address(p, r, s, c, n->ip4);
		if (rc == 0)
			rc = push_address(p, r, s, c, n->ip6);
	}
	return rc;
}

/* A star holds the tailnet's range and every approved subnet route. */
static int push_star(const struct policy_plan *p, struct ranges *r)
{
	int rc = 0;

	for (size_t i = 0; i < p->star.n && rc == 0; i++)
		rc = ranges_push(r, p->star.v[i]);
	map_for_each(m, &p->route_by_prefix) {
		if (rc == 0)
			rc = ranges_push(r, iprange_of(container_of(m, struct route, node)->prefix));
	}
	return rc;
}

int sel_ranges(struct policy_plan *p, const struct sel *s, struct ranges *ret)
{
	int rc = 0;

	if (s->postures.n == 0) {
		for (size_t i = 0; i < s->literals.n && rc == 0; i++)
			rc = ranges_push(ret, s->literals.v[i]);
		if (rc == 0 && s->star)
			rc = push_star(p, ret);
	}
	for (uint32_t i = 0; i < s->own.n && rc == 0; i++)
		rc = push_class(p, ret, s, p->classes[s->own.v[i]]);
	ranges_sort(ret);
	return rc;
}

int self_sources(struct policy_plan *p, const struct user_rec *u, uint32_t sel, struct ranges *ret)
{
	int rc = 0;

	for (uint32_t i = 0; i < u->nodes.n && rc == 0; i++) {
		const struct node_rec *n = p->world->node_at[u->nodes.v[i]];
		const struct class *c = plan_class(p, n);

		if (sel == NONE || (c && class_owns(c, sel)))
			rc = push_node(ret, n);
	}
	ranges_sort(ret);
	return rc;
}

static size_t decimal(char *out, uint8_t v)
{
	size_t n = 0;

	if (v >= 100)
		out[n++] = (char)('0' + v / 100);
	if (v >= 10)
		out[n++] = (char)('0' + v / 10 % 10);
	out[n++] = (char)('0' + v % 10);
	return n;
}

/* As ipaddr_format, which is slow for a hundred thousand of them. */
static size_t put_address(char *out, struct ipaddr a)
{
	size_t n = 0;

	if (a.family != 4)
		return strlen(ipaddr_format(a, out));
	for (int i = 0; i < 4; i++) {
		if (i)
			out[n++] = '.';
		n += decimal(out + n, a.b[i]);
	}
	return n;
}

/* "10.0.0.1", "10.0.0.0/8" or "10.0.0.1-10.0.0.3", in quotes. */
static int put_range(struct buf *out, struct iprange r)
{
	char text[2 * IPADDR_TEXT_MAX + 8];
	struct ipprefix whole;
	size_t n = 0;

	text[n++] = '"';
	n += put_address(text + n, r.first);
	if (!ipaddr_eq(r.first, r.last)) {
		if (iprange_is_prefix(r, &whole)) {
			n += (size_t)snprintf(text + n, 8, "/%u", whole.bits);
		} else {
			text[n++] = '-';
			n += put_address(text + n, r.last);
		}
	}
	text[n++] = '"';
	return buf_append(out, text, n);
}

int ranges_text(const struct ranges *r, struct buf *out)
{
	int rc = buf_append_str(out, "[");

	for (size_t i = 0; i < r->n && rc == 0; i++) {
		if (i)
			rc = buf_append_str(out, ",");
		if (rc == 0)
			rc = put_range(out, r->v[i]);
	}
	return rc < 0 ? rc : buf_append_str(out, "]");
}

int sel_text(struct policy_plan *p, struct sel *s)
{
	struct ranges r = { 0 };
	struct buf b;
	int rc;

	if (s->text_id)
		return 0;
	buf_init(&b, POLICY_FILTER_MAX);
	if (s->danger && !s->postures.n) {
		rc = buf_append_str(&b, "[\"*\"]");
		s->text_empty = false;
	} else {
		rc = sel_ranges(p, s, &r);
		if (rc == 0)
			rc = ranges_text(&r, &b);
		s->text_empty = r.n == 0;
	}
	ranges_fini(&r);
	if (rc == 0) {
		char *text = malloc(buf_len(&b) + 1);

		rc = text ? 0 : -ENOMEM;
		if (text) {
			memcpy(text, buf_data(&b), buf_len(&b));
			free(s->text);
			s->text = text;
			s->text_len = buf_len(&b);
			s->text_id = p->world->next_text_id++;
		}
	}
	buf_fini(&b);
	return rc;
}
