/*
 * resolvconf(8): a program that makes /etc/resolv.conf of the records of all interfaces. Ours is to be the only one that counts while it is
 * there. openresolv has an option for that (-x). Debian's has none, but its files name three servers at the most, and the record of a
 * tunnel comes first: so ours names three, the same one in several spellings if need be.
 */
#include "os/log/log.h"
#include "os/resolver/internal.h"

#include <errno.h>
#include <stdio.h>

enum { LIBC_SERVERS = 3 };

static int put_server(struct buf *out, const char *text, size_t *n)
{
	(*n)++;
	return buf_printf(out, "nameserver %s\n", text);
}

/* Another spelling of the address, which the C library reads and a comparison of texts takes for another: 100.100.25700, fd7a:...:0:0:53. */
static void spell(struct ipaddr a, size_t which, char out[static 64])
{
	const uint8_t *b = a.b;

	if (a.family == 4 && which == 0)
		snprintf(out, 64, "%u.%u.%u", b[0], b[1], b[2] << 8 | b[3]);
	else if (a.family == 4)
		snprintf(out, 64, "%u.%u", b[0], b[1] << 16 | b[2] << 8 | b[3]);
	else
		snprintf(out, 64,
			which == 0 ? "%x:%x:%x:%x:%x:%x:%x:%x"
				   : "%04x:%04x:%04x:%04x:%04x:%04x:%04x:%04x",
			load_be16(b), load_be16(b + 2), load_be16(b + 4), load_be16(b + 6),
			load_be16(b + 8), load_be16(b + 10), load_be16(b + 12), load_be16(b + 14));
}

static int make_record(const struct resolver *r, struct buf *out)
{
	const struct os_dns_config *c = &r->want;
	char text[64];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_servers; i++)
		rc = put_server(out, ipaddr_format(c->server[i], text), &n);
	for (size_t i = 0; rc == 0 && r->manager == RESOLVER_DEBIAN_RESOLVCONF && c->n_servers &&
			   n < LIBC_SERVERS;
		i++) {
		spell(c->server[0], i, text);
		rc = put_server(out, text, &n);
	}
	return rc == 0 ? resolvconf_format_search(c, out) : rc;
}

/* A hook of another package may have failed behind it: what counts is the record. */
static bool is_done(const struct resolver *r)
{
	enum resolver_manager m;

	return resolver_program_left(r, &m) != os_dns_config_is_empty(&r->want);
}

static void on_end(void *ctx, int rc, int status, struct view out, struct view err)
{
	struct resolver *r = ctx;

	(void)out;
	r->spawn = NULL;
	if (rc < 0 || status != 0)
		log_warn("dns", "resolvconf failed", "status=%d err=%s says=%.*s", status,
			err_text(rc), (int)MIN_OF(err.len, (size_t)200), (const char *)err.p);
	if (rc == 0 && status != 0 && !r->again && !is_done(r))
		rc = -EIO;
	resolver_done(r, rc < 0 ? RESOLVER_FAILED : RESOLVER_SET, rc);
}

static int start(struct resolver *r, struct view in)
{
	char path[ETC_PATH_MAX], record[2 * RESOLVER_NAME_MAX];
	const char *argv[8] = { path };
	bool debian = r->manager == RESOLVER_DEBIAN_RESOLVCONF,
	     gone = os_dns_config_is_empty(&r->want);
	size_t n = 1;

	if (!resolver_find_program(r, path))
		return -ENOENT;
	resolver_record(r, r->manager, record);
	if (!debian && gone) {
		argv[n++] = "-f"; /* no error if there is none */
	} else if (!debian) {
		argv[n++] = "-m";
		argv[n++] = "0";
		argv[n++] = "-x";
	}
	argv[n++] = gone ? "-d" : "-a";
	argv[n++] = record;
	return resolver_spawn(r, argv, in, on_end);
}

static bool sync_program(struct resolver *r, struct resolver_result *ret)
{
	struct buf in;
	int rc;

	buf_init(&in, RESOLVCONF_TEXT_MAX);
	rc = os_dns_config_is_empty(&r->want) ? 0 : make_record(r, &in);
	if (rc == 0)
		rc = start(r, buf_view(&in));
	buf_fini(&in);
	*ret = (struct resolver_result){ RESOLVER_FAILED, rc };
	return rc < 0;
}

static void forget(struct resolver *r)
{
	r->spawn = spawn_free(r->spawn);
}

const struct resolver_ops resolver_program_ops = { .sync = sync_program, .forget = forget };
