/* core/policy/lang: the sections that name things: groups, hosts, ipsets, tags, approvers, postures,
 * attributes. */
#include "core/policy/lang/internal.h"
#include "base/buf/buf.h"
#include "base/text/text.h"

#include <errno.h>

enum { OPS_MAX = 10000, NAME_MAX_LEN = 255 };

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int named(struct reader *r, const struct hujson *v, const char *section, const char *prefix,
	const char **ret, struct place *ret_at)
{
	*ret = v->name;
	*ret_at = place_of_name(v);
	if (!has_prefix(v->name, prefix) || !v->name[strlen(prefix)])
		return fault_at(r, *ret_at, "%s[\"%.60s\"]: the name must start with \"%s\"",
			section, v->name, prefix);
	if (strlen(v->name) > NAME_MAX_LEN)
		return fault_at(
			r, *ret_at, "%s: the name is longer than %d bytes", section, NAME_MAX_LEN);
	return 0;
}

int doc_read_group(struct reader *r, const struct hujson *v, void *dst)
{
	struct group *g = dst;
	int rc = named(r, v, "groups", "group:", &g->name, &g->at);

	if (rc < 0)
		return rc;
	if (v->kind != HUJSON_ARRAY)
		return fault_on(r, v,
			"group value must be an array of users: group \"%.60s\" got %s", g->name,
			hujson_kind_text(v->kind));
	return read_terms(r, v, &g->members);
}

int doc_read_host(struct reader *r, const struct hujson *v, void *dst)
{
	struct host *h = dst;
	struct doc_text t;
	struct term where;
	int rc = read_text(r, v, &t);

	if (rc < 0)
		return rc;
	h->name = v->name;
	h->at = place_of_name(v);
	if (!*h->name || strpbrk(h->name, "@:") || strcmp(h->name, "*") == 0)
		return fault_at(r, h->at,
			"hosts[\"%.60s\"]: the name of a host must not be empty or * and has no @ and no :",
			h->name);
	if (term_try(r->a, t.s, strlen(t.s), t.at, &where) < 0 || where.kind != TERM_PREFIX)
		return fault_at(r, t.at,
			"hostname contains invalid IP address: hostname \"%.60s\" address \"%.60s\"",
			h->name, t.s);
	h->prefix = where.prefix;
	return 0;
}

/* "add 10.0.0.0/8", "remove 10.1.0.0/16"; without a word: add. */
static int read_ipset_op(struct reader *r, const struct hujson *v, void *dst)
{
	struct ipset_op *op = dst;
	struct doc_text t;
	const char *s;
	int rc = read_text(r, v, &t);

	if (rc < 0)
		return rc;
	s = t.s;
	op->remove = has_prefix(s, "remove ");
	if (op->remove || has_prefix(s, "add "))
		s = strchr(s, ' ') + 1;
	rc = term_parse(r, s, strlen(s), t.at, &op->what);
	if (rc == 0 && op->what.kind != TERM_PREFIX && op->what.kind != TERM_HOST &&
		op->what.kind != TERM_IPSET)
		return fault_at(r, t.at,
			"\"%.80s\": an ipset is made of addresses, CIDRs, hosts and other ipsets",
			t.s);
	return rc;
}

int doc_read_ipset(struct reader *r, const struct hujson *v, void *dst)
{
	struct ipset *s = dst;
	int rc = named(r, v, "ipsets", "ipset:", &s->name, &s->at);

	if (rc == 0)
		rc = read_items(r, v, HUJSON_ARRAY, sizeof(*s->ops), "an ipset", read_ipset_op,
			(void **)&s->ops, &s->n_ops);
	if (rc == 0 && s->n_ops > OPS_MAX)
		rc = fault_on(r, v, "an ipset has at most %d parts", OPS_MAX);
	return rc;
}

int doc_read_tag_owner(struct reader *r, const struct hujson *v, void *dst)
{
	struct tag_owner *t = dst;
	int rc = named(r, v, "tagOwners", "tag:", &t->tag, &t->at);
	char c = v->name[0] ? ascii_lower(v->name[strlen("tag:") < strlen(v->name) ? 4 : 0]) : 0;

	if (rc < 0)
		return rc;
	if (c < 'a' || c > 'z')
		return fault_at(r, t->at,
			"tagOwners[\"%.60s\"]: tag names must start with a letter, after 'tag:'",
			t->tag);
	return read_terms(r, v, &t->owners);
}

static int read_approver(struct reader *r, const struct hujson *v, void *dst)
{
	struct approver *a = dst;
	struct ipprefix p;
	struct ipaddr ip;

	a->at = place_of_name(v);
	if (ipaddr_parse(v->name, strlen(v->name), &ip) == 0)
		p = ipprefix_single(ip);
	else if (ipprefix_parse(v->name, strlen(v->name), &p) < 0)
		return fault_at(r, a->at,
			"autoApprovers.routes: \"%.60s\" is not a CIDR such as 10.0.0.0/8",
			v->name);
	a->prefix = ipprefix_masked(p);
	return read_terms(r, v, &a->who);
}

static int read_approved_routes(struct reader *r, const struct hujson *v, void *dst)
{
	struct policy_doc *d = dst;

	return read_items(r, v, HUJSON_OBJECT, sizeof(*d->approvers), "routes", read_approver,
		(void **)&d->approvers, &d->n_approvers);
}

/* Approvers of services are checked for shape; services themselves are defined outside of the
 * policy. */
static int read_approved_service(struct reader *r, const struct hujson *v, void *dst)
{
	const char *name;
	struct place at;
	int rc = named(r, v, "autoApprovers.services", "svc:", &name, &at);

	if (rc < 0 && has_prefix(v->name, "tag:"))
		rc = 0;
	return rc < 0 ? rc : read_terms(r, v, dst);
}

static int read_approved_services(struct reader *r, const struct hujson *v, void *dst)
{
	struct terms *who;
	size_t n;

	(void)dst;
	return read_items(r, v, HUJSON_OBJECT, sizeof(*who), "services", read_approved_service,
		(void **)&who, &n);
}

static const struct member approver_members[] = {
	{ "routes", read_approved_routes, 0 },
	{ "exitNode", read_terms, offsetof(struct policy_doc, exit_approvers) },
	{ "services", read_approved_services, 0 },
};

int doc_read_auto_approvers(struct reader *r, const struct hujson *v, void *dst)
{
	return read_members(
		r, v, approver_members, ARRAY_LEN(approver_members), dst, "autoApprovers");
}

static int read_condition(struct reader *r, const struct hujson *v, void *dst)
{
	struct doc_text t;
	const char *why;
	int rc = read_text(r, v, &t);

	if (rc < 0)
		return rc;
	rc = posture_parse(r->a, t.s, dst, &why);
	if (rc == -ENOMEM)
		return fault_no_memory(r);
	return rc < 0 ? fault_at(r, t.at, "posture condition \"%.70s\": %s", t.s, why) : 0;
}

int doc_read_posture(struct reader *r, const struct hujson *v, void *dst)
{
	struct posture *p = dst;
	int rc = named(r, v, "postures", "posture:", &p->name, &p->at);

	return rc < 0 ? rc
		      : read_items(r, v, HUJSON_ARRAY, sizeof(*p->terms), "a posture",
				read_condition, (void **)&p->terms, &p->n_terms);
}

/* Handed out are addresses of the tailnet's own range, without what has a meaning of its own. */
static int read_pool(struct reader *r, const struct hujson *v, void *dst)
{
	static const struct ipprefix cgnat = { { 4, { 100, 64 } }, 10 };
	static const struct ipprefix reserved[] = { { { 4, { 100, 100, 100 } }, 24 },
		{ { 4, { 100, 115, 92 } }, 23 } };
	struct ipprefix *p = dst;
	struct doc_text t;
	int rc = read_text(r, v, &t);

	if (rc < 0)
		return rc;
	if (ipprefix_parse(t.s, strlen(t.s), p) < 0)
		return fault_at(r, t.at, "IPPool(%.50s): not a CIDR such as 100.81.0.0/16", t.s);
	*p = ipprefix_masked(*p);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (ipprefix_overlaps(*p, reserved[i]) && p->bits >= reserved[i].bits)
			return fault_at(
				r, t.at, "IPPool(%.50s): network within reserved range", t.s);
	if (p->bits < cgnat.bits || !ipprefix_contains(cgnat, p->ip))
		return fault_at(r, t.at, "IPPool(%.50s): must lie within 100.64.0.0/10", t.s);
	return 0;
}

static int read_pools(struct reader *r, const struct hujson *v, void *dst)
{
	struct node_attr *a = dst;

	return read_items(r, v, HUJSON_ARRAY, sizeof(*a->pools), "ipPool", read_pool,
		(void **)&a->pools, &a->n_pools);
}

static const struct member node_attr_members[] = {
	{ "target", read_terms, offsetof(struct node_attr, target) },
	{ "attr", read_texts, offsetof(struct node_attr, attr) },
	{ "app", read_app, offsetof(struct node_attr, app) },
	{ "ipPool", read_pools, 0 },
};

int doc_read_node_attr(struct reader *r, const struct hujson *v, void *dst)
{
	struct node_attr *a = dst;

	a->at = place_of(v);
	return read_members(
		r, v, node_attr_members, ARRAY_LEN(node_attr_members), a, "a nodeAttrs entry");
}

static const struct member attr_config_members[] = {
	{ "type", read_string, offsetof(struct attr_config, type) },
	{ "allowSetByNode", read_bool, offsetof(struct attr_config, allow_set_by_node) },
	{ "broadcastToPeers", read_terms, offsetof(struct attr_config, broadcast) },
};

int doc_read_attr_config(struct reader *r, const struct hujson *v, void *dst)
{
	struct attr_config *c = dst;
	int rc = named(r, v, "attrConfig", "custom:", &c->key, &c->at);

	if (rc == 0)
		rc = read_members(r, v, attr_config_members, ARRAY_LEN(attr_config_members), c,
			"an attrConfig entry");
	if (rc == 0 && c->type && strcmp(c->type, "string") != 0 && strcmp(c->type, "bool") != 0 &&
		strcmp(c->type, "number") != 0)
		rc = fault_at(r, c->at,
			"attrConfig[\"%.60s\"]: type must be \"string\", \"bool\" or \"number\"",
			c->key);
	return rc;
}
