/* core/policy/answer: SrcIPs. A set's text is made once and shared by all filters that have it, until a
 * node of the set changes. */
#include "core/policy/answer/internal.h"

#include "base/vec/vec.h"

#include <errno.h>

/* Addresses of many nodes, in network order, to be sorted at once. */
struct pile {
	uint8_t *v4, *v6;
	size_t n4, n6, cap4, cap6;
};

static void pile_fini(struct pile *x)
{
	free(x->v4);
	free(x->v6);
}

static int pile_push(uint8_t **v, size_t *n, size_t *cap, const uint8_t *b, size_t width)
{
	int rc = *n == *cap ? vec_grow(v, cap, width, NONE) : 0; /* a node has one of each family */

	if (rc < 0)
		return rc;
	memcpy(*v + *n * width, b, width);
	++*n;
	return 0;
}

static int push_address(struct pile *x, struct ipaddr a)
{
	if (a.family == 4)
		return pile_push(&x->v4, &x->n4, &x->cap4, a.b, 4);
	return a.family == 6 ? pile_push(&x->v6, &x->n6, &x->cap6, a.b, 16) : 0;
}

/* By bytes, the last first; a byte that is the same everywhere costs nothing, and most of IPv6 is.
 */
static int radix_sort(uint8_t **v, size_t n, size_t width)
{
	uint8_t *from = *v, *to = malloc(n * width + 1);

	if (!to)
		return -ENOMEM;
	for (size_t byte = width; byte-- > 0 && n;) {
		size_t at[256] = { 0 }, sum = 0;

		for (size_t i = 0; i < n; i++)
			at[from[i * width + byte]]++;
		if (at[from[byte]] == n)
			continue;
		for (size_t i = 0; i < 256; i++) {
			size_t c = at[i];

			at[i] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			memcpy(to + at[from[i * width + byte]]++ * width, from + i * width, width);
		*v = to;
		to = from;
		from = *v;
	}
	free(to);
	return 0;
}

static struct ipaddr address_at(const uint8_t *b, uint8_t family)
{
	struct ipaddr a = { .family = family };

	memcpy(a.b, b, family == 4 ? 4 : 16);
	return a;
}

/* The next range of two sorted lists, whichever begins first. Neighbours join what is there. */
static int merge_in(struct ranges *out, struct iprange r)
{
	struct iprange *last = out->n ? &out->v[out->n - 1] : NULL;

	if (last && last->last.family == r.first.family &&
		(ipaddr_cmp(r.first, last->last) <= 0 ||
			ipaddr_eq(ipaddr_next(last->last), r.first))) {
		if (ipaddr_cmp(r.last, last->last) > 0)
			last->last = r.last;
		return 0;
	}
	return ranges_push(out, r);
}

static int merge_addresses(struct ranges *out, const uint8_t *v, size_t n, uint8_t family,
	const struct ranges *fixed, size_t *at)
{
	size_t width = family == 4 ? 4 : 16;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct ipaddr a = address_at(v + i * width, family);

		for (; *at < fixed->n && ipaddr_cmp(fixed->v[*at].first, a) <= 0 && rc == 0; ++*at)
			rc = merge_in(out, fixed->v[*at]);
		if (rc == 0)
			rc = merge_in(out, (struct iprange){ a, a });
	}
	return rc;
}

/* fixed is sorted. */
static int settle(struct pile *x, const struct ranges *fixed, struct ranges *ret)
{
	size_t at = 0;
	int rc = radix_sort(&x->v4, x->n4, 4);

	if (rc == 0)
		rc = radix_sort(&x->v6, x->n6, 16);
	if (rc == 0)
		rc = merge_addresses(ret, x->v4, x->n4, 4, fixed, &at);
	if (rc == 0)
		rc = merge_addresses(ret, x->v6, x->n6, 6, fixed, &at);
	for (; at < fixed->n && rc == 0; at++)
		rc = merge_in(ret, fixed->v[at]);
	return rc;
}

bool addr_set_means(
	const struct policy_plan *p, const struct addr_set *s, const struct node_class *c)
{
	for (uint32_t i = 0; i < s->atoms.n; i++) {
		uint32_t atom = s->atoms.v[i];

		if (atom != ATOM_STAR4 && atom != ATOM_STAR6 &&
			p->atoms[atom]->kind != ATOM_PREFIX && u32s_has(&c->atoms, atom))
			return true;
	}
	return false;
}

bool addr_set_holds(const struct policy_plan *p, const struct addr_set *s,
	const struct node_class *c, struct ipaddr a)
{
	return addr_set_means(p, s, c) || ranges_contain(&s->literals, a) ||
	       (s->star && ranges_contain(&p->star, a));
}

static int push_class(const struct policy_plan *p, struct pile *x, const struct addr_set *s,
	const struct node_class *c)
{
	bool who = addr_set_means(p, s, c);
	int rc = 0;

	/* By its address alone: that address is among the literals already, unless a posture leaves
	 * them out. */
	if (!who && s->postures.n == 0)
		return 0;
	for (uint32_t i = 0; i < c->nodes.n && rc == 0; i++) {
		const struct node_rec *n = p->directory->node_at[c->nodes.v[i]];

		if (who || addr_set_holds(p, s, c, n->ip4))
			rc = push_address(x, n->ip4);
		if (rc == 0 && (who || addr_set_holds(p, s, c, n->ip6)))
			rc = push_address(x, n->ip6);
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
			rc = ranges_push(
				r, iprange_of(container_of(m, struct route, node)->prefix));
	}
	return rc;
}

static int addr_set_ranges(struct policy_plan *p, const struct addr_set *s, struct ranges *ret)
{
	struct ranges fixed = { 0 };
	struct pile x = { 0 };
	int rc = 0;

	if (s->postures.n == 0) {
		for (size_t i = 0; i < s->literals.n && rc == 0; i++)
			rc = ranges_push(&fixed, s->literals.v[i]);
		if (rc == 0 && s->star)
			rc = push_star(p, &fixed);
		ranges_sort(&fixed);
	}
	for (uint32_t i = 0; i < s->classes.n && rc == 0; i++)
		if (p->classes[s->classes.v[i]])
			rc = push_class(p, &x, s, p->classes[s->classes.v[i]]);
	if (rc == 0)
		rc = settle(&x, &fixed, ret);
	ranges_fini(&fixed);
	pile_fini(&x);
	return rc;
}

int sources_of_self(
	struct policy_plan *p, const struct user_rec *u, uint32_t set, struct ranges *ret)
{
	struct ranges none = { 0 };
	struct pile x = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < u->nodes.n && rc == 0; i++) {
		const struct node_rec *n = p->directory->node_at[u->nodes.v[i]];
		const struct node_class *c = plan_class(p, n);

		if (set != NONE && (!c || !node_class_in_set(c, set)))
			continue;
		rc = push_address(&x, n->ip4);
		if (rc == 0)
			rc = push_address(&x, n->ip6);
	}
	if (rc == 0)
		rc = settle(&x, &none, ret);
	pile_fini(&x);
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

static size_t put_group(char *out, uint16_t v)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		if (n || shift == 0 || v >> shift)
			out[n++] = digits[v >> shift & 15];
	return n;
}

/* The longest run of at least two zero groups, the first of equals, is left out (RFC 5952). */
static size_t put_address6(char *out, const uint8_t b[static 16])
{
	int best = 8, best_len = 1;
	size_t n = 0;

	for (int i = 0, run = 0; i < 8; i++) {
		run = load_be16(b + 2 * i) ? 0 : run + 1;
		if (run > best_len) {
			best = i - run + 1;
			best_len = run;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			out[n++] = ':';
			out[n++] = ':';
			i += best_len - 1;
			continue;
		}
		if (i && i != best + best_len)
			out[n++] = ':';
		n += put_group(out + n, load_be16(b + 2 * i));
	}
	return n;
}

/* As ipaddr_format, for a hundred thousand of them. */
static size_t put_address(char *out, struct ipaddr a)
{
	size_t n = 0;

	if (a.family != 4)
		return put_address6(out, a.b);
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
		if (ranges_one_prefix(r, &whole)) {
			n += (size_t)snprintf(text + n, 8, "/%u", whole.bits);
		} else {
			text[n++] = '-';
			n += put_address(text + n, r.last);
		}
	}
	text[n++] = '"';
	return buf_append(out, text, n);
}

int sources_put_ranges(const struct ranges *r, struct buf *out)
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

int addr_set_text(struct policy_plan *p, struct addr_set *s)
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
		rc = addr_set_ranges(p, s, &r);
		if (rc == 0)
			rc = sources_put_ranges(&r, &b);
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
			s->text_id = p->directory->next_text_id++;
		}
	}
	buf_fini(&b);
	return rc;
}
