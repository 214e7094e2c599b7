/*
 * hub/audit: who changed what: one document for each request that changed something, in the same commit as the change, with what was
 * before and what is after. Nothing takes one away but its age.
 *
 * What changed is seen at the store, so that no handler can forget to tell. Secrets and their hashes are left out; so is what devices
 * say of themselves.
 */
#ifndef WARREN_HUB_AUDIT_AUDIT_H
#define WARREN_HUB_AUDIT_AUDIT_H

#include "core/coord/coord.h"

enum {
	AUDIT_CHANGES_MAX = 200, /* of one request that are told; of more the number */
	AUDIT_VALUE_MAX = 1024,  /* bytes of one value; of longer ones the length */
	AUDIT_PAGE_MAX = 500,    /* entries of one answer */
	AUDIT_SCAN_MAX = 2000,   /* that are looked at for one answer */
	AUDIT_SWEEP_MAX = 500,   /* old ones that go at once */
};

struct audit_values {
	struct view before, after; /* JSON; empty: there was, or is, none */
};

struct audit_change {
	const char *kind; /* "user", "device", "key", "settings", "policy", "dns", "token" */
	int64_t id;
	const char *name;       /* its name, if it has one */
	struct json_map fields; /* what is another thing: its name -> struct audit_values */
};

struct audit_entry {
	int64_t id;
	unix_ms at;
	const char *by;     /* a person, a token, "git" */
	const char *via;    /* "socket", "browser", "api", "git" */
	struct ipaddr from; /* unset: of this machine */
	const char *action; /* "POST /nodes/3/rename" */
	struct json_list changes;
	int64_t more; /* changes that are not listed */
};

extern const struct json_type audit_entry_type;

struct audit;

/* Watches the store from now on. keep_ms: entries older than this go; 0: none does. -ERR_STORE, -ENOMEM. */
MUST_USE int audit_new(struct audit **ret, struct coord_store *store, const uint8_t seed[static 16],
	int64_t keep_ms);
struct audit *audit_free(struct audit *a);
/* Around one request. They do not nest. Only what changed between the two counts. */
void audit_begin(struct audit *a);
/* *who: all but id, at, changes and more. What changed nothing leaves no entry. -ENOMEM: neither does this. */
MUST_USE int audit_end(struct audit *a, const struct audit_entry *who, unix_ms now);

int64_t audit_last(const struct audit *a); /* the number of the latest entry; 0: there is none */

struct audit_filter {
	int64_t below;    /* entries with lower numbers; 0: all */
	unix_ms since;    /* 0: all */
	const char *text; /* has to occur in it, capitals or not; NULL: all */
	size_t limit;
};
/*
 * The newest first: struct view, each a document, in the arena. *ret_next: where the next page begins (below); 0: this was the last. A page may
 * have fewer than limit, and none, and not be the last.
 */
MUST_USE int audit_list(struct audit *a, const struct audit_filter *f, struct arena *mem,
	struct json_list *ret, int64_t *ret_next);
/* Now and then: what is too old goes. */
void audit_sweep(struct audit *a, unix_ms now);

#endif
