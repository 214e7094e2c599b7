/* The keeper's life: whose state it is, which profile is in use, when it is saved. */
#include "daemon/state/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Saving ---- */

/* Logged out: the hub knows no such device any more, so neither do we. */
static int save_end(struct keeper *k)
{
	int rc = *k->profile_id ? profile_remove(k->state, k->profile_id) : 0;

	mapcache_remove(k, k->profile_id);
	k->profile_id[0] = 0;
	k->was_logged_in = false;
	return rc;
}

static int save_profile(struct keeper *k)
{
	const struct netmap *nm = node_netmap(k->e->node);
	const char *name = nm && netmap_self(nm)->name ? netmap_self(nm)->name : "",
		   *dot = strchr(name, '.');
	char suffix[256];
	struct profile_facts f = { .prefs = node_prefs(k->e->node),
		.identity = node_identity(k->e->node),
		.nl_key = k->nl_key,
		.domain = nm ? netmap_domain(nm) : "",
		.suffix = suffix,
		.now = engine_now(k->e).wall };

	snprintf(suffix, sizeof(suffix), "%s", dot ? dot + 1 : "");
	if (*suffix && suffix[strlen(suffix) - 1] == '.')
		suffix[strlen(suffix) - 1] = 0;
	return profile_save(k->state, k->e->rng, k->profile_id, &f);
}

static void save(struct keeper *k)
{
	bool logged_in = !key_is_zero(node_identity(k->e->node)->node.b);
	int rc;

	k->changed = false;
	if (k->was_logged_in && !logged_in)
		rc = save_end(k);
	else
		rc = save_profile(k);
	k->was_logged_in |= logged_in;
	files_save_state(k, rc);
}

void keeper_changed(struct keeper *k)
{
	k->changed = true;
}

void keeper_turn_end(struct keeper *k)
{
	if (k->changed)
		save(k);
}

void keeper_save_state(struct keeper *k)
{
	files_save_state(k, 0);
}

/* What the end of the turn saves for. */
static const unsigned saves =
	1u << NODE_SELF | 1u << NODE_KEYS | 1u << NODE_PREFS | 1u << NODE_MOVED | 1u << NODE_NETMAP;

bool keeper_unsaved(const struct keeper *k)
{
	return k->changed || (k->e->node && node_event_waits(k->e->node, saves)) ||
	       filequeue_has(k->files, k->cfg.state_path);
}

bool keeper_take_saved(struct keeper *k)
{
	bool saved = k->saved_now && !keeper_unsaved(k);

	k->saved_now = false;
	return saved;
}

int keeper_forget(struct keeper *k, const char *profile_id)
{
	int rc = profile_remove(k->state, profile_id);

	mapcache_remove(k, profile_id);
	return rc;
}

/* ---- Another profile ---- */

void keeper_leave(struct keeper *k)
{
	mapcache_flush(k);
}

void keeper_take(struct keeper *k, const struct profile *p)
{
	memcpy(k->profile_id, p->id, sizeof(k->profile_id));
	memcpy(k->nl_key, p->nl_key, sizeof(k->nl_key));
	k->was_logged_in = !key_is_zero(p->identity.node.b);
	k->map_dirty = false;
}

/* ---- Opening ---- */

/* Two daemons on one state would each undo what the other writes, and be one device at the hub. */
static int take_lock(int *ret, const char *path)
{
	long owner;
	int rc = file_lock(path, ret, &owner);

	if (rc == -EWOULDBLOCK) {
		log_error("state",
			"another daemon uses this state; end it first, or name another --statedir",
			"lock=%s pid=%ld", path, owner);
		return rc;
	}
	if (rc < 0)
		log_warn("state", "cannot be locked; nothing keeps a second daemon off it",
			"lock=%s err=%s", path, err_text(rc));
	return 0;
}

static int lock_state(struct keeper *k)
{
	char path[PATH_MAX + 16];
	int rc = 0;

	if (k->cfg.state_path[0]) {
		snprintf(path, sizeof(path), "%s.lock", k->cfg.state_path);
		rc = take_lock(&k->locks[0], path);
	}
	if (rc == 0 && k->cfg.var_root[0]) {
		snprintf(path, sizeof(path), "%s/warrend.lock", k->cfg.var_root);
		rc = take_lock(&k->locks[1], path);
	}
	return rc;
}

int keeper_open(struct keeper *k)
{
	char dir[PATH_MAX];
	int rc = 0;

	if (k->cfg.var_root[0])
		rc = file_make_dir(k->cfg.var_root, 0700);
	if (rc == 0 && k->cfg.state_path[0]) {
		snprintf(dir, sizeof(dir), "%s", k->cfg.state_path);
		if (strrchr(dir, '/') && strrchr(dir, '/') != dir) {
			*strrchr(dir, '/') = 0;
			rc = file_make_dir(dir, 0700);
		}
	}
	if (rc == 0 && (rc = lock_state(k)) < 0)
		return rc;
	if (rc == 0)
		rc = state_open(&k->state, k->cfg.state_path);
	if (rc < 0)
		log_error("state", "cannot be read; it is left as it is", "path=%s err=%s",
			k->cfg.state_path, err_text(rc));
	return rc;
}

/* ---- Life ---- */

int keeper_new(struct keeper **ret, struct engine *e, const struct keeper_cfg *cfg)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	*k = (struct keeper){ .e = e, .cfg = *cfg, .locks = { -1, -1 } };
	rc = files_open(k);
	if (rc == 0)
		rc = loop_timer_new(e->loop, mapcache_on_timer, k, &k->map_timer);
	if (rc < 0) {
		keeper_finish(k);
		keeper_free(k);
		return rc;
	}
	*ret = k;
	return 0;
}

void keeper_finish(struct keeper *k)
{
	if (k->e->node)
		mapcache_flush(k);
	k->files = filequeue_free(k->files);
	k->save_timer = loop_timer_free(k->save_timer);
	k->map_timer = loop_timer_free(k->map_timer);
}

struct keeper *keeper_free(struct keeper *k)
{
	if (!k)
		return NULL;
	k->state = state_close(k->state);
	for (size_t i = 0; i < ARRAY_LEN(k->locks); i++)
		if (k->locks[i] >= 0)
			close(k->locks[i]);
	key_wipe(k->nl_key, sizeof(k->nl_key));
	free(k);
	return NULL;
}

struct state *keeper_state(struct keeper *k)
{
	return k->state;
}

const char *keeper_path(const struct keeper *k)
{
	return k->cfg.state_path;
}

bool keeper_is_durable(const struct keeper *k)
{
	return state_is_durable(k->state);
}

const char *keeper_profile_id(const struct keeper *k)
{
	return k->profile_id;
}

uint64_t keeper_saves_failed(const struct keeper *k)
{
	return k->saves_failed;
}
