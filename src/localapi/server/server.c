/* The life of the server: its socket, its timers, its end. */
#include "localapi/server/internal.h"
#include "os/file/file.h"
#include "proto/ipn/ipn.h"

#include <errno.h>
#include <unistd.h>

static void on_save_timer(void *ctx)
{
	lapi_saved(ctx);
}

int lapi_new(struct loop *l, const struct lapi_cfg *cfg, struct lapi **ret)
{
	struct lapi *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	CHECK(cfg->n_tables <= LAPI_TABLES_MAX);
	a->loop = l;
	a->cfg = *cfg;
	list_init(&a->conns);
	if (asprintf(&a->header_lines, "Tailscale-Version: %s\r\nTailscale-Cap: %d\r\n%s",
		    cfg->version, IPN_CAPABILITY, lapi_security_lines) < 0)
		a->header_lines = NULL;
	rc = a->header_lines ? loop_timer_new(l, on_save_timer, a, &a->save_timer) : -ENOMEM;
	if (rc == 0)
		rc = loop_timer_new(l, lconn_on_operator_late, a, &a->operator_timer);
	if (rc == 0)
		rc = users_new(&a->users, l, lconn_on_operator, a);
	if (rc < 0) {
		lapi_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

static int make_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[108];

	if (!slash || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	return access(dir, F_OK) == 0 ? 0 : file_make_dir(dir, 0755);
}

int lapi_listen(struct lapi *a, const char *path)
{
	int rc = make_parent(path);

	return rc < 0 ? rc : stream_listen_unix(a->loop, path, 0666, lconn_accept, a, &a->listener);
}

struct lapi *lapi_free(struct lapi *a)
{
	if (!a)
		return NULL;
	listener_close(a->listener);
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		lconn_free(c);
	}
	loop_timer_free(a->save_timer);
	loop_timer_free(a->operator_timer);
	users_free(a->users);
	free(a->header_lines);
	free(a);
	return NULL;
}

const struct lapi_counters *lapi_counters(const struct lapi *a)
{
	return &a->n;
}
