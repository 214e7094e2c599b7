/* core/policy/lang: the top of a document: its sections, in any order. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { DOC_MEM_MAX = 256 << 20 }; /* the tree of an 8 MiB text, and what is made of it */

#define SECTION(fn, kind, field, count, type, each) \
	static int fn(struct reader *r, const struct hujson *v, void *dst) \
	{ \
		struct policy_doc *d = dst; \
\
		return read_items( \
			r, v, kind, sizeof(type), v->name, each, (void **)&d->field, &d->count); \
	}

SECTION(read_acls, HUJSON_ARRAY, acls, n_acls, struct acl, doc_read_acl)
SECTION(read_grants, HUJSON_ARRAY, grants, n_grants, struct grant, doc_read_grant)
SECTION(read_ssh, HUJSON_ARRAY, ssh, n_ssh, struct ssh_rule, doc_read_ssh_rule)
SECTION(read_node_attrs, HUJSON_ARRAY, node_attrs, n_node_attrs, struct node_attr,
	doc_read_node_attr)
SECTION(read_groups, HUJSON_OBJECT, groups, n_groups, struct group, doc_read_group)
SECTION(read_hosts, HUJSON_OBJECT, hosts, n_hosts, struct host, doc_read_host)
SECTION(read_ipsets, HUJSON_OBJECT, ipsets, n_ipsets, struct ipset, doc_read_ipset)
SECTION(read_tag_owners, HUJSON_OBJECT, tag_owners, n_tag_owners, struct tag_owner,
	doc_read_tag_owner)
SECTION(read_postures, HUJSON_OBJECT, postures, n_postures, struct posture, doc_read_posture)
SECTION(read_tests, HUJSON_ARRAY, tests, n_tests, struct acl_test, doc_read_acl_test)
SECTION(read_ssh_tests, HUJSON_ARRAY, ssh_tests, n_ssh_tests, struct ssh_test, doc_read_ssh_test)
SECTION(read_attr_configs, HUJSON_OBJECT, attr_configs, n_attr_configs, struct attr_config,
	doc_read_attr_config)

/* The client knows two forms; the empty text leaves the choice to it. */
static int read_one_cgnat(struct reader *r, const struct hujson *v, void *dst)
{
	const char **s = dst;
	int rc = read_string(r, v, s);

	if (rc < 0)
		return rc;
	if (**s && strcmp(*s, "mac-always") != 0 && strcmp(*s, "mac-never") != 0)
		return fault_on(
			r, v, "\"OneCGNATRoute\" must be \"\", \"mac-always\" or \"mac-never\"");
	return 0;
}

static const struct member sections[] = {
	{ "acls", read_acls, 0 },
	{ "grants", read_grants, 0 },
	{ "groups", read_groups, 0 },
	{ "hosts", read_hosts, 0 },
	{ "ipsets", read_ipsets, 0 },
	{ "tagOwners", read_tag_owners, 0 },
	{ "autoApprovers", doc_read_auto_approvers, 0 },
	{ "ssh", read_ssh, 0 },
	{ "nodeAttrs", read_node_attrs, 0 },
	{ "postures", read_postures, 0 },
	{ "defaultSrcPosture", read_texts, offsetof(struct policy_doc, default_posture) },
	{ "tests", read_tests, 0 },
	{ "sshTests", read_ssh_tests, 0 },
	{ "attrConfig", read_attr_configs, 0 },
	{ "derpMap", doc_read_derp_map, offsetof(struct policy_doc, derp_map) },
	{ "randomizeClientPort", read_bool, offsetof(struct policy_doc, randomize_client_port) },
	{ "disableIPv4", read_bool, offsetof(struct policy_doc, disable_ipv4) },
	{ "OneCGNATRoute", read_one_cgnat, offsetof(struct policy_doc, one_cgnat) },
};

static bool named(const struct hujson *v, const char *name)
{
	return text_ieq(v->name, strlen(v->name), name, strlen(name));
}

/* Absent and [] differ: the first leaves all open, the second closes all. */
static void note_present(struct policy_doc *d, const struct hujson *root)
{
	hujson_for_each(c, root)
	{
		if (c->kind == HUJSON_NULL)
			continue;
		d->has_acls |= named(c, "acls");
		d->has_grants |= named(c, "grants");
		d->has_ssh |= named(c, "ssh");
	}
}

static int read_doc(struct reader *r, struct policy_doc *d)
{
	struct hujson *root;
	int rc;

	if (d->text_len == 0)
		return 0; /* no policy at all: all open */
	rc = hujson_parse(d->text, d->text_len, &d->mem, &root, r->at);
	if (rc < 0)
		return rc;
	if (root->kind != HUJSON_OBJECT)
		return read_wrong_kind(r, root, "an object with the sections of a policy");
	note_present(d, root);
	rc = read_members(r, root, sections, ARRAY_LEN(sections), d, "a policy");
	return rc < 0 ? rc : doc_check(r);
}

int policy_doc_parse(struct policy_doc **ret, const void *text, size_t len, struct err_at *at)
{
	struct policy_doc *d = calloc(1, sizeof(*d));
	struct reader r = { .doc = d, .at = at };
	int rc;

	if (!d)
		return fault_no_memory(&r);
	arena_init(&d->mem, DOC_MEM_MAX);
	r.a = &d->mem;
	d->text_len = len;
	if (len > HUJSON_MAX) {
		err_at_set(at, 1, 1, "the policy is larger than 8 MiB");
		rc = -ERR_TOO_BIG;
	} else {
		d->text = arena_strndup(&d->mem, text, len);
		rc = d->text ? read_doc(&r, d) : fault_no_memory(&r);
	}
	if (rc < 0) {
		policy_doc_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}
