/* What this machine shows of who manages its resolver: files, and what programs answer. */
#include "os/file/file.h"
#include "os/resolver/internal.h"

#include <stdio.h>
#include <unistd.h>

static int read_below(const struct resolver *r, const char *path, struct buf *out)
{
	char full[ETC_PATH_MAX];

	if (snprintf(full, sizeof(full), "%s%s", r->root, path) >= (int)sizeof(full))
		return -ERR_TOO_BIG;
	return file_read(full, out);
}

static bool line_asks_resolve(const char *line)
{
	const char *resolve = strstr(line, "resolve"), *dns = strstr(line, "dns");

	/* "mdns4_minimal" is another service. */
	while (dns && !strchr(" \t:", dns[-1]))
		dns = strstr(dns + 1, "dns");
	return resolve && (!dns || resolve < dns);
}

/* nsswitch.conf(5): "hosts: files resolve [!UNAVAIL=return] dns". */
static bool nss_asks_resolve(const struct resolver *r)
{
	bool asks = false;
	char *line, *rest;
	struct buf b;

	buf_init(&b, RESOLVCONF_TEXT_MAX);
	if (read_below(r, "/etc/nsswitch.conf", &b) == 0 && buf_cstr(&b))
		for (line = strtok_r((char *)buf_cstr(&b), "\n", &rest); line;
			line = strtok_r(NULL, "\n", &rest)) {
			line[strcspn(line, "#")] = 0;
			if (!strncmp(line, "hosts:", 6))
				asks = line_asks_resolve(line + 6);
		}
	buf_fini(&b);
	return asks;
}

static void look_at_files(struct resolver *r)
{
	struct resolver_facts *f = &r->facts;
	char path[ETC_PATH_MAX];
	struct resolvconf c;
	struct buf b;

	*f = (struct resolver_facts){ 0 };
	buf_init(&b, RESOLVCONF_TEXT_MAX);
	f->missing = etc_look(&r->etc, &b) == ETC_MISSING;
	resolvconf_parse(buf_view(&b), &c);
	f->owner = resolvconf_owner(buf_view(&b));
	f->stub = resolvconf_is_stub(&c);
	buf_fini(&b);
	f->nm_file = access(r->etc.networkmanager, R_OK) == 0;
	f->nss_resolve = nss_asks_resolve(r);
	f->has_resolvconf = resolver_find_program(r, path);
}

/* Debian's resolvconf knows no such option; openresolv says its version. */
static void on_version(void *ctx, int rc, int status, struct view out, struct view err)
{
	static const char debian[] = "Debian resolvconf";
	struct resolver *r = ctx;

	(void)err;
	r->spawn = NULL;
	if (rc < 0)
		r->facts.has_resolvconf = false;
	r->facts.is_debian = status == 99 || (out.len >= sizeof(debian) - 1 &&
						     !memcmp(out.p, debian, sizeof(debian) - 1));
	r->looked(r);
}

static void on_owner(void *ctx, int rc, const struct dbus_head *h, struct dbus_in *body)
{
	struct resolver *r = ctx;

	r->facts.resolved_runs = rc == 0 && dbus_get_bool(body) && !body->bad;
	r->looked(r);
}

/* False: there is nothing to wait for. */
static bool ask_program(struct resolver *r)
{
	char path[ETC_PATH_MAX];
	const char *const argv[] = { path, "--version", NULL };

	return resolver_find_program(r, path) &&
	       resolver_spawn(r, argv, (struct view){ 0 }, on_version) == 0;
}

static bool ask(struct resolver *r)
{
	enum resolvconf_owner o = r->facts.owner;

	if (r->cfg.choice == RESOLVER_USE_RESOLVCONF || o == RESOLVCONF_RESOLVCONF)
		return ask_program(r);
	if (o == RESOLVCONF_RESOLVED || o == RESOLVCONF_NETWORKMANAGER)
		return resolver_ask_resolved(r, on_owner) == 0;
	return false;
}

void resolver_look(struct resolver *r, void (*done)(struct resolver *r))
{
	bool wants = r->cfg.choice == RESOLVER_AUTO || r->cfg.choice == RESOLVER_USE_RESOLVCONF;

	r->looked = done;
	look_at_files(r);
	if (!wants || !ask(r))
		done(r);
}
