/* core/coord/register/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_REGISTER_INTERNAL_H
#define WARREN_CORE_COORD_REGISTER_INTERNAL_H

#include "core/coord/intake/intake.h"
#include "core/coord/mapper/mapper.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/register/register.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

/* Of a login's code: letters, and the text with a dash and a NUL. */
enum { CODE_LETTERS = 8, CODE_TEXT_MAX = CODE_LETTERS + 2 };

struct asker {
	struct machine_pub machine;
	struct node_pub key;
};

struct pending {
	struct map_node node, by_asker; /* by the letters of its code; by who asks */
	struct list link;               /* oldest first */
	struct tailnet *tailnet;
	struct ledger_holder share, holder; /* of logins; in the process's ledger */
	struct list pushed_out;             /* of one of them: it goes soon */
	char code[CODE_TEXT_MAX], plain[CODE_LETTERS + 1];
	char replaced[CODE_LETTERS + 1]; /* the code for what it asked for before, or "" */
	struct asker asker;
	struct arena mem;
	struct tc_register_request req;
	void *waiter; /* a Followup, or NULL */
	struct ipport from;
	unix_ms created;
	mono_ns expires;
};

struct registrar {
	struct shed shed;
	struct list pendings, answers;
	struct map pending_by_asker, pending_by_code;
	struct ledger *logins;  /* that wait: how many there may be */
	struct list pushed_out; /* of them, by a ledger */
};

static inline const struct json_list *wanted_tags(const struct tc_register_request *req)
{
	static const struct json_list none;

	return req->hostinfo ? &req->hostinfo->request_tags : &none;
}

/* codes.c */
/* codes.c */
void code_new(struct rng *r, char out[static CODE_TEXT_MAX]);
/* The letters, large and without what groups them: how many; 0: it is no code, nor the beginning of one. */
size_t code_plain(const char *text, char out[static CODE_LETTERS + 1]);

/* answers.c: they wait for the store */
void answer_later(
	struct tailnet *c, void *owner, int status, const struct json_type *t, const void *doc);
void answer_success(struct tailnet *c, void *owner, const struct coord_node *n);
void answer_error(
	struct tailnet *c, void *owner, const struct tc_register_request *req, const char *text);
void answer_expired(
	struct tailnet *c, void *owner); /* the client makes a fresh key and asks with that */
void answers_text(struct tailnet *c, void *owner, int status, const char *text);
void answers_cancel(struct tailnet *c, const void *owner);
void answers_free(struct tailnet *c);

/* asked.c */
/* Does the request ask for what the login waits for? */
bool pending_is_for(
	struct tailnet *c, const struct pending *p, const struct tc_register_request *req);

/* pending.c: logins that wait */
/* pending.c: logins that wait */
struct pending *pending_by_code(const struct tailnet *c, const char *code);
struct pending *pending_by_asker(
	const struct tailnet *c, const struct machine_pub *m, const struct node_pub *key);
struct pending *pending_ask(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct arena mem, struct ipport from,
	struct now now);
void pending_free(struct tailnet *c, struct pending *p);
void pending_end(
	struct tailnet *c, struct pending *p, const char *why); /* who waits for it is told */
void pending_sweep(struct tailnet *c); /* those that a ledger has pushed out go */
void pending_tick(struct tailnet *c, struct now now);
mono_ns pending_deadline(const struct tailnet *c);

/* grant.c: what an approval gives. -ERR_BAD_VALUE: no such user; -ENOMEM. */
MUST_USE int grant_of_login(struct tailnet *c, const struct pending *p, int64_t user,
	struct now now, struct arena *mem, struct coord_grant *ret);
MUST_USE int grant_of_node(
	struct tailnet *c, const struct coord_node *n, struct arena *mem, struct coord_grant *ret);

/* relogin.c */
/* The device that a login makes come back, or NULL: a new one. */
struct coord_node *relogin_node(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, int64_t user, bool tagged, unix_ms wall);

/* create.c */
MUST_USE int create_node(struct tailnet *c, const struct coord_node_doc *doc,
	const char *wanted_name, struct now now, struct coord_node **ret);

/* admit.c */
/* How somebody lets a device in. */
struct admission {
	int64_t user;
	const struct json_list *tags; /* NULL or empty: a person's device */
	bool ephemeral, approved;
	const struct coord_key *key; /* NULL: a login */
};
/* A device with this identity: the same record if it was here before, else a new one. */
MUST_USE int admit(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, const struct admission *how, struct now now,
	struct coord_node **ret);

#endif
