/* core/policy/lang: what the readers of the sections share. Every fault has a place and says what
 * to do. */
#ifndef WARREN_CORE_POLICY_LANG_INTERNAL_H
#define WARREN_CORE_POLICY_LANG_INTERNAL_H

#include "core/policy/lang/doc.h"
#include "proto/hujson/hujson.h"

struct reader {
	struct policy_doc *doc;
	struct arena *a; /* doc's */
	struct err_at *at;
};

/* Fills at and returns -ERR_BAD_VALUE. */
int fault_at(struct reader *r, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
int fault_on(struct reader *r, const struct hujson *v, const char *fmt, ...) PRINTF_LIKE(3, 4);
int fault_no_memory(struct reader *r);
struct place place_of(const struct hujson *v);
struct place place_of_name(const struct hujson *v);

/* Faults that v is not what is wanted: "an object". */
int read_wrong_kind(struct reader *r, const struct hujson *v, const char *want);

/*
 * A member of an object: read gets the value and the struct that the object fills. Names match
 * whatever their case. The name
 * "#" stands for all that begin with it: comments of an administration page.
 */
struct member {
	const char *name;
	int (*read)(struct reader *r, const struct hujson *v, void *dst);
	size_t offset; /* added to dst */
};

/* Refuses unknown and doubled members; absent ones are left alone, null ones too. `what` names the
 * object. */
MUST_USE int read_members(struct reader *r, const struct hujson *v, const struct member *m,
	size_t n, void *dst, const char *what);
/* An array of objects or an object of named things into an array of `size` each, through `each`. */
MUST_USE int read_items(struct reader *r, const struct hujson *v, enum hujson_kind kind,
	size_t size, const char *what,
	int (*each)(struct reader *r, const struct hujson *v, void *dst), void **ret,
	size_t *ret_n);

int read_text(struct reader *r, const struct hujson *v, void *dst);   /* struct doc_text */
int read_string(struct reader *r, const struct hujson *v, void *dst); /* const char * */
int read_bool(struct reader *r, const struct hujson *v, void *dst);   /* bool */
int read_texts(struct reader *r, const struct hujson *v, void *dst);  /* struct doc_texts */
int read_terms(struct reader *r, const struct hujson *v, void *dst);  /* struct terms, trimmed */
int read_app(struct reader *r, const struct hujson *v, void *dst);    /* struct app_caps */
int read_skip(struct reader *r, const struct hujson *v, void *dst);   /* any value */
char *doc_json_of(struct arena *a, const struct hujson *v); /* plain JSON; NULL without memory */

/* selector.c. Trims first. */
MUST_USE int term_parse(
	struct reader *r, const char *s, size_t len, struct place at, struct term *ret);
/* Without a fault text: -ERR_BAD_VALUE. */
MUST_USE int term_try(
	struct arena *a, const char *s, size_t len, struct place at, struct term *ret);

/* ports.c. `why` gets the reason of a refusal. */
MUST_USE int ports_parse(
	struct arena *a, const char *s, size_t len, struct ports *ret, const char **why);
/* "selector:ports" of an ACL entry or a test; brackets around IPv6 are gone from *ret_selector. */
MUST_USE int ports_split_dst(struct arena *a, const char *s, const char **ret_selector,
	const char **ret_ports, const char **why);
/* Empty: PROTO_ANY. */
MUST_USE int ports_parse_proto(
	const char *s, size_t len, bool any_case, int *ret, const char **why);
bool ports_used_by(int proto);
bool ports_are_all(const struct ports *p);

/* The readers of sections. */
int doc_read_acl(struct reader *r, const struct hujson *v, void *dst);
int doc_read_grant(struct reader *r, const struct hujson *v, void *dst);
int doc_read_ssh_rule(struct reader *r, const struct hujson *v, void *dst);
int doc_read_node_attr(struct reader *r, const struct hujson *v, void *dst);
int doc_read_group(struct reader *r, const struct hujson *v, void *dst);
int doc_read_host(struct reader *r, const struct hujson *v, void *dst);
int doc_read_ipset(struct reader *r, const struct hujson *v, void *dst);
int doc_read_tag_owner(struct reader *r, const struct hujson *v, void *dst);
int doc_read_auto_approvers(
	struct reader *r, const struct hujson *v, void *dst); /* struct policy_doc */
int doc_read_posture(struct reader *r, const struct hujson *v, void *dst);
int doc_read_acl_test(struct reader *r, const struct hujson *v, void *dst);
int doc_read_ssh_test(struct reader *r, const struct hujson *v, void *dst);
int doc_read_attr_config(struct reader *r, const struct hujson *v, void *dst);
int doc_read_derp_map(
	struct reader *r, const struct hujson *v, void *dst); /* struct policy_derp_map */

/* posture.c */
MUST_USE int posture_parse(
	struct arena *a, const char *s, struct posture_term *ret, const char **why);

/* check.c: what can be said only when all sections are there. */
MUST_USE int doc_check(struct reader *r);

#endif
