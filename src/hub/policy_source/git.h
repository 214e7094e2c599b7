/*
 * hub/policy_source/git: the policy from a Git repository: --policy-git URL. Every --policy-git-interval, and
 * when the webhook says so, the head of the branch is fetched into STATE/policy-git by the git
 * program, and the file in it becomes the policy when it is new and good. A head that is not good
 * changes nothing; why not is in the log, in `policy status` and in the metrics.
 */
#ifndef WARREN_HUB_POLICY_SOURCE_GIT_H
#define WARREN_HUB_POLICY_SOURCE_GIT_H

#include "hub/state/state.h"

/* No --policy-git: 0, and h->git stays NULL. at says which option is wrong. */
MUST_USE int git_new(struct hub *h, struct err_at *at);
void git_free(struct hub *h);
/* Reads the webhook's secret again. */
void git_reload(struct hub *h);
/* Now, or right behind the pull that is under way. */
void git_pull(struct hub *h);

enum git_webhook { GIT_WEBHOOK_TAKEN, GIT_WEBHOOK_OFF, GIT_WEBHOOK_BAD_SIGNATURE };
/* By the head alone: is there a webhook, and could the body be signed? Other bodies are not read. */
bool git_webhook_wants(const struct hub *h, const struct http1_head *head);
/* HMAC-SHA256 of the body, as GitHub, Gitea and Forgejo sign. */
enum git_webhook git_webhook(struct hub *h, const struct http1_head *head, struct view body);

enum git_state {
	GIT_NOT_YET,     /* the first pull is under way */
	GIT_APPLIED,     /* the head is in force */
	GIT_REFUSED,     /* the head is no good policy; reason says why */
	GIT_OVERRIDDEN,  /* the head was in force; somebody forced another policy since */
	GIT_UNREACHABLE, /* the repository could not be read; reason says why */
};

struct git_status {
	enum git_state state;
	const char *url, *branch, *path, *commit, *author, *subject,
		*reason; /* borrowed; "" when unknown */
	unix_ms pulled;  /* when the repository was read last; 0: never */
};
void git_status(const struct hub *h, struct git_status *ret);

struct git_counters {
	uint64_t pulls, failures, webhooks, bad_signatures, begun_anew;
};
const struct git_counters *git_counters(const struct hub *h);

#endif
