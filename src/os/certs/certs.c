#include "os/certs/certs.h"
#include "os/filewatch/filewatch.h"
#include "os/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_INTERVAL SEC(24 * 3600) /* what is still wrong is told again */

struct certs {
	struct certs_cfg cfg;
	struct filewatch *watch;
	struct loop_timer *timer;
	uint64_t reloads, failures;
};

static unix_ms soon_of(const struct tls_cert_facts *f)
{
	return MIN_OF((f->not_after - f->not_before) / 4, CERTS_SOON_MS);
}

void certs_state(const struct certs *c, struct certs_state *ret)
{
	unix_ms left;
	struct tls_cert_facts f;

	tls_cert_facts(c->cfg.tls, c->cfg.name ? c->cfg.name : "", &f);
	left = f.not_after - loop_now(c->cfg.loop).wall;
	*ret = (struct certs_state){ .not_after = f.not_after,
		.expired = left <= 0,
		.soon = left > 0 && left < soon_of(&f),
		.wrong_name = c->cfg.name && !f.is_for_name,
		.reloads = c->reloads,
		.failures = c->failures };
}

/* Each fault by its own line: devices say no more than that TLS failed. */
static void tell(const struct certs *c)
{
	char until[TIME_RFC3339_MAX];
	struct certs_state s;

	certs_state(c, &s);
	time_format_rfc3339(s.not_after, until);
	if (s.expired)
		log_error("tls", "the certificate has expired: devices refuse it",
			"file=%s until=%s", c->cfg.cert_file, until);
	if (s.soon)
		log_warn("tls", "the certificate expires soon: is its renewal at work?",
			"file=%s until=%s", c->cfg.cert_file, until);
	if (s.wrong_name)
		log_error("tls",
			"the certificate is not for the name that devices use: they refuse it",
			"file=%s name=%s", c->cfg.cert_file, c->cfg.name);
}

/* Rights were given up since the files were read: will the renewed ones be readable? */
static void tell_rights(const char *file)
{
	if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) != 0 && errno == EACCES)
		log_warn("tls",
			"was read as another user than this one, who may not: a renewed certificate needs a restart",
			"file=%s uid=%u", file, (unsigned)geteuid());
}

/* What is wrong is told again after a day; what becomes wrong, at that moment. */
static void on_look(void *ctx)
{
	struct certs *c = ctx;
	struct now now = loop_now(c->cfg.loop);
	mono_ns next = LOOK_INTERVAL;
	struct tls_cert_facts f;

	tell(c);
	tls_cert_facts(c->cfg.tls, "", &f);
	for (int i = 0; i < 2; i++) {
		unix_ms left = f.not_after - (i ? soon_of(&f) : 0) - now.wall;

		if (left > 0 && left < next / MSEC(1))
			next = MSEC(left + 1000);
	}
	loop_timer_set(c->timer, mono_add(now.mono, next));
}

void certs_reload(struct certs *c)
{
	struct err_at at = { 0 };
	int rc = tls_server_reload(c->cfg.tls, &at);

	if (rc < 0) {
		c->failures++;
		log_error("tls", "the new certificate is not used; the one of before stays",
			"why=%s", at.text[0] ? at.text : err_text(rc));
		return;
	}
	c->reloads++;
	log_info("tls", "the certificate was read anew, for connections from now on", "file=%s",
		c->cfg.cert_file);
	on_look(c);
}

static void on_changed(void *ctx)
{
	certs_reload(ctx);
}

int certs_new(struct certs **ret, const struct certs_cfg *cfg)
{
	const char *files[] = { cfg->cert_file, cfg->key_file };
	struct certs *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->cfg = *cfg;
	rc = filewatch_new(&c->watch, cfg->loop, files, ARRAY_LEN(files), on_changed, c);
	if (rc == 0)
		rc = loop_timer_new(cfg->loop, on_look, c, &c->timer);
	if (rc < 0) {
		certs_free(c);
		return rc;
	}
	tell_rights(cfg->cert_file);
	tell_rights(cfg->key_file);
	on_look(c);
	*ret = c;
	return 0;
}

struct certs *certs_free(struct certs *c)
{
	if (!c)
		return NULL;
	filewatch_free(c->watch);
	loop_timer_free(c->timer);
	free(c);
	return NULL;
}
