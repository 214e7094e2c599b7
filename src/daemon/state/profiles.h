/*
 * daemon/state/profiles: who this device is, once for each account that it logged in to: preferences, keys and names of a profile, kept
 * in the state file. A profile is worth keeping when the hub has given it a node ID and a user; before that it is in memory,
 * and its id is "".
 *
 * Source: Tailscale ipn/ipnlocal/profiles.go; tests/fixtures/daemon.
 */
#ifndef WARREN_DAEMON_STATE_PROFILES_H
#define WARREN_DAEMON_STATE_PROFILES_H

#include "core/node/node.h"
#include "daemon/state/state.h"

enum { PROFILE_ID_MAX = 32, PROFILES_MAX = 256, PROFILE_TEXT_MAX = 1 << 20 };
enum {
	PROFILE_MEM_MAX = 8 * PROFILE_TEXT_MAX
}; /* of a text decoded: short items need several times their length */

struct profile {
	char id[PROFILE_ID_MAX]; /* "": not kept yet */
	struct node_identity identity;
	struct ipn_prefs prefs; /* with persist; its keys are wiped: they are in identity */
	uint8_t nl_key[KEY_NL_PRIVATE_LEN]; /* kept for those who use it */
	struct arena mem;                   /* behind prefs */
};

/* May it be an id? Programs and state files of others name them, and they become parts of names and paths. */
bool profile_id_is_sound(const char *id);

/* The keys of this machine, made on first use. -ERR_BAD_FORMAT: the state holds something else. */
MUST_USE int profile_machine_keys(struct state *s, struct rng *rng, struct node_identity *id);
/* The current one, or a fresh one. Damaged: an error, nothing is overwritten. */
MUST_USE int profile_load_current(struct state *s, struct rng *rng, struct profile *ret);
/* -ENOENT. */
MUST_USE int profile_load(struct state *s, struct rng *rng, const char *id, struct profile *ret);
MUST_USE int profile_fresh(struct state *s, struct rng *rng, struct profile *ret);
void profile_fini(struct profile *p);

/* What the list of profiles says of one. */
struct profile_facts {
	const struct ipn_prefs *prefs; /* persist: user and node ID */
	const struct node_identity *identity;
	const uint8_t *nl_key;
	const char *domain, *suffix;
	unix_ms now;
};
/* Gives a new one its id, once it is worth it. Into the state, not yet to disk. */
MUST_USE int profile_save(struct state *s, struct rng *rng, char id[static PROFILE_ID_MAX],
	const struct profile_facts *f);
/* Makes it the one that comes up at the next start; "": none. */
MUST_USE int profile_set_current(struct state *s, const char *id);
MUST_USE int profile_remove(struct state *s, const char *id);
/* struct ipn_login_profile, by id. */
MUST_USE int profile_list(const struct state *s, struct arena *a, struct json_list *ret);

#endif
