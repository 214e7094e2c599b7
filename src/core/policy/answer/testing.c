/* core/policy/answer: the tests that a document brings along. A change that makes one fail is refused. */
#include "core/policy/answer/internal.h"

#include "base/vec/vec.h"

#include <errno.h>
#include <stdarg.h>

struct runner {
	struct policy_plan *p;
	void (*fn)(void *ctx, const struct policy_failure *f);
	void *ctx;
	size_t failed;
};

struct addresses {
	struct ipprefix *v;
	size_t n, cap;
};

static void fail(struct runner *r, const struct doc_text *src, struct place at, bool ssh,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

static void fail(struct runner *r, const struct doc_text *src, struct place at, bool ssh,
	const char *fmt, ...)
{
	struct policy_failure f = {
		.src = src->s ? src->s : "", .ssh = ssh, .line = at.line, .column = at.column
	};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f.text = text;
	r->failed++;
	r->fn(r->ctx, &f);
}

static int push(struct addresses *a, struct ipprefix x)
{
	int rc = a->n == a->cap ? vec_grow(&a->v, &a->cap, sizeof(*a->v), NONE) : 0;

	if (rc < 0)
		return rc;
	a->v[a->n++] = x;
	return 0;
}

static int push_node(struct addresses *a, const struct node_rec *n)
{
	int rc = n->ip4.family ? push(a, ipprefix_single(n->ip4)) : 0;

	return rc == 0 && n->ip6.family ? push(a, ipprefix_single(n->ip6)) : rc;
}

static int push_user(const struct policy_plan *p, struct addresses *a, const char *name)
{
	uint32_t atom = plan_atom_find(p, ATOM_USER, name);
	const struct user_rec *u = NULL;
	int rc = 0;

	if (atom != NONE && p->atoms[atom]->bound != NONE)
		u = p->directory->user_at[p->atoms[atom]->bound];
	for (uint32_t i = 0; !u && atom == NONE && i < p->directory->n_user_slots; i++) {
		const struct term t = { .kind = TERM_USER, .text = name };

		if (p->directory->user_at[i] &&
			plan_term_means_user(p, &t, p->directory->user_at[i]))
			u = p->directory->user_at[i];
	}
	for (uint32_t i = 0; u && i < u->nodes.n && rc == 0; i++)
		rc = push_node(a, p->directory->node_at[u->nodes.v[i]]);
	return rc;
}

static int push_prefixes(struct addresses *a, const struct ipprefix *v, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = push(a, v[i]);
	return rc;
}

static int push_nodes(const struct policy_plan *p, struct addresses *a, const struct term *t)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->directory->n_node_slots && rc == 0; i++)
		if (p->directory->node_at[i] &&
			plan_term_means_node(p, t, p->directory->node_at[i]))
			rc = push_node(a, p->directory->node_at[i]);
	return rc;
}

/* All addresses that a selector means now; none for names that do not exist. */
static int resolve(const struct policy_plan *p, const struct term *t, struct addresses *a)
{
	const struct policy_doc *d = p->doc;
	const struct group *g;
	const struct host *h;
	const struct ipset *s;
	int rc = 0;

	switch (t->kind) {
	case TERM_PREFIX:
		return push(a, t->prefix);
	case TERM_USER:
		return push_user(p, a, t->text);
	case TERM_GROUP:
		g = doc_group(d, t->full);
		for (size_t i = 0; g && i < g->members.n && rc == 0; i++)
			rc = push_user(p, a, g->members.v[i].text);
		return rc;
	case TERM_HOST:
		h = doc_host(d, t->full);
		return h ? push(a, h->prefix) : 0;
	case TERM_IPSET:
		s = doc_ipset(d, t->full);
		return s ? push_prefixes(a, s->prefixes, s->n_prefixes) : 0;
	case TERM_TAG:
		return doc_tag(d, t->full) ? push_nodes(p, a, t) : 0;
	case TERM_AUTOGROUP:
	case TERM_DOMAIN:
		return push_nodes(p, a, t);
	case TERM_STAR:
	case TERM_SERVICE:
		break;
	}
	return rc;
}

static bool test_proto(const struct rule *r, int proto)
{
	if (proto != PROTO_ANY)
		return r->proto == PROTO_ANY ? rule_has_proto(r, proto) : r->proto == proto;
	return rule_has_proto(r, 6) || rule_has_proto(r, 17) || rule_has_proto(r, 1) ||
	       rule_has_proto(r, 58);
}

static bool reaches_any(const struct policy_plan *p, struct ipprefix src,
	const struct addresses *dst, int proto, uint16_t port, const struct attr_view *given)
{
	for (uint32_t i = 0; i < p->n_rules; i++) {
		if (!test_proto(&p->rules[i], proto) || !rule_has_port(&p->rules[i], port))
			continue;
		for (size_t k = 0; k < dst->n; k++)
			if (rule_lets(p, i, src, dst->v[k], given))
				return true;
	}
	return false;
}

/* Allowed is what every source address may do. */
static bool all_reach(const struct policy_plan *p, const struct addresses *src,
	const struct addresses *dst, int proto, uint16_t port, const struct attr_view *given)
{
	for (size_t i = 0; i < src->n; i++)
		if (!reaches_any(p, src->v[i], dst, proto, port, given))
			return false;
	return true;
}

static int run_dst(struct runner *r, const struct acl_test *t, const struct addresses *src,
	const struct test_dst *d, bool accept)
{
	struct attr_view given = { t->attrs, t->n_attrs };
	struct addresses dst = { 0 };
	bool allowed;
	int rc;

	if (d->fails) {
		fail(r, &t->src, d->text.at, false, "address \"%.100s\": %s", d->text.s, d->why);
		return 0;
	}
	rc = resolve(r->p, &d->term, &dst);
	if (rc == 0 && dst.n == 0)
		fail(r, &t->src, d->text.at, false,
			"address \"%.100s\": no device or host of this name", d->text.s);
	if (rc == 0 && d->term.kind == TERM_HOST && dst.n &&
		dst.v[0].bits != ipaddr_bits(dst.v[0].ip)) {
		fail(r, &t->src, d->text.at, false,
			"address \"%.100s\": a test asks for one host, not for a CIDR", d->text.s);
	} else if (rc == 0 && dst.n) {
		allowed =
			all_reach(r->p, src, &dst, t->proto, d->port, t->has_attrs ? &given : NULL);
		if (allowed != accept)
			fail(r, &t->src, d->text.at, false, "address \"%.100s\": want: %s, got: %s",
				d->text.s, accept ? "Accept" : "Drop", allowed ? "Accept" : "Drop");
	}
	free(dst.v);
	return rc;
}

static int run_test(struct runner *r, const struct acl_test *t)
{
	struct addresses src = { 0 };
	int rc = 0;

	if (t->src_bad || t->proto_bad || t->n_accept + t->n_deny == 0) {
		fail(r, &t->src, t->at, false, "%s",
			t->src_bad     ? "src is missing or no selector"
			: t->proto_bad ? "proto must be tcp, udp or sctp, or left out"
				       : "a test needs accept or deny");
		return 0;
	}
	rc = resolve(r->p, &t->src_term, &src);
	if (rc == 0 && src.n == 0)
		fail(r, &t->src, t->at, false, "src \"%.100s\": no device of this name", t->src.s);
	for (size_t i = 0; i < t->n_accept && src.n && rc == 0; i++)
		rc = run_dst(r, t, &src, &t->accept[i], true);
	for (size_t i = 0; i < t->n_deny && src.n && rc == 0; i++)
		rc = run_dst(r, t, &src, &t->deny[i], false);
	free(src.v);
	return rc;
}

/* ---- sshTests ---- */

enum wanted { WANT_ACCEPT, WANT_DENY, WANT_CHECK };

static bool meets_wish(enum wanted want, enum policy_ssh_verdict got)
{
	switch (want) {
	case WANT_ACCEPT:
		return got != POLICY_SSH_NO;
	case WANT_CHECK:
		return got == POLICY_SSH_CHECK;
	case WANT_DENY:
		return got == POLICY_SSH_NO;
	}
	return false;
}

static void run_ssh_user(struct runner *r, const struct ssh_test *t, const struct addresses *src,
	const struct addresses *dst, const struct doc_text *user, enum wanted want)
{
	static const char *const words[] = { "accept", "deny", "check" };

	if (!*user->s) {
		fail(r, &t->src, user->at, true, "a user without a name");
		return;
	}
	for (size_t i = 0; i < src->n; i++)
		for (size_t k = 0; k < dst->n; k++) {
			struct node_rec *a = directory_node_at(r->p->directory, src->v[i].ip),
					*b = directory_node_at(r->p->directory, dst->v[k].ip);
			enum policy_ssh_verdict got = POLICY_SSH_NO;
			int64_t period;

			if (a && b)
				got = policy_ssh_verdict(r->p, a->id, b->id, user->s, &period);
			if (meets_wish(want, got))
				continue;
			fail(r, &t->src, user->at, true, "user \"%.100s\": want: %s, got: %s",
				user->s, words[want],
				got == POLICY_SSH_NO       ? "deny"
				: got == POLICY_SSH_ACCEPT ? "accept"
							   : "check");
			return;
		}
}

static int resolve_ssh_dst(struct runner *r, const struct ssh_test *t, struct addresses *dst)
{
	int rc = 0;

	for (size_t i = 0; i < t->dst.n && rc == 0; i++) {
		const struct term *d = &t->dst.v[i];
		size_t before = dst->n;

		if (d->kind == TERM_AUTOGROUP && d->ag == AG_SELF && !t->src_bad)
			rc = resolve(r->p, &t->src_term, dst); /* the devices of the same person */
		else if (d->kind != TERM_PREFIX ||
			 d->prefix.ip.family ==
				 4) /* a bare IPv6 address fails, as with the service */
			rc = resolve(r->p, d, dst);
		if (rc == 0 && dst->n == before)
			fail(r, &t->src, d->at, true, "dst \"%.100s\": no device of this name",
				d->full);
	}
	return rc;
}

static void run_ssh_users(struct runner *r, const struct ssh_test *t, const struct addresses *src,
	const struct addresses *dst)
{
	for (size_t i = 0; i < t->accept.n; i++)
		run_ssh_user(r, t, src, dst, &t->accept.v[i], WANT_ACCEPT);
	for (size_t i = 0; i < t->deny.n; i++)
		run_ssh_user(r, t, src, dst, &t->deny.v[i], WANT_DENY);
	for (size_t i = 0; i < t->check.n; i++)
		run_ssh_user(r, t, src, dst, &t->check.v[i], WANT_CHECK);
}

static int run_ssh_test(struct runner *r, const struct ssh_test *t)
{
	struct addresses src = { 0 }, dst = { 0 };
	int rc = 0;

	if (t->src_bad || t->accept.n + t->deny.n + t->check.n == 0 || t->dst.n == 0) {
		fail(r, &t->src, t->at, true, "%s",
			t->src_bad      ? "src is missing or no selector"
			: t->dst.n == 0 ? "dst is missing"
					: "a test needs accept, deny or check");
		return 0;
	}
	rc = resolve(r->p, &t->src_term, &src);
	if (rc == 0 && src.n == 0)
		fail(r, &t->src, t->at, true, "src \"%.100s\": no device of this name", t->src.s);
	if (rc == 0)
		rc = resolve_ssh_dst(r, t, &dst);
	if (rc == 0)
		run_ssh_users(r, t, &src, &dst);
	free(src.v);
	free(dst.v);
	return rc;
}

int policy_test(
	struct policy_plan *p, void (*fn)(void *ctx, const struct policy_failure *f), void *ctx)
{
	struct runner r = { .p = p, .fn = fn, .ctx = ctx };
	int rc = 0;

	for (size_t i = 0; i < p->doc->n_tests && rc == 0; i++)
		rc = run_test(&r, &p->doc->tests[i]);
	for (size_t i = 0; i < p->doc->n_ssh_tests && rc == 0; i++)
		rc = run_ssh_test(&r, &p->doc->ssh_tests[i]);
	return rc < 0 ? rc : r.failed > 0;
}
