/* The last network map on disk: with it, a device that starts while the hub is away has its peers. */
#include "daemon/state/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"

#include <errno.h>
#include <unistd.h>

#define MAP_DELAY MSEC(200) /* changes come in bunches */
#define MAP_PERIOD SEC(2)

static const char map_name[] = "netmap.json";
static const char refused_name[] =
	"netmap.refused"; /* the hub does not want it to be kept any more */

/* The one place that makes a path of an id; one that is none has no files. */
static bool file_of(
	const struct keeper *k, const char *id, const char *name, char out[static PATH_MAX])
{
	return k->cfg.var_root[0] && profile_id_is_sound(id) &&
	       snprintf(out, PATH_MAX, "%s/profile-data/%s/%s", k->cfg.var_root, id, name) <
		       PATH_MAX;
}

/* One that is to leave nothing behind keeps none. */
static bool may_keep(const struct keeper *k)
{
	return !k->cfg.no_cached_map && state_is_durable(k->state);
}

void keeper_read_map(struct keeper *k, struct buf *out)
{
	char path[PATH_MAX];
	int rc;

	k->map_refused = file_of(k, k->profile_id, refused_name, path) && access(path, F_OK) == 0;
	if (k->map_refused || !may_keep(k) || !file_of(k, k->profile_id, map_name, path))
		return;
	rc = file_read(path, out);
	if (rc == 0 || rc == -ENOENT)
		return;
	log_warn("map", "the map of the last time cannot be read", "path=%s err=%s", path,
		err_text(rc));
	buf_clear(out);
}

static bool hub_asks(const struct keeper *k)
{
	const struct netmap *nm = k->e->node ? node_netmap(k->e->node) : NULL;
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;

	return self && json_map_find(&self->cap_map, "cache-network-maps") != NULL;
}

void keeper_begun(struct keeper *k)
{
	k->map_asked = hub_asks(k);
}

static void remove_file(struct keeper *k, const char *id, const char *name)
{
	char path[PATH_MAX];

	if (file_of(k, id, name, path) && filequeue_remove(k->files, path) < 0)
		log_warn("map", "what is kept of a profile cannot be removed", "path=%s err=%s",
			path, err_text(-ENOMEM));
}

static void refuse(struct keeper *k)
{
	char path[PATH_MAX];
	struct buf nothing;
	int rc = file_of(k, k->profile_id, refused_name, path) ? 0 : -ENOENT;

	k->map_refused = true;
	k->map_dirty = false;
	loop_timer_set(k->map_timer, MONO_NEVER);
	mapcache_remove(k, k->profile_id);
	buf_init(&nothing, 0);
	if (rc == 0)
		rc = filequeue_write(k->files, path, &nothing, 0600);
	log_info("map", "the hub does not want the map to be kept any more", "err=%s",
		rc < 0 ? err_text(rc) : "none");
}

/*
 * Hubs that never speak of it (before version 135) leave it to us, and we keep the map. One that asked for it and does not any
 * more wants it gone, and that holds over restarts, until it asks again.
 */
static bool is_wanted(struct keeper *k)
{
	bool asks = hub_asks(k);

	if (asks && k->map_refused)
		remove_file(k, k->profile_id, refused_name);
	if (asks)
		k->map_refused = false;
	else if (k->map_asked && netmap_self(node_netmap(k->e->node)))
		refuse(k);
	k->map_asked = asks;
	return !k->map_refused;
}

void keeper_map_changed(struct keeper *k)
{
	mono_ns now = engine_now(k->e).mono, at;

	if (!may_keep(k) || !is_wanted(k) || k->map_dirty)
		return;
	k->map_dirty = true;
	/* Large maps take long to write: a small share of the time goes into it. */
	at = mono_add(k->map_written, MAP_PERIOD + SEC(2) * (mono_ns)(k->map_size >> 20));
	loop_timer_set(k->map_timer, MAX_OF(mono_add(now, MAP_DELAY), k->map_written ? at : 0));
}

/* A map for a device that is to start without its hub. */
void mapcache_flush(struct keeper *k)
{
	char path[PATH_MAX];
	struct buf text;
	int rc;

	if (!k->map_dirty || !k->e->node || !node_netmap(k->e->node) ||
		!file_of(k, k->profile_id, map_name, path))
		return;
	k->map_dirty = false;
	loop_timer_set(k->map_timer, MONO_NEVER);
	buf_init(&text, NETMAP_TEXT_MAX);
	rc = netmap_save(node_netmap(k->e->node), &text);
	k->map_size = buf_len(&text);
	k->map_written = engine_now(k->e).mono;
	if (rc == 0)
		rc = filequeue_write(k->files, path, &text, 0600);
	buf_fini(&text);
	if (rc < 0) {
		k->saves_failed++;
		log_warn("map", "the map cannot be kept", "path=%s err=%s", path, err_text(rc));
	}
}

void mapcache_on_timer(void *ctx)
{
	mapcache_flush(ctx);
}

void mapcache_remove(struct keeper *k, const char *id)
{
	remove_file(k, id, refused_name);
	remove_file(k, id, map_name);
}
