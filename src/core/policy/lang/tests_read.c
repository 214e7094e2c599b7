/*
 * core/policy/lang: the tests sections as they are read. What no test can ask (a port list, a wide
 * prefix, an unknown name) makes the test fail rather than the document: that is how the service
 * answers, and it is the test that is wrong.
 */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

struct raw_test {
	struct doc_text src, proto;
	struct doc_texts accept, deny;
	struct policy_attr *attrs;
	size_t n_attrs;
	bool has_attrs;
};

static int read_attr(struct reader *r, const struct hujson *v, void *dst)
{
	struct policy_attr *a = dst;

	a->key = v->name;
	if (v->kind == HUJSON_OBJECT || v->kind == HUJSON_ARRAY)
		return fault_on(r, v,
			"srcPostureAttrs[\"%.60s\"] must be a string, a number, true or false",
			v->name);
	a->value = v->kind == HUJSON_STRING ? v->text : arena_strndup(r->a, v->raw.p, v->raw.len);
	return a->value ? 0 : fault_no_memory(r);
}

static int read_attrs(struct reader *r, const struct hujson *v, void *dst)
{
	struct raw_test *t = dst;

	t->has_attrs = true;
	return read_items(r, v, HUJSON_OBJECT, sizeof(*t->attrs), "srcPostureAttrs", read_attr,
		(void **)&t->attrs, &t->n_attrs);
}

static const struct member test_members[] = {
	{ "src", read_text, offsetof(struct raw_test, src) },
	{ "user", read_text, offsetof(struct raw_test, src) },
	{ "proto", read_text, offsetof(struct raw_test, proto) },
	{ "accept", read_texts, offsetof(struct raw_test, accept) },
	{ "allow", read_texts, offsetof(struct raw_test, accept) },
	{ "deny", read_texts, offsetof(struct raw_test, deny) },
	{ "srcPostureAttrs", read_attrs, 0 },
};

static const char *shape_of(const struct test_dst *d, const char *ports, const struct ports *p)
{
	if (strcmp(ports, "*") == 0 || p->n != 1 || p->v[0].first != p->v[0].last)
		return "a test asks for one port, not for * or several";
	if (d->term.kind == TERM_PREFIX && strchr(d->term.full, '/'))
		return "a test asks for one host, not for a CIDR";
	if (d->term.kind == TERM_AUTOGROUP &&
		(d->term.ag == AG_INTERNET || d->term.ag == AG_SELF || d->term.ag == AG_DANGER_ALL))
		return "a test asks for a host of the network, not for this autogroup";
	if (d->term.kind == TERM_STAR || d->term.kind == TERM_IPSET ||
		d->term.kind == TERM_SERVICE || d->term.kind == TERM_DOMAIN)
		return "a test asks for one host";
	if (d->term.kind == TERM_PREFIX && d->term.prefix.ip.family == 6 && d->text.s[0] != '[')
		return "an IPv6 address stands in brackets: [fd7a::1]:22";
	return NULL;
}

static int read_test_dst(struct reader *r, const struct doc_text *t, struct test_dst *ret)
{
	const char *sel, *ports;
	struct ports p;
	int rc = ports_split_dst(r->a, t->s, &sel, &ports, &ret->why);

	ret->text = *t;
	if (rc == 0)
		rc = ports_parse(r->a, ports, strlen(ports), &p, &ret->why);
	if (rc == 0) {
		rc = term_try(r->a, sel, strlen(sel), t->at, &ret->term);
		ret->why = "the selector does not exist";
	}
	if (rc == -ENOMEM)
		return fault_no_memory(r);
	if (rc == 0) {
		ret->port = p.v[0].first;
		ret->why = shape_of(ret, ports, &p);
	}
	ret->fails = ret->why != NULL;
	return 0;
}

static int read_test_dsts(
	struct reader *r, const struct doc_texts *t, struct test_dst **ret, size_t *ret_n)
{
	int rc = 0;

	*ret = arena_array(r->a, t->n + 1, sizeof(**ret));
	if (!*ret)
		return fault_no_memory(r);
	for (*ret_n = 0; *ret_n < t->n && rc == 0; ++*ret_n)
		rc = read_test_dst(r, &t->v[*ret_n], &(*ret)[*ret_n]);
	return rc;
}

/* Without a source the test is bad, and the term stays empty. */
static int read_src(struct reader *r, const struct doc_text *t, struct term *ret, bool *ret_bad)
{
	int rc = t->s ? term_try(r->a, t->s, strlen(t->s), t->at, ret) : -ERR_BAD_VALUE;

	if (rc == -ENOMEM)
		return fault_no_memory(r);
	*ret_bad = rc < 0;
	return 0;
}

int doc_read_acl_test(struct reader *r, const struct hujson *v, void *dst)
{
	struct acl_test *t = dst;
	struct raw_test raw = { 0 };
	const char *why;
	int rc = read_members(r, v, test_members, ARRAY_LEN(test_members), &raw, "a test");

	t->at = place_of(v);
	t->src = raw.src;
	t->proto = PROTO_ANY;
	t->attrs = raw.attrs;
	t->n_attrs = raw.n_attrs;
	t->has_attrs = raw.has_attrs;
	if (raw.proto.s &&
		ports_parse_proto(raw.proto.s, strlen(raw.proto.s), true, &t->proto, &why) < 0)
		t->proto_bad = true;
	t->proto_bad |= !ports_used_by(t->proto);
	if (rc == 0)
		rc = read_src(r, &raw.src, &t->src_term, &t->src_bad);
	if (rc == 0)
		rc = read_test_dsts(r, &raw.accept, &t->accept, &t->n_accept);
	return rc < 0 ? rc : read_test_dsts(r, &raw.deny, &t->deny, &t->n_deny);
}

static const struct member ssh_test_members[] = {
	{ "src", read_text, offsetof(struct ssh_test, src) },
	{ "dst", read_terms, offsetof(struct ssh_test, dst) },
	{ "accept", read_texts, offsetof(struct ssh_test, accept) },
	{ "deny", read_texts, offsetof(struct ssh_test, deny) },
	{ "check", read_texts, offsetof(struct ssh_test, check) },
};

int doc_read_ssh_test(struct reader *r, const struct hujson *v, void *dst)
{
	struct ssh_test *t = dst;
	int rc = read_members(
		r, v, ssh_test_members, ARRAY_LEN(ssh_test_members), t, "an sshTests entry");

	t->at = place_of(v);
	return rc < 0 ? rc : read_src(r, &t->src, &t->src_term, &t->src_bad);
}
