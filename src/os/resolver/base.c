/* What others say, wherever they say it while the system asks us. */
#include "base/text/text.h"
#include "os/file/file.h"
#include "os/resolver/internal.h"
#include "proto/tsaddr/tsaddr.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 32 };

static bool has_server(const struct os_dns_config *c, struct ipaddr a)
{
	for (size_t i = 0; i < c->n_servers; i++)
		if (ipaddr_eq(c->server[i], a))
			return true;
	return false;
}

/* Ours among the others' would ask itself; systemd-resolved's stub asks us. */
static bool is_upstream(struct ipaddr a)
{
	return ipaddr_is_set(a) && !ipaddr_eq(a, tsaddr_service) &&
	       !ipaddr_eq(a, tsaddr_service6) && !ipaddr_eq(a, ipaddr_v4(127, 0, 0, 53)) &&
	       !ipaddr_eq(a, ipaddr_v4(127, 0, 0, 54));
}

static bool has_search(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (text_ieq(list[i], strlen(list[i]), name, strlen(name)))
			return true;
	return false;
}

static void add_search(struct resolver *r, const char **list, struct view name)
{
	char *copy;

	while (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (!name.len || r->base.n_search == OSDNS_SEARCH_MAX)
		return;
	copy = arena_strndup(&r->base_mem, name.p, name.len);
	if (copy && !has_search(list, r->base.n_search, copy))
		list[r->base.n_search++] = copy;
}

static void add_text(struct resolver *r, const char **list, struct view text)
{
	struct resolvconf c;

	resolvconf_parse(text, &c);
	for (size_t i = 0; i < c.n_servers; i++) {
		struct ipaddr a = resolvconf_server(&c, i);

		if (is_upstream(a) && !has_server(&r->base, a) &&
			r->base.n_servers < OSDNS_SERVERS_MAX)
			r->base.server[r->base.n_servers++] = a;
	}
	for (size_t i = 0; i < c.n_search; i++)
		add_search(r, list, c.search[i]);
}

/* False: it is not there. */
static bool add_file(struct resolver *r, const char **list, const char *path)
{
	char full[ETC_PATH_MAX];
	struct buf b;
	bool there;

	if (snprintf(full, sizeof(full), "%s%s", r->root, path) >= (int)sizeof(full))
		return false;
	buf_init(&b, RESOLVCONF_TEXT_MAX);
	there = file_read(full, &b) == 0;
	if (there)
		add_text(r, list, buf_view(&b));
	buf_fini(&b);
	return there;
}

/* A file for each interface, but for ours. All are asked, so their order does not matter. */
static void add_dir(struct resolver *r, const char **list, const char *dir, const char *ours)
{
	char path[ETC_PATH_MAX];
	struct dirent **name;
	int n;

	if (snprintf(path, sizeof(path), "%s%s", r->root, dir) >= (int)sizeof(path))
		return;
	n = scandir(path, &name, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (i < FILES_MAX && name[i]->d_name[0] != '.' &&
			strcmp(name[i]->d_name, ours) != 0 &&
			snprintf(path, sizeof(path), "%s/%s", dir, name[i]->d_name) <
				(int)sizeof(path))
			(void)add_file(r, list, path);
		free(name[i]);
	}
	if (n >= 0)
		free(name);
}

/* The file as others left it: it, or our backup of it. */
static void add_etc(struct resolver *r, const char **list)
{
	struct resolvconf c;
	enum etc_state s;
	struct buf b;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	s = etc_look(&r->etc, &b);
	if (s != ETC_OTHER) {
		buf_clear(&b);
		if (etc_read_backup(&r->etc, &b) < 0)
			buf_clear(&b);
	}
	resolvconf_parse(buf_view(&b), &c);
	/* What stands behind the stub is in a file of its own. */
	if (!resolvconf_is_stub(&c) || !add_file(r, list, RESOLVER_RESOLVED_FILE))
		add_text(r, list, buf_view(&b));
	buf_fini(&b);
}

void resolver_read_base(struct resolver *r)
{
	char record[2 * RESOLVER_NAME_MAX];
	const char **list;

	arena_reset(&r->base_mem);
	r->base = (struct os_dns_config){ 0 };
	list = arena_array(&r->base_mem, OSDNS_SEARCH_MAX, sizeof(*list));
	if (!list)
		return;
	resolver_record(r, r->manager, record);
	switch (r->manager) {
	case RESOLVER_DEBIAN_RESOLVCONF:
		add_dir(r, list, RESOLVER_DEBIAN_DIR, record);
		(void)add_file(r, list, "/etc/resolvconf/resolv.conf.d/base");
		break;
	case RESOLVER_OPENRESOLV:
		add_dir(r, list, RESOLVER_OPENRESOLV_DIR, record);
		break;
	case RESOLVER_RESOLVED:
		(void)add_file(r, list, RESOLVER_RESOLVED_FILE);
		break;
	case RESOLVER_NETWORKMANAGER:
		if (!add_file(r, list, ETC_NETWORKMANAGER))
			add_etc(r, list);
		break;
	case RESOLVER_NOBODY:
	case RESOLVER_FILE:
		add_etc(r, list);
		break;
	}
	r->base.search = list;
}

/* Behind ours, what is not there already. */
static void add_base_search(struct resolver *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->whole.n_search; i++)
		r->search[n++] = r->whole.search[i];
	for (size_t i = 0; i < r->base.n_search && n < OSDNS_SEARCH_MAX; i++)
		if (!has_search(r->search, n, r->base.search[i]))
			r->search[n++] = r->base.search[i];
	r->want.search = r->search;
	r->want.n_search = n;
}

void resolver_select(struct resolver *r)
{
	resolver_read_base(r);
	r->want = resolver_splits(r) ? r->split : r->whole;
	if (!resolver_splits(r))
		r->want.n_match = 0;
	/* Search domains only: a file without servers would leave the system without any. */
	if (!resolver_splits(r) && !r->whole.n_servers && !os_dns_config_is_empty(&r->whole)) {
		memcpy(r->want.server, r->base.server, sizeof(r->want.server));
		r->want.n_servers = r->base.n_servers;
	}
	if (!resolver_splits(r) && r->add_search && !os_dns_config_is_empty(&r->whole))
		add_base_search(r);
}
