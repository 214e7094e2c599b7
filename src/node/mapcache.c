/* The last network map on disk: with it, a device that starts while the hub is away has its peers. */
#include "node/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"

#include <errno.h>
#include <unistd.h>

static bool file_of(const struct node *n, const char *id, char out[static PATH_MAX])
{
	return n->o->var_root[0] && *id &&
	       snprintf(out, PATH_MAX, "%s/profile-data/%s/netmap.json", n->o->var_root, id) < PATH_MAX;
}

void mapcache_read(struct node *n, struct buf *out)
{
	char path[PATH_MAX];
	int rc;

	if (n->o->no_cached_map || !file_of(n, n->profile_id, path))
		return;
	rc = file_read(path, out);
	if (rc == 0 || rc == -ENOENT)
		return;
	log_warn("map", "the map of the last time cannot be read", "path=%s err=%s", path, err_text(rc));
	buf_clear(out);
}

void mapcache_changed(struct node *n)
{
	mono_ns now = loop_now(n->loop).mono, at;

	if (n->map_dirty)
		return;
	n->map_dirty = true;
	/* Large maps take long to write: a small share of the time goes into it. */
	at = mono_add(n->map_written, NODE_MAP_PERIOD + SEC(2) * (mono_ns)(n->map_size >> 20));
	loop_timer_set(n->map_timer, MAX_OF(mono_add(now, NODE_MAP_DELAY), n->map_written ? at : 0));
}

/* A map for a device that is to start without its hub. */
static int write_map(struct node *n, const char *path)
{
	char dir[PATH_MAX];
	struct buf text;
	int rc;

	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = 0;
	rc = file_make_dir(dir, 0700);
	if (rc < 0)
		return rc;
	buf_init(&text, NETMAP_TEXT_MAX);
	rc = netmap_save(agent_netmap(n->agent), &text);
	if (rc == 0)
		rc = file_write(path, buf_view(&text), 0600);
	n->map_size = buf_len(&text);
	buf_fini(&text);
	return rc;
}

void mapcache_flush(struct node *n)
{
	char path[PATH_MAX];
	int rc;

	if (!n->map_dirty || n->o->no_cached_map || !n->agent || !agent_netmap(n->agent) || !file_of(n, n->profile_id, path))
		return;
	n->map_dirty = false;
	loop_timer_set(n->map_timer, MONO_NEVER);
	rc = write_map(n, path);
	n->map_written = loop_now(n->loop).mono;
	if (rc < 0) {
		n->saves_failed++;
		log_warn("map", "the map cannot be kept", "path=%s err=%s", path, err_text(rc));
	}
}

void mapcache_on_timer(void *ctx)
{
	mapcache_flush(ctx);
}

void mapcache_remove(struct node *n, const char *id)
{
	char path[PATH_MAX];

	if (!file_of(n, id, path))
		return;
	if (unlink(path) == 0)
		*strrchr(path, '/') = 0;
	(void)!rmdir(path); /* stays if something else is in there */
}
