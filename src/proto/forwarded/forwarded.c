#include "proto/forwarded/forwarded.h"
#include "base/text/text.h"

static const char header[] = "X-Forwarded-For";

static struct view trim(const char *p, size_t n)
{
	while (n && (p[0] == ' ' || p[0] == '\t')) {
		p++;
		n--;
	}
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return view_of(p, n);
}

static int parse_proxy(struct view v, struct ipprefix *ret)
{
	struct ipaddr a;

	if (ipprefix_parse((const char *)v.p, v.len, ret) == 0)
		return 0;
	if (ipaddr_parse((const char *)v.p, v.len, &a) < 0)
		return -ERR_BAD_FORMAT;
	*ret = ipprefix_single(a);
	return 0;
}

int forwarded_trust_add(struct forwarded_trust *trust, const char *list)
{
	struct forwarded_trust t = *trust;

	for (;;) {
		size_t n = strcspn(list, ",");
		int rc;

		if (t.n == FORWARDED_PROXIES_MAX)
			return -ERR_TOO_MANY;
		rc = parse_proxy(trim(list, n), &t.proxy[t.n++]);
		if (rc < 0)
			return rc;
		if (!list[n])
			break;
		list += n + 1;
	}
	*trust = t;
	return 0;
}

bool forwarded_trusts(const struct forwarded_trust *t, struct ipaddr a)
{
	for (size_t i = 0; i < t->n; i++)
		if (ipprefix_contains(t->proxy[i], a))
			return true;
	return false;
}

/* An address, "[v6]", or either with a port, as some proxies write it. */
static bool parse_hop(struct view v, struct ipport *ret)
{
	const char *p = (const char *)v.p;
	struct ipport a = { 0 };

	if (ipaddr_parse(p, v.len, &a.ip) < 0 &&
		!(v.len > 2 && p[0] == '[' && p[v.len - 1] == ']' &&
			ipaddr_parse(p + 1, v.len - 2, &a.ip) == 0) &&
		ipport_parse(p, v.len, &a) < 0)
		return false;
	*ret = a;
	return true;
}

struct walk {
	const struct forwarded_trust *trust;
	struct ipport at; /* the last that was named by somebody whom we trust */
	size_t hops;
	bool end, bad;
};

/* One header's list, from its right end. */
static void walk_back(struct walk *w, struct view v)
{
	const char *p = (const char *)v.p;
	size_t end = v.len;

	while (!w->end) {
		size_t begin = end;
		struct view hop;

		while (begin && p[begin - 1] != ',')
			begin--;
		hop = trim(p + begin, end - begin);
		if (w->hops++ == FORWARDED_HOPS_MAX || !parse_hop(hop, &w->at))
			w->end = w->bad = true;
		else if (!forwarded_trusts(w->trust, w->at.ip))
			w->end = true;
		if (!begin)
			break;
		end = begin - 1;
	}
}

struct ipport forwarded_client(const struct forwarded_trust *t, struct ipport peer,
	const struct http1_head *h, bool *ret_bad)
{
	struct walk w = { .trust = t, .at = peer, .end = !forwarded_trusts(t, peer.ip) };

	/* The header may stand there several times; each proxy appends to the last. */
	for (size_t i = h->n_headers; i-- && !w.end;)
		if (text_ieq((const char *)h->header[i].name.p, h->header[i].name.len, header,
			    sizeof(header) - 1))
			walk_back(&w, h->header[i].value);
	*ret_bad = w.bad;
	return w.at;
}
