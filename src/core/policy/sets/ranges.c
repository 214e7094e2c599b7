#include "core/policy/sets/ranges.h"

#include "base/vec/vec.h"

#include <errno.h>

/* What they are made of has bounds of its own: a document, the addresses of a tailnet. This one is that of our numbers. */
enum { RANGES_MAX = INT32_MAX };

void ranges_fini(struct ranges *s)
{
	free(s->v);
	*s = (struct ranges){ 0 };
}

static struct ipaddr prev(struct ipaddr a)
{
	for (int i = (int)ipaddr_bits(a) / 8 - 1; i >= 0; i--)
		if (a.b[i]--)
			break;
	return a;
}

static bool is_last(struct ipaddr a)
{
	for (unsigned i = 0; i < ipaddr_bits(a) / 8; i++)
		if (a.b[i] != 0xff)
			return false;
	return true;
}

/* Does b begin inside a or right behind it? a.first <= b.first. */
static bool joins(struct iprange a, struct iprange b)
{
	if (a.last.family != b.first.family)
		return false;
	return ipaddr_cmp(b.first, a.last) <= 0 ||
	       (!is_last(a.last) && ipaddr_eq(ipaddr_next(a.last), b.first));
}

int ranges_push(struct ranges *s, struct iprange r)
{
	int rc = s->n == s->cap ? vec_grow(&s->v, &s->cap, sizeof(*s->v), RANGES_MAX) : 0;

	if (rc < 0)
		return rc;
	s->v[s->n++] = r;
	return 0;
}

static int by_first(const void *a, const void *b)
{
	return ipaddr_cmp(((const struct iprange *)a)->first, ((const struct iprange *)b)->first);
}

void ranges_sort(struct ranges *s)
{
	size_t out = 0;

	if (s->n == 0)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_first);
	for (size_t i = 1; i < s->n; i++) {
		if (!joins(s->v[out], s->v[i]))
			s->v[++out] = s->v[i];
		else if (ipaddr_cmp(s->v[i].last, s->v[out].last) > 0)
			s->v[out].last = s->v[i].last;
	}
	s->n = out + 1;
}

int ranges_add(struct ranges *s, struct iprange r)
{
	int rc = ranges_push(s, r);

	ranges_sort(s);
	return rc;
}

int ranges_remove(struct ranges *s, struct iprange r)
{
	struct ranges left = { 0 };
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++) {
		struct iprange x = s->v[i];

		if (x.first.family != r.first.family || ipaddr_cmp(x.last, r.first) < 0 ||
			ipaddr_cmp(x.first, r.last) > 0) {
			rc = ranges_push(&left, x);
			continue;
		}
		if (ipaddr_cmp(x.first, r.first) < 0)
			rc = ranges_push(&left, (struct iprange){ x.first, prev(r.first) });
		if (rc == 0 && ipaddr_cmp(x.last, r.last) > 0)
			rc = ranges_push(&left, (struct iprange){ ipaddr_next(r.last), x.last });
	}
	if (rc < 0) {
		ranges_fini(&left);
		return rc;
	}
	ranges_fini(s);
	*s = left;
	return 0;
}

/* The first range that does not end before a. */
static size_t at_or_after(const struct ranges *s, struct ipaddr a)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ipaddr_cmp(s->v[mid].last, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ranges_contain(const struct ranges *s, struct ipaddr a)
{
	return ranges_cover(s, (struct iprange){ a, a });
}

bool ranges_overlap(const struct ranges *s, struct iprange r)
{
	size_t i = at_or_after(s, r.first);

	return i < s->n && s->v[i].first.family == r.first.family &&
	       ipaddr_cmp(s->v[i].first, r.last) <= 0;
}

bool ranges_cover(const struct ranges *s, struct iprange r)
{
	size_t i = at_or_after(s, r.first);

	return i < s->n && s->v[i].first.family == r.first.family &&
	       ipaddr_cmp(s->v[i].first, r.first) <= 0 && ipaddr_cmp(s->v[i].last, r.last) >= 0;
}

bool ranges_one_prefix(struct iprange r, struct ipprefix *ret)
{
	unsigned bits = ipaddr_bits(r.first), same = 0;
	struct iprange whole;

	while (same < bits && !((r.first.b[same / 8] ^ r.last.b[same / 8]) & (0x80 >> same % 8)))
		same++;
	*ret = (struct ipprefix){ r.first, (uint8_t)same };
	whole = iprange_of(*ret);
	return ipaddr_eq(whole.first, r.first) && ipaddr_eq(whole.last, r.last);
}

/* The widest CIDR that begins at r.first and stays inside. */
static struct ipprefix first_prefix(struct iprange r)
{
	struct ipprefix p = ipprefix_single(r.first);

	while (p.bits > 0) {
		struct ipprefix wider = { r.first, (uint8_t)(p.bits - 1) };
		struct iprange w = iprange_of(wider);

		if (!ipaddr_eq(w.first, r.first) || ipaddr_cmp(w.last, r.last) > 0)
			break;
		p = wider;
	}
	return p;
}

int ranges_prefixes(const struct ranges *s, struct arena *a, struct ipprefix **ret, size_t *ret_n)
{
	size_t cap = 0, n = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->n; i++) {
			struct iprange r = s->v[i];

			for (;;) {
				struct ipprefix p = first_prefix(r);

				if (pass)
					(*ret)[n++] = p;
				else
					cap++;
				r.first = iprange_of(p).last;
				if (ipaddr_cmp(r.first, r.last) >= 0)
					break;
				r.first = ipaddr_next(r.first);
			}
		}
		if (pass == 0) {
			*ret = arena_array(a, cap + 1, sizeof(**ret));
			if (!*ret)
				return -ENOMEM;
		}
	}
	*ret_n = n;
	return 0;
}
