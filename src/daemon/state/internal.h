/* daemon/state/internal: between the files of the keeper: the map's (mapcache.c) and the state's (files.c) < keeper.c. */
#ifndef WARREN_DAEMON_STATE_INTERNAL_H
#define WARREN_DAEMON_STATE_INTERNAL_H

#include "daemon/state/keeper.h"
#include "os/filequeue/filequeue.h"

#include <limits.h>

struct keeper {
	struct engine *e;
	struct keeper_cfg cfg;
	struct state *state;
	struct filequeue *files;
	int locks[2]; /* of the state file and of the directory; -1: none */
	uint64_t saves_failed;

	/* The profile in use. */
	char profile_id[PROFILE_ID_MAX];
	uint8_t nl_key[KEY_NL_PRIVATE_LEN];
	bool was_logged_in; /* it has a node key */

	/* The state file. */
	struct loop_timer *save_timer;
	bool changed;   /* to be saved at the end of the turn */
	bool saving;    /* the file waits for the disk */
	bool saved_now; /* keeper_take_saved */

	/* The map. */
	struct loop_timer *map_timer;
	mono_ns map_written;
	size_t map_size;
	bool map_dirty;
	bool map_asked, map_refused; /* the hub wants it to be kept; it does not any more */
};

/* ---- mapcache.c ---- */

void mapcache_flush(struct keeper *k);
void mapcache_remove(struct keeper *k, const char *profile_id);
void mapcache_on_timer(void *ctx);

/* ---- files.c ---- */

MUST_USE int files_open(struct keeper *k);
/* Writes the state file if something changed. rc: what became of bringing the state up to date. */
void files_save_state(struct keeper *k, int rc);

#endif
