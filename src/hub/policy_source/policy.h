/* hub/policy_source/policy: changing the policy, for all ways in: the administration socket, API v2, Git. One
 * place that logs and counts. */
#ifndef WARREN_HUB_POLICY_SOURCE_POLICY_H
#define WARREN_HUB_POLICY_SOURCE_POLICY_H

#include "hub/state/state.h"

enum { POLICY_FAILURES_MAX = 100 }; /* that are told; more are counted */

/* A failed test of a policy, copied. */
struct policy_fail {
	const char *src, *text;
	bool ssh;
	int64_t line, column;
};

/* Why a policy was refused. */
struct policy_fault {
	struct arena *mem; /* set before */
	struct err_at at;
	struct policy_fail v[POLICY_FAILURES_MAX];
	size_t n, n_all;
};

enum { POLICY_OWNED_BY_GIT = 2 }; /* an outcome beside those of coord_policy_set */

enum policy_by { POLICY_BY_HAND, POLICY_BY_FORCE, POLICY_BY_GIT };

/* coord_policy_set. By hand it is refused while Git owns the policy. */
MUST_USE int policy_source_set(struct hub *h, struct view text, const char *author,
	enum policy_by by, int64_t if_version, struct policy_fault *f);
MUST_USE int policy_source_check(struct hub *h, struct view text, struct policy_fault *f);
/* The text in force; that which allows everything when there is none. */
struct view policy_source_text(const struct hub *h);
/* Hex of SHA-256 of its canonical form. Good until the next call. */
const char *policy_source_etag(struct hub *h);
/* "line 3, column 5: what is wrong", or "2 tests fail: ..." on one line. */
const char *policy_fault_text(int rc, const struct policy_fault *f, char *out, size_t size);

#endif
