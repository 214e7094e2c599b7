/* core/policy/lang: acls and grants as they are read. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

/* An ACL entry between its members: the protocol is wanted before the destinations can be judged.
 */
struct raw_acl {
	struct doc_text action, proto;
	struct terms src;
	struct doc_texts dst, postures;
	bool has_postures;
};

static int read_postures(struct reader *r, const struct hujson *v, void *dst)
{
	struct doc_texts *t = dst;

	return read_texts(r, v, t);
}

static const struct member acl_members[] = {
	{ "action", read_text, offsetof(struct raw_acl, action) },
	{ "proto", read_text, offsetof(struct raw_acl, proto) },
	{ "src", read_terms, offsetof(struct raw_acl, src) },
	{ "users", read_terms, offsetof(struct raw_acl, src) }, /* the names of before 2022 */
	{ "dst", read_texts, offsetof(struct raw_acl, dst) },
	{ "ports", read_texts, offsetof(struct raw_acl, dst) },
	{ "srcPosture", read_postures, offsetof(struct raw_acl, postures) },
	{ "#", read_skip, 0 },
};

static int read_acl_dst(struct reader *r, const struct doc_text *t, int proto,
	const char *proto_text, struct acl_dst *ret)
{
	const char *sel, *ports, *why;
	int rc = ports_split_dst(r->a, t->s, &sel, &ports, &why);

	if (rc == -ERR_BAD_VALUE)
		return fault_at(r, t->at, "dst=\"%.80s\": %s; write selector:ports", t->s, why);
	if (rc == 0)
		rc = ports_parse(r->a, ports, strlen(ports), &ret->ports, &why);
	if (rc == -ERR_BAD_VALUE)
		return fault_at(
			r, t->at, "dst=\"%.60s\": port range \"%.40s\": %s", t->s, ports, why);
	if (rc < 0)
		return fault_no_memory(r);
	if (!ports_used_by(proto) && !ports_are_all(&ret->ports))
		return fault_at(r, t->at,
			"protocol does not support specific ports: \"%.20s\", only \"*\" is allowed",
			proto_text);
	rc = term_parse(r, sel, strlen(sel), t->at, &ret->term);
	if (rc == 0 && strcmp(ret->term.full, sel) != 0)
		return fault_at(r, t->at,
			"invalid alias format: \"%.60s\": there is a blank around the selector",
			sel);
	return rc;
}

static int check_action(struct reader *r, const struct doc_text *t, struct place entry)
{
	if (!t->s)
		return fault_at(r, entry, "action is missing; write \"action\": \"accept\"");
	if (strcmp(t->s, "accept") != 0)
		return fault_at(r, t->at,
			"action=\"%.40s\" is not supported; the only action is \"accept\", and what no entry "
			"accepts is denied",
			t->s);
	return 0;
}

int doc_read_acl(struct reader *r, const struct hujson *v, void *dst)
{
	struct acl *acl = dst;
	struct raw_acl raw = { 0 };
	const char *why;
	int rc = read_members(r, v, acl_members, ARRAY_LEN(acl_members), &raw, "an acls entry");

	if (rc == 0)
		rc = check_action(r, &raw.action, place_of(v));
	if (rc < 0)
		return rc;
	*acl = (struct acl){ .at = place_of(v),
		.src = raw.src,
		.postures = raw.postures,
		.has_postures = raw.postures.present,
		.n_dst = raw.dst.n,
		.proto = PROTO_ANY };
	if (raw.proto.s &&
		ports_parse_proto(raw.proto.s, strlen(raw.proto.s), true, &acl->proto, &why) < 0)
		return fault_at(r, raw.proto.at, "proto name \"%.30s\" %s", raw.proto.s, why);
	acl->dst = arena_array(r->a, raw.dst.n + 1, sizeof(*acl->dst));
	if (!acl->dst)
		return fault_no_memory(r);
	for (size_t i = 0; i < raw.dst.n && rc == 0; i++)
		rc = read_acl_dst(r, &raw.dst.v[i], acl->proto, raw.proto.s, &acl->dst[i]);
	return rc;
}

/* "*", "443", "80-443", "tcp:443", "icmp:*". */
static int read_ip_entry(struct reader *r, const struct hujson *v, void *dst)
{
	struct ip_entry *e = dst;
	struct doc_text t;
	const char *colon, *ports, *why = NULL;
	int rc = read_text(r, v, &t);

	if (rc < 0)
		return rc;
	colon = strchr(t.s, ':');
	ports = colon ? colon + 1 : t.s;
	e->proto = PROTO_ANY;
	if (colon && strchr(ports, ':'))
		return fault_at(r, t.at,
			"\"%.60s\": expected only one colon in Internet protocol and port type",
			t.s);
	if (colon == t.s || (colon && ports_parse_proto(t.s, (size_t)(colon - t.s), false,
					      &e->proto, &why) < 0))
		return fault_at(r, t.at, "\"%.40s\": protocol name \"%.*s\" %s", t.s,
			(int)MIN_OF(colon - t.s, 20), t.s,
			why ? why : "is missing before the colon");
	rc = ports_parse(r->a, ports, strlen(ports), &e->ports, &why);
	if (rc == -ENOMEM)
		return fault_no_memory(r);
	if (rc < 0)
		return fault_at(r, t.at, "port range \"%.40s\": %s", ports, why);
	if (!ports_used_by(e->proto) && !ports_are_all(&e->ports))
		return fault_at(r, t.at,
			"protocol does not support specific ports: \"%.*s\", only \"*\" is allowed",
			(int)(colon - t.s), t.s);
	return 0;
}

static int read_ip(struct reader *r, const struct hujson *v, void *dst)
{
	struct grant *g = dst;

	return read_items(
		r, v, HUJSON_ARRAY, sizeof(*g->ip), "ip", read_ip_entry, (void **)&g->ip, &g->n_ip);
}

static const struct member grant_members[] = {
	{ "src", read_terms, offsetof(struct grant, src) },
	{ "dst", read_terms, offsetof(struct grant, dst) },
	{ "ip", read_ip, 0 },
	{ "app", read_app, offsetof(struct grant, app) },
	{ "via", read_terms, offsetof(struct grant, via) },
	{ "srcPosture", read_postures, offsetof(struct grant, postures) },
};

int doc_read_grant(struct reader *r, const struct hujson *v, void *dst)
{
	struct grant *g = dst;
	int rc;

	g->at = place_of(v);
	rc = read_members(r, v, grant_members, ARRAY_LEN(grant_members), g, "a grant");
	g->has_postures = g->postures.present;
	return rc;
}
