/* core/policy/lang: what a document says about itself must hold together: names exist, and stand where
 * they may. */
#include "core/policy/lang/internal.h"
#include "base/map/map.h"
#include "base/text/text.h"
#include "core/policy/sets/ranges.h"

#include <errno.h>

enum { IPSET_PREFIXES_MAX = 100000 };

/* Where a selector stands; what may stand there is in `allowed`. */
enum spot {
	SPOT_SRC,
	SPOT_ACL_DST,
	SPOT_GRANT_DST,
	SPOT_SSH_SRC,
	SPOT_SSH_DST,
	SPOT_OWNER,
	SPOT_APPROVER,
	SPOT_TARGET,
	SPOT_MEMBER, /* of a group */
	SPOT_BROADCAST,
	SPOT_IPSET,
};

#define BIT(k) (1u << (k))
enum {
	NODES = BIT(TERM_USER) | BIT(TERM_GROUP) | BIT(TERM_TAG) | BIT(TERM_AUTOGROUP),
	PLACES = BIT(TERM_PREFIX) | BIT(TERM_HOST) | BIT(TERM_IPSET) | BIT(TERM_STAR),
	ROLES = BIT(AG_OWNER) | BIT(AG_ADMIN) | BIT(AG_IT_ADMIN) | BIT(AG_NETWORK_ADMIN) |
		BIT(AG_BILLING_ADMIN) | BIT(AG_AUDITOR),
};

static const struct {
	unsigned kinds, autogroups;
	const char *what;
} allowed[] = {
	[SPOT_SRC] = { NODES | PLACES | BIT(TERM_DOMAIN),
		ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED) | BIT(AG_DANGER_ALL) | BIT(AG_SHARED),
		"the src of a rule" },
	[SPOT_ACL_DST] = { NODES | PLACES | BIT(TERM_DOMAIN) | BIT(TERM_SERVICE),
		ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED) | BIT(AG_SELF) | BIT(AG_INTERNET),
		"the dst of a rule" },
	[SPOT_GRANT_DST] = { NODES | PLACES | BIT(TERM_DOMAIN) | BIT(TERM_SERVICE),
		ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED) | BIT(AG_SELF) | BIT(AG_INTERNET),
		"the dst of a grant" },
	[SPOT_SSH_SRC] = { NODES | PLACES | BIT(TERM_DOMAIN),
		ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED), "the src of an ssh rule" },
	[SPOT_SSH_DST] = { BIT(TERM_USER) | BIT(TERM_TAG) | BIT(TERM_AUTOGROUP),
		BIT(AG_MEMBER) | BIT(AG_TAGGED) | BIT(AG_SELF), "the dst of an ssh rule" },
	[SPOT_OWNER] = { NODES, ROLES | BIT(AG_MEMBER), "tagOwners" },
	[SPOT_APPROVER] = { NODES, ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED), "autoApprovers" },
	[SPOT_TARGET] = { NODES | PLACES | BIT(TERM_DOMAIN),
		ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED), "the target of nodeAttrs" },
	[SPOT_MEMBER] = { BIT(TERM_USER), 0, "a group" },
	[SPOT_BROADCAST] = { NODES | BIT(TERM_STAR), ROLES | BIT(AG_MEMBER) | BIT(AG_TAGGED),
		"broadcastToPeers" },
	[SPOT_IPSET] = { BIT(TERM_PREFIX) | BIT(TERM_HOST) | BIT(TERM_IPSET), 0, "an ipset" },
};

/* Sections are looked up once per selector: linear search would make large documents quadratic. */
struct named {
	struct map_node node;
	void *thing;
};

struct checker {
	struct reader *r;
	struct policy_doc *d;
	struct map names; /* group:, tag:, ipset:, posture: by their prefix, hosts bare */
};

static int add_name(struct checker *c, const char *name, void *thing)
{
	struct named *n = arena_new(c->r->a, struct named);

	if (!n)
		return fault_no_memory(c->r);
	n->thing = thing;
	return map_insert(&c->names, &n->node, name, strlen(name)) < 0 ? fault_no_memory(c->r) : 0;
}

static int add_names(struct checker *c)
{
	struct policy_doc *d = c->d;
	int rc = 0;

	for (size_t i = 0; i < d->n_groups && rc == 0; i++)
		rc = add_name(c, d->groups[i].name, &d->groups[i]);
	for (size_t i = 0; i < d->n_hosts && rc == 0; i++)
		rc = add_name(c, d->hosts[i].name, &d->hosts[i]);
	for (size_t i = 0; i < d->n_ipsets && rc == 0; i++)
		rc = add_name(c, d->ipsets[i].name, &d->ipsets[i]);
	for (size_t i = 0; i < d->n_tag_owners && rc == 0; i++)
		rc = add_name(c, d->tag_owners[i].tag, &d->tag_owners[i]);
	for (size_t i = 0; i < d->n_postures && rc == 0; i++)
		rc = add_name(c, d->postures[i].name, &d->postures[i]);
	return rc;
}

static void *name_find(const struct checker *c, const char *name)
{
	struct map_node *n = map_find(&c->names, name, strlen(name));

	return n ? container_of(n, struct named, node)->thing : NULL;
}

static int misplaced(struct checker *c, const struct term *t, enum spot spot)
{
	if (spot == SPOT_SRC && t->kind == TERM_AUTOGROUP &&
		(t->ag == AG_SELF || t->ag == AG_INTERNET))
		return fault_at(
			c->r, t->at, "\"%.60s\" not valid on the src side of a rule", t->full);
	if (t->kind == TERM_AUTOGROUP && t->ag == AG_DANGER_ALL &&
		(spot == SPOT_ACL_DST || spot == SPOT_GRANT_DST))
		return fault_at(c->r, t->at,
			"cannot use autogroup:danger-all as a dst; write * or autogroup:internet");
	if (spot == SPOT_SSH_DST)
		return fault_at(c->r, t->at,
			"invalid dst \"%.60s\": write a tag, autogroup:self, autogroup:member, autogroup:tagged or "
			"a user",
			t->full);
	if (spot == SPOT_MEMBER && t->kind == TERM_GROUP)
		return fault_at(c->r, t->at,
			"\"%.60s\": group members cannot be recursive; list the users", t->full);
	if (spot == SPOT_MEMBER)
		return fault_at(c->r, t->at,
			"username must contain @, got: \"%.60s\"; write \"%.60s@\"", t->full,
			t->full);
	return fault_at(c->r, t->at, "\"%.60s\" cannot stand in %s", t->full, allowed[spot].what);
}

static int unknown_name(struct checker *c, const struct term *t, enum spot spot)
{
	if (t->kind == TERM_TAG && spot == SPOT_SRC)
		return fault_at(c->r, t->at, "src=tag not found: \"%.60s\"; define it in tagOwners",
			t->full);
	if (t->kind == TERM_TAG && (spot == SPOT_ACL_DST || spot == SPOT_GRANT_DST))
		return fault_at(c->r, t->at,
			"dst=\"%.50s\": tag not found: \"%.50s\"; define it in tagOwners", t->full,
			t->full);
	if (t->kind == TERM_TAG)
		return fault_at(
			c->r, t->at, "tag not found: \"%.60s\"; define it in tagOwners", t->full);
	if (t->kind == TERM_GROUP)
		return fault_at(c->r, t->at,
			"group not defined in policy: \"%.60s\"; define it in groups", t->full);
	if (t->kind == TERM_HOST && spot == SPOT_TARGET)
		return fault_at(c->r, t->at,
			"\"%.60s\": invalid address, and no host of this name in hosts; a user is written with an @: "
			"\"%.60s@\"",
			t->full, t->full);
	if (t->kind == TERM_HOST)
		return fault_at(c->r, t->at,
			"host not defined in policy: \"%.60s\"; define it in hosts. Or is it a user? Users are "
			"written with an @: \"%.60s@\"",
			t->full, t->full);
	return fault_at(c->r, t->at, "ipset not defined in policy: \"%.60s\"; define it in ipsets",
		t->full);
}

static int check_term(struct checker *c, const struct term *t, enum spot spot)
{
	if (!(allowed[spot].kinds & BIT(t->kind)) ||
		(t->kind == TERM_AUTOGROUP && !(allowed[spot].autogroups & BIT(t->ag))))
		return misplaced(c, t, spot);
	if (t->kind == TERM_SERVICE)
		return fault_at(c->r, t->at,
			"\"%.60s\": services cannot be named in a policy yet; name the hosts instead",
			t->full);
	if ((t->kind == TERM_GROUP || t->kind == TERM_TAG || t->kind == TERM_HOST ||
		    t->kind == TERM_IPSET) &&
		!name_find(c, t->full))
		return unknown_name(c, t, spot);
	return 0;
}

static int check_terms(struct checker *c, const struct terms *t, enum spot spot)
{
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++)
		rc = check_term(c, &t->v[i], spot);
	return rc;
}

static bool is_autogroup(const struct term *t, enum autogroup ag)
{
	return t->kind == TERM_AUTOGROUP && t->ag == ag;
}

/* autogroup:self is for people: everything else in src would make a rule that can never match. */
static int check_self_src(struct checker *c, const struct terms *src, bool star_allowed)
{
	for (size_t i = 0; i < src->n; i++) {
		const struct term *t = &src->v[i];

		if (t->kind == TERM_USER || t->kind == TERM_GROUP || t->kind == TERM_DOMAIN ||
			(t->kind == TERM_STAR && star_allowed) ||
			(t->kind == TERM_AUTOGROUP && (ROLES | BIT(AG_MEMBER)) & BIT(t->ag)))
			continue;
		return fault_at(c->r, t->at,
			"autogroup:self can only be used with users, groups, or supported autogroups; \"%.40s\" is "
			"none",
			t->full);
	}
	return 0;
}

static int check_postures(struct checker *c, const struct doc_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (strncmp(t->v[i].s, "posture:", 8) != 0 || !name_find(c, t->v[i].s))
			return fault_at(c->r, t->v[i].at,
				"posture not defined in policy: \"%.60s\"; define it in postures",
				t->v[i].s);
	return 0;
}

static int check_acl(struct checker *c, const struct acl *a)
{
	int rc = check_terms(c, &a->src, SPOT_SRC);

	for (size_t i = 0; i < a->n_dst && rc == 0; i++) {
		rc = check_term(c, &a->dst[i].term, SPOT_ACL_DST);
		if (rc == 0 && is_autogroup(&a->dst[i].term, AG_SELF))
			rc = check_self_src(c, &a->src, true);
	}
	return rc < 0 ? rc : check_postures(c, &a->postures);
}

static int check_capability(struct checker *c, const struct app_cap *cap)
{
	static const char *const ours[] = { "drive", "relay", "webui", "kubernetes", "tsidp",
		"secrets", "golink" };
	static const char domain[] = "tailscale.com/", path[] = "tailscale.com/cap/";
	const char *slash = strchr(cap->name, '/');

	if (strstr(cap->name, "://") || !slash || slash == cap->name || !slash[1])
		return fault_at(
			c->r, cap->at, "capability name must have the form {domain}/{path}");
	if (strncmp(cap->name, domain, strlen(domain)) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strncmp(cap->name, path, strlen(path)) == 0 &&
			strcmp(cap->name + strlen(path), ours[i]) == 0)
			return 0;
	return fault_at(c->r, cap->at, "capability name must not be in the tailscale.com domain");
}

static int check_grant_dst(struct checker *c, const struct grant *g)
{
	for (size_t i = 0; i < g->dst.n; i++) {
		const struct term *t = &g->dst.v[i];
		int rc = check_term(c, t, SPOT_GRANT_DST);

		if (rc < 0)
			return rc;
		if (t->kind == TERM_PREFIX && t->prefix.bits == 0)
			return fault_at(c->r, t->at,
				"dst \"%.40s\": to allow all IP addresses, use \"*\" or \"autogroup:internet\"",
				t->full);
		if (is_autogroup(t, AG_INTERNET) && g->app.n)
			return fault_at(
				c->r, t->at, "cannot use app grants with autogroup:internet");
		rc = is_autogroup(t, AG_SELF) ? check_self_src(c, &g->src, false) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_grant(struct checker *c, const struct grant *g)
{
	int rc = check_terms(c, &g->src, SPOT_SRC);

	if (rc == 0 && g->n_ip == 0 && g->app.n == 0)
		rc = fault_at(c->r, g->at, "ip and app can not both be empty");
	if (rc == 0)
		rc = check_grant_dst(c, g);
	for (size_t i = 0; i < g->app.n && rc == 0; i++)
		rc = check_capability(c, &g->app.v[i]);
	for (size_t i = 0; i < g->via.n && rc == 0; i++) {
		const struct term *t = &g->via.v[i];

		if (t->kind != TERM_TAG)
			rc = fault_at(c->r, t->at, "via can only be a tag, not \"%.60s\"", t->full);
		else if (!name_find(c, t->full))
			rc = fault_at(c->r, t->at,
				"tag \"%.60s\" not found; define it in tagOwners", t->full);
	}
	return rc < 0 ? rc : check_postures(c, &g->postures);
}

static bool is_tagged(const struct term *t)
{
	return t->kind == TERM_TAG || is_autogroup(t, AG_TAGGED);
}

/* A service account must not become a person. */
static int check_ssh_pair(struct checker *c, const struct term *src, const struct term *dst)
{
	if (is_tagged(src) && !is_tagged(dst))
		return fault_at(c->r, dst->at,
			"tags in SSH source cannot access user-owned devices (%.40s); use autogroup:tagged or "
			"specific tags as destinations instead",
			dst->full);
	if (dst->kind == TERM_USER && (src->kind != TERM_USER || strcmp(src->text, dst->text) != 0))
		return fault_at(c->r, dst->at,
			"user destination requires source to contain only that same user \"%.40s\"; use "
			"autogroup:self instead for same-user SSH access",
			dst->full);
	return 0;
}

static int check_ssh(struct checker *c, const struct ssh_rule *s)
{
	int rc = check_terms(c, &s->src, SPOT_SSH_SRC);

	if (rc == 0)
		rc = check_terms(c, &s->dst, SPOT_SSH_DST);
	for (size_t i = 0; i < s->src.n; i++)
		for (size_t j = 0; j < s->dst.n && rc == 0; j++)
			rc = check_ssh_pair(c, &s->src.v[i], &s->dst.v[j]);
	for (size_t i = 0; i < s->recorder.n && rc == 0; i++)
		if (!doc_tag(c->d, s->recorder.v[i].s))
			rc = fault_at(c->r, s->recorder.v[i].at,
				"recorder: tag not found: \"%.60s\"; define it in tagOwners",
				s->recorder.v[i].s);
	return rc;
}

static int check_node_attr(struct checker *c, const struct node_attr *a)
{
	int rc = check_terms(c, &a->target, SPOT_TARGET);

	for (size_t i = 0; i < a->attr.n && rc == 0; i++)
		if (!*a->attr.v[i].s)
			rc = fault_at(c->r, a->attr.v[i].at, "an attribute has no name");
	return rc;
}

static int check_owners(struct checker *c, const struct tag_owner *t)
{
	for (size_t i = 0; i < t->owners.n; i++) {
		const struct term *o = &t->owners.v[i];
		int rc;

		if (o->kind == TERM_TAG && !name_find(c, o->full))
			return fault_at(c->r, o->at,
				"tag \"%.50s\" references undefined tag \"%.50s\"; define it in tagOwners",
				t->tag, o->full);
		rc = check_term(c, o, SPOT_OWNER);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The elements that a destination of an SSH test may be, before it is asked whether there is a
 * node. */
static int check_ssh_test(struct checker *c, const struct ssh_test *t)
{
	for (size_t i = 0; i < t->dst.n; i++) {
		const struct term *d = &t->dst.v[i];
		const struct host *h = d->kind == TERM_HOST ? name_find(c, d->full) : NULL;
		bool wide = d->kind == TERM_PREFIX && strchr(d->full, '/');

		wide |= h && h->prefix.bits != ipaddr_bits(h->prefix.ip);
		wide |= d->kind == TERM_STAR || d->kind == TERM_IPSET || d->kind == TERM_SERVICE ||
			d->kind == TERM_DOMAIN;
		wide |= d->kind == TERM_AUTOGROUP && d->ag != AG_MEMBER && d->ag != AG_TAGGED &&
			d->ag != AG_SELF;
		if (wide)
			return fault_at(c->r, d->at,
				"SSH tests dst contains disallowed element \"%.60s\"", d->full);
		if (d->kind == TERM_TAG && !name_find(c, d->full))
			return fault_at(c->r, d->at, "SSH tests dst contains unknown tag \"%.60s\"",
				d->full);
	}
	return 0;
}

/* ipsets.c in small: what an ipset holds, operation by operation, other sets first. */
static int resolve_ipset(struct checker *c, struct ipset *s);

static int op_prefixes(struct checker *c, const struct ipset *of, const struct term *t,
	const struct ipprefix **ret, size_t *ret_n)
{
	int rc = check_term(c, t, SPOT_IPSET);

	if (rc < 0)
		return rc;
	*ret_n = 1;
	if (t->kind == TERM_PREFIX) {
		*ret = &t->prefix;
	} else if (t->kind == TERM_HOST) {
		*ret = &((struct host *)name_find(c, t->full))->prefix;
	} else {
		struct ipset *other = name_find(c, t->full);

		if (other->state == 1)
			return fault_at(c->r, t->at,
				"ipset \"%.60s\" contains itself through \"%.60s\"", of->name,
				t->full);
		rc = resolve_ipset(c, other);
		*ret = other->prefixes;
		*ret_n = other->n_prefixes;
	}
	return rc;
}

static int resolve_ipset(struct checker *c, struct ipset *s)
{
	struct ranges set = { 0 };
	int rc = 0;

	if (s->state == 2)
		return 0;
	s->state = 1;
	for (size_t i = 0; i < s->n_ops && rc == 0; i++) {
		const struct ipprefix *p = NULL;
		size_t n = 0;

		rc = op_prefixes(c, s, &s->ops[i].what, &p, &n);
		for (size_t k = 0; k < n && rc == 0; k++)
			if ((s->ops[i].remove ? ranges_remove : ranges_add)(
				    &set, iprange_of(p[k])) < 0)
				rc = fault_no_memory(c->r);
	}
	if (rc == 0 && ranges_prefixes(&set, c->r->a, &s->prefixes, &s->n_prefixes) < 0)
		rc = fault_no_memory(c->r);
	if (rc == 0 && s->n_prefixes > IPSET_PREFIXES_MAX)
		rc = fault_at(c->r, s->at, "ipset \"%.60s\" falls apart into more than %d CIDRs",
			s->name, IPSET_PREFIXES_MAX);
	ranges_fini(&set);
	s->state = 2;
	return rc;
}

/* The service names the parents in reverse order of their names, and reports the first. */
static int check_groups(struct checker *c)
{
	const struct policy_doc *d = c->d;
	const struct group *worst = NULL;

	for (size_t i = 0; i < d->n_groups; i++)
		for (size_t k = 0; k < d->groups[i].members.n; k++)
			if (d->groups[i].members.v[k].kind == TERM_GROUP &&
				(!worst || strcmp(worst->name, d->groups[i].name) < 0))
				worst = &d->groups[i];
	for (size_t k = 0; worst && k < worst->members.n; k++) {
		const struct term *t = &worst->members.v[k];

		if (t->kind == TERM_GROUP)
			return fault_at(c->r, t->at,
				"groups[\"%.50s\"]: \"%.50s\": group members cannot be recursive; list the users",
				worst->name, t->full);
	}
	for (size_t i = 0; i < d->n_groups; i++) {
		int rc = check_terms(c, &d->groups[i].members, SPOT_MEMBER);

		if (rc < 0)
			return rc;
	}
	return 0;
}

#define CHECK_ALL(count, expr) \
	for (size_t i = 0; i < d->count && rc == 0; i++) \
	rc = (expr)

static int check_all(struct checker *c)
{
	struct policy_doc *d = c->d;
	int rc = check_groups(c);

	CHECK_ALL(n_ipsets, resolve_ipset(c, &d->ipsets[i]));
	CHECK_ALL(n_tag_owners, check_owners(c, &d->tag_owners[i]));
	CHECK_ALL(n_approvers, check_terms(c, &d->approvers[i].who, SPOT_APPROVER));
	if (rc == 0)
		rc = check_terms(c, &d->exit_approvers, SPOT_APPROVER);
	if (rc == 0)
		rc = check_postures(c, &d->default_posture);
	CHECK_ALL(n_acls, check_acl(c, &d->acls[i]));
	CHECK_ALL(n_grants, check_grant(c, &d->grants[i]));
	CHECK_ALL(n_ssh, check_ssh(c, &d->ssh[i]));
	CHECK_ALL(n_node_attrs, check_node_attr(c, &d->node_attrs[i]));
	CHECK_ALL(n_attr_configs, check_terms(c, &d->attr_configs[i].broadcast, SPOT_BROADCAST));
	CHECK_ALL(n_ssh_tests, check_ssh_test(c, &d->ssh_tests[i]));
	return rc;
}

int doc_check(struct reader *r)
{
	static const uint8_t seed[16];
	struct checker c = { .r = r, .d = r->doc };
	int rc;

	map_init(&c.names, seed);
	rc = add_names(&c);
	if (rc == 0)
		rc = check_all(&c);
	map_fini(&c.names);
	return rc;
}
