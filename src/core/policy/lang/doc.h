/* core/policy/lang/doc: a policy document as it was read, every part with its place in the text.
 * Immutable once parsed. */
#ifndef WARREN_CORE_POLICY_LANG_DOC_H
#define WARREN_CORE_POLICY_LANG_DOC_H

#include "base/arena/arena.h"
#include "base/err/err.h"
#include "base/netip/netip.h"
#include "base/time/time.h"
#include "core/policy/policy.h"

struct place {
	unsigned line, column;
};

struct doc_text {
	const char *s;
	struct place at;
};

struct doc_texts {
	struct doc_text *v;
	size_t n;
	bool present; /* [] is present, null and absent are not */
};

enum autogroup {
	AG_MEMBER,
	AG_TAGGED,
	AG_INTERNET,
	AG_SELF,
	AG_DANGER_ALL,
	AG_NONROOT,
	AG_SHARED,
	AG_OWNER, /* the roles, in the order of enum policy_role from the top */
	AG_ADMIN,
	AG_IT_ADMIN,
	AG_NETWORK_ADMIN,
	AG_BILLING_ADMIN,
	AG_AUDITOR,
	N_AUTOGROUPS,
};

enum term_kind {
	TERM_PREFIX, /* addresses are /32 and /128; masked */
	TERM_STAR,
	TERM_DOMAIN, /* user:*@text */
	TERM_USER,   /* text without the trailing @ of names that have no domain */
	TERM_GROUP,  /* the whole text, here and below */
	TERM_TAG,
	TERM_AUTOGROUP,
	TERM_IPSET,
	TERM_SERVICE,
	TERM_HOST,
};

/* One selector. */
struct term {
	enum term_kind kind;
	enum autogroup ag;
	const char *text; /* what names the thing */
	const char *full; /* as written, trimmed */
	struct ipprefix prefix;
	struct place at;
};

struct terms {
	struct term *v;
	size_t n;
	bool present;
};

struct port_range {
	uint16_t first, last;
};

struct ports {
	struct port_range *v;
	size_t n;
};

enum { PROTO_ANY = -1 };

/* One entry of a grant's `ip`, or the ports of one destination of an ACL entry. */
struct ip_entry {
	int proto;
	struct ports ports;
};

struct acl_dst {
	struct term term;
	struct ports ports;
};

struct app_cap {
	const char *name;
	const char *values; /* JSON array, compact */
	struct place at;
};

struct app_caps {
	struct app_cap *v;
	size_t n;
};

struct acl {
	struct place at;
	int proto;
	struct terms src;
	struct acl_dst *dst;
	size_t n_dst;
	struct doc_texts postures;
	bool has_postures;
};

struct grant {
	struct place at;
	struct terms src, dst, via;
	struct ip_entry *ip;
	size_t n_ip;
	struct app_caps app;
	struct doc_texts postures;
	bool has_postures;
};

enum { CHECK_ALWAYS = 0, CHECK_DEFAULT = 12 * 3600, CHECK_MAX = 168 * 3600 }; /* seconds */

struct ssh_user {
	const char *name;
	const char *domain; /* of localpart:*@domain; NULL otherwise */
	struct place at;
};

struct ssh_rule {
	struct place at;
	bool check;
	int64_t period; /* seconds; CHECK_ALWAYS */
	struct terms src, dst;
	struct ssh_user *users;
	size_t n_users;
	struct doc_texts accept_env, recorder;
	bool enforce_recorder;
};

struct node_attr {
	struct place at;
	struct terms target;
	struct doc_texts attr;
	struct app_caps app;
	struct ipprefix *pools;
	size_t n_pools;
};

struct group {
	const char *name;
	struct place at;
	struct terms members; /* TERM_USER */
};

struct host {
	const char *name;
	struct place at;
	struct ipprefix prefix;
};

struct ipset_op {
	bool remove;
	struct term what; /* prefix, host or ipset */
};

struct ipset {
	const char *name;
	struct place at;
	struct ipset_op *ops;
	size_t n_ops;
	struct ipprefix *prefixes; /* once resolved */
	size_t n_prefixes;
	int state; /* 0 not yet, 1 being resolved, 2 resolved */
};

struct tag_owner {
	const char *tag;
	struct place at;
	struct terms owners;
};

struct approver {
	struct ipprefix prefix;
	struct place at;
	struct terms who;
};

enum posture_op {
	POSTURE_EQ,
	POSTURE_NE,
	POSTURE_LT,
	POSTURE_LE,
	POSTURE_GT,
	POSTURE_GE,
	POSTURE_IN,
	POSTURE_NOT_IN,
	POSTURE_SET,
	POSTURE_NOT_SET
};

struct posture_term {
	const char *attr;
	enum posture_op op;
	const char **values;
	size_t n_values;
};

struct posture {
	const char *name;
	struct place at;
	struct posture_term *terms; /* all must hold */
	size_t n_terms;
};

struct test_dst {
	struct doc_text text;
	bool fails; /* of a shape that no test can have: the test fails, whatever the rules say */
	const char *why;
	struct term term;
	uint16_t port;
};

struct acl_test {
	struct place at;
	struct doc_text src;
	struct term src_term;
	bool src_bad, proto_bad;
	int proto;
	struct test_dst *accept, *deny;
	size_t n_accept, n_deny;
	struct policy_attr *attrs; /* srcPostureAttrs */
	size_t n_attrs;
	bool has_attrs;
};

struct ssh_test {
	struct place at;
	struct doc_text src;
	struct term src_term;
	bool src_bad;
	struct terms dst;
	struct doc_texts accept, deny, check;
};

struct attr_config {
	const char *key;
	struct place at;
	const char *type;
	bool allow_set_by_node;
	struct terms broadcast;
};

struct policy_doc {
	struct arena mem;
	char *text;
	size_t text_len;
	bool has_acls, has_grants; /* present and not null */
	struct acl *acls;
	struct grant *grants;
	struct ssh_rule *ssh;
	struct node_attr *node_attrs;
	struct group *groups;
	struct host *hosts;
	struct ipset *ipsets;
	struct tag_owner *tag_owners;
	struct approver *approvers;
	struct posture *postures;
	struct acl_test *tests;
	struct ssh_test *ssh_tests;
	struct attr_config *attr_configs;
	size_t n_acls, n_grants, n_ssh, n_node_attrs, n_groups, n_hosts, n_ipsets, n_tag_owners,
		n_approvers, n_postures, n_tests, n_ssh_tests, n_attr_configs;
	bool has_ssh;
	struct terms exit_approvers;
	struct doc_texts default_posture;
	bool randomize_client_port, disable_ipv4;
	const char *one_cgnat;
	struct policy_derp_map derp_map;
};

/* Lookups by exact name; NULL when there is none. */
const struct group *doc_group(const struct policy_doc *d, const char *name);
const struct host *doc_host(const struct policy_doc *d, const char *name);
struct ipset *doc_ipset(const struct policy_doc *d, const char *name);
const struct tag_owner *doc_tag(const struct policy_doc *d, const char *name);
const struct posture *doc_posture(const struct policy_doc *d, const char *name);

const char *autogroup_text(enum autogroup ag); /* without "autogroup:" */

/* Does a device that says this of itself fulfil the posture? */
bool posture_holds(const struct posture *p, const struct policy_attr *attrs, size_t n);

#endif
