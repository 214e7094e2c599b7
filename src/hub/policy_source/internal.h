/* hub/policy_source: what its files share. */
#ifndef WARREN_HUB_POLICY_SOURCE_INTERNAL_H
#define WARREN_HUB_POLICY_SOURCE_INTERNAL_H

#include "hub/policy_source/git.h"

enum {
	NAME_MAX_LEN = 1024,
	ENV_MAX = 12,
	ARGS_MAX = 24,
	COMMIT_LEN = 40,
	COMMIT_SHOWN = 12,
	SECRET_MAX = 4096,
	HEAD_OUT_MAX = 4096,
	GIT_FILE_MAX = 32 << 20, /* bytes of one file that git writes: what it fetched is one */
	GIT_DISK_MAX = 64 << 20, /* bytes of its directory before a pull */
	GIT_MEM_MAX = 1 << 30    /* bytes of address space */
};
#define RUN_TIME SEC(60)

enum step { STEP_IDLE, STEP_INIT, STEP_FETCH, STEP_HEAD, STEP_TEXT };

struct git {
	struct hub *hub;
	struct loop_timer *timer;
	struct spawn *running;
	enum step step;
	bool again;   /* asked for while a pull was under way */
	bool rejudge; /* asked for: a head that was refused, too; what it lacked may be there now */
	mono_ns interval;
	char shown[NAME_MAX_LEN]; /* the URL without its password */
	char dir[NAME_MAX_LEN], refspec[NAME_MAX_LEN], blob[NAME_MAX_LEN];
	char *env[ENV_MAX + 1];
	struct buf secret; /* of the webhook; empty: off */
	enum git_state state;
	char commit[COMMIT_LEN + 1],
		judged[COMMIT_LEN + 1]; /* the head; the one that was set or refused last */
	char author[128], subject[256], reason[512];
	unix_ms pulled;
	struct git_counters n;
};

/* git_quota.c: before a pull. Empties the directory when it holds more than GIT_DISK_MAX. */
void git_keep_quota(struct git *g);

/* git_options.c. -ERR_BAD_VALUE, and at says which. */
MUST_USE int git_check_options(const struct hub_options *o, struct err_at *at);
/* Nothing of the hub's own environment but where programs are. */
MUST_USE int git_make_env(struct git *g, const struct hub_options *o);
/* What g has stays if the new one is not good. path NULL: none is wanted. */
MUST_USE int git_read_secret(struct git *g, const char *path, struct err_at *at);
/* https://user:***@host/path */
void git_hide_password(const char *url, char out[static NAME_MAX_LEN]);

#endif
