/* The last network map on disk: with it, a device that starts while the hub is away has its peers. */
#include "daemon/internal.h"
#include "daemon/profiles.h"
#include "os/file/file.h"
#include "os/log/log.h"

#include <errno.h>
#include <unistd.h>

static const char map_name[] = "netmap.json";
static const char refused_name[] =
	"netmap.refused"; /* the hub does not want it to be kept any more */

/* The one place that makes a path of an id; one that is none has no files. */
static bool file_of(
	const struct daemon *n, const char *id, const char *name, char out[static PATH_MAX])
{
	return n->o->var_root[0] && profile_id_is_sound(id) &&
	       snprintf(out, PATH_MAX, "%s/profile-data/%s/%s", n->o->var_root, id, name) <
		       PATH_MAX;
}

/* One that is to leave nothing behind keeps none. */
static bool may_keep(const struct daemon *n)
{
	return !n->o->no_cached_map && state_is_durable(n->state);
}

void mapcache_read(struct daemon *n, struct buf *out)
{
	char path[PATH_MAX];
	int rc;

	n->map_refused = file_of(n, n->profile_id, refused_name, path) && access(path, F_OK) == 0;
	if (n->map_refused || !may_keep(n) || !file_of(n, n->profile_id, map_name, path))
		return;
	rc = file_read(path, out);
	if (rc == 0 || rc == -ENOENT)
		return;
	log_warn("map", "the map of the last time cannot be read", "path=%s err=%s", path,
		err_text(rc));
	buf_clear(out);
}

static bool hub_asks(const struct daemon *n)
{
	const struct netmap *nm = n->node ? node_netmap(n->node) : NULL;
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;

	return self && json_map_find(&self->cap_map, "cache-network-maps") != NULL;
}

void mapcache_begun(struct daemon *n)
{
	n->map_asked = hub_asks(n);
}

static void remove_file(struct daemon *n, const char *id, const char *name)
{
	char path[PATH_MAX];

	if (file_of(n, id, name, path) && filequeue_remove(n->files, path) < 0)
		log_warn("map", "what is kept of a profile cannot be removed", "path=%s err=%s",
			path, err_text(-ENOMEM));
}

static void refuse(struct daemon *n)
{
	char path[PATH_MAX];
	struct buf nothing;
	int rc = file_of(n, n->profile_id, refused_name, path) ? 0 : -ENOENT;

	n->map_refused = true;
	n->map_dirty = false;
	loop_timer_set(n->map_timer, MONO_NEVER);
	mapcache_remove(n, n->profile_id);
	buf_init(&nothing, 0);
	if (rc == 0)
		rc = filequeue_write(n->files, path, &nothing, 0600);
	log_info("map", "the hub does not want the map to be kept any more", "err=%s",
		rc < 0 ? err_text(rc) : "none");
}

/*
 * Hubs that never speak of it (before version 135) leave it to us, and we keep the map. One that asked for it and does not any
 * more wants it gone, and that holds over restarts, until it asks again.
 */
static bool is_wanted(struct daemon *n)
{
	bool asks = hub_asks(n);

	if (asks && n->map_refused)
		remove_file(n, n->profile_id, refused_name);
	if (asks)
		n->map_refused = false;
	else if (n->map_asked && netmap_self(node_netmap(n->node)))
		refuse(n);
	n->map_asked = asks;
	return !n->map_refused;
}

void mapcache_changed(struct daemon *n)
{
	mono_ns now = loop_now(n->loop).mono, at;

	if (!may_keep(n) || !is_wanted(n) || n->map_dirty)
		return;
	n->map_dirty = true;
	/* Large maps take long to write: a small share of the time goes into it. */
	at = mono_add(n->map_written, DAEMON_MAP_PERIOD + SEC(2) * (mono_ns)(n->map_size >> 20));
	loop_timer_set(
		n->map_timer, MAX_OF(mono_add(now, DAEMON_MAP_DELAY), n->map_written ? at : 0));
}

/* A map for a device that is to start without its hub. */
void mapcache_flush(struct daemon *n)
{
	char path[PATH_MAX];
	struct buf text;
	int rc;

	if (!n->map_dirty || !n->node || !node_netmap(n->node) ||
		!file_of(n, n->profile_id, map_name, path))
		return;
	n->map_dirty = false;
	loop_timer_set(n->map_timer, MONO_NEVER);
	buf_init(&text, NETMAP_TEXT_MAX);
	rc = netmap_save(node_netmap(n->node), &text);
	n->map_size = buf_len(&text);
	n->map_written = loop_now(n->loop).mono;
	if (rc == 0)
		rc = filequeue_write(n->files, path, &text, 0600);
	buf_fini(&text);
	if (rc < 0) {
		n->saves_failed++;
		log_warn("map", "the map cannot be kept", "path=%s err=%s", path, err_text(rc));
	}
}

void mapcache_on_timer(void *ctx)
{
	mapcache_flush(ctx);
}

void mapcache_remove(struct daemon *n, const char *id)
{
	remove_file(n, id, refused_name);
	remove_file(n, id, map_name);
}
