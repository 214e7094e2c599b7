#include "os/users/users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { ENTRY_MAX = 64 * 1024 };

/* In the thread from uv_queue_work until on_done. */
struct lookup {
	uv_work_t work;
	struct users *of; /* NULL: nobody waits any more */
	char name[USERS_NAME_MAX];
	bool found;
	uid_t uid;
};

struct users {
	struct loop *loop;
	void (*on_answer)(void *ctx);
	void *ctx;
	struct lookup *running;
	char name[USERS_NAME_MAX]; /* of what is kept; "": nothing is */
	bool found;
	uid_t uid;
	mono_ns at;
};

int users_new(struct users **ret, struct loop *l, void (*on_answer)(void *ctx), void *ctx)
{
	struct users *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->loop = l;
	u->on_answer = on_answer;
	u->ctx = ctx;
	*ret = u;
	return 0;
}

struct users *users_free(struct users *u)
{
	if (u && u->running)
		u->running->of = NULL;
	free(u);
	return NULL;
}

static void run(uv_work_t *w)
{
	struct lookup *k = w->data;
	char *mem = malloc(ENTRY_MAX);
	struct passwd pw, *found = NULL;

	if (mem && getpwnam_r(k->name, &pw, mem, ENTRY_MAX, &found) == 0 && found) {
		k->found = true;
		k->uid = pw.pw_uid;
	}
	free(mem);
}

static void on_done(uv_work_t *w, int status)
{
	struct lookup *k = w->data;
	struct users *u = k->of;

	if (u) {
		u->running = NULL;
		snprintf(u->name, sizeof(u->name), "%s", k->name);
		u->found = status == 0 && k->found;
		u->uid = k->uid;
		u->at = loop_now(u->loop).mono;
	}
	free(k);
	if (u)
		u->on_answer(u->ctx);
}

static void begin(struct users *u, const char *name)
{
	struct lookup *k = calloc(1, sizeof(*k));

	if (!k)
		return;
	k->of = u;
	k->work.data = k;
	snprintf(k->name, sizeof(k->name), "%s", name);
	if (uv_queue_work(loop_uv(u->loop), &k->work, run, on_done) == 0)
		u->running = k;
	else
		free(k);
}

enum users_answer users_uid(struct users *u, const char *name, uid_t *ret)
{
	bool kept = u->name[0] && !strcmp(u->name, name);
	bool fresh = kept && loop_now(u->loop).mono - u->at < SEC(USERS_FRESH_S);

	if (!*name || strlen(name) >= USERS_NAME_MAX)
		return USERS_NONE;
	if (!fresh && !u->running)
		begin(u, name);
	if (!kept)
		return u->running ? USERS_PENDING : USERS_NONE;
	*ret = u->uid;
	return u->found ? USERS_FOUND : USERS_NONE;
}
