/*
 * daemon/state/keeper: what this device keeps of itself on disk: the state file with its profiles, and the last network map of
 * the profile in use. Nothing of it is waited for while packets flow: files are written beside the loop.
 */
#ifndef WARREN_DAEMON_STATE_KEEPER_H
#define WARREN_DAEMON_STATE_KEEPER_H

#include "daemon/engine/engine.h"
#include "daemon/state/profiles.h"

struct keeper;

struct keeper_cfg {             /* borrowed */
	const char *state_path; /* "": in memory */
	const char *var_root;   /* for maps; "": nowhere */
	bool no_cached_map;
};

/* Nothing is read or written yet. */
MUST_USE int keeper_new(struct keeper **ret, struct engine *e, const struct keeper_cfg *cfg);
/* Reads the state file, after it has been locked against another daemon. What went wrong was logged. */
MUST_USE int keeper_open(struct keeper *k);
/* Writes what is left, and waits for it. The loop and the engine are still there. */
void keeper_finish(struct keeper *k);
struct keeper *keeper_free(struct keeper *k);

struct state *keeper_state(struct keeper *k);
const char *keeper_path(const struct keeper *k); /* of the state file, for words; "": none */
bool keeper_is_durable(const struct keeper *k);
const char *keeper_profile_id(const struct keeper *k); /* of the profile in use; "": not kept yet */
uint64_t keeper_saves_failed(const struct keeper *k);

/* ---- Another profile: leave, read the map, take the profile, begin with its engine. ---- */

void keeper_leave(struct keeper *k); /* the map of the profile in use goes to the disk */
void keeper_take(struct keeper *k, const struct profile *p);
/* The map of the last time into out, empty if there is none. */
void keeper_read_map(struct keeper *k, struct buf *out);
void keeper_begun(struct keeper *k); /* the engine has what was read */

/* Removes a profile and its map from what is kept; the state file follows with the next save. */
MUST_USE int keeper_forget(struct keeper *k, const char *profile_id);

/* ---- Saving ---- */

/* Keys or preferences changed: saved at the end of the turn. */
void keeper_changed(struct keeper *k);
void keeper_map_changed(struct keeper *k);
void keeper_turn_end(struct keeper *k);
/* The state file now, without bringing the profile in use up to date. */
void keeper_save_state(struct keeper *k);
/* Something that was changed is not on the disk yet. */
bool keeper_unsaved(const struct keeper *k);
/* Once after all has been saved, or after it failed: who waits for it needs not wait any longer. */
bool keeper_take_saved(struct keeper *k);

#endif
